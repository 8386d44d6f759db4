package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// Type names one of the ten kinds of event.
type Type string

// The ten event types. Their names never change.
const (
	TypeRentalStatusUpdated      Type = "rental_status_updated"
	TypePaymentReceived          Type = "payment_received"
	TypeMaintenanceRequired      Type = "maintenance_required"
	TypeRentalOverdue            Type = "rental_overdue"
	TypeEquipmentLocationUpdated Type = "equipment_location_updated"
	TypeTimesheetUpdated         Type = "timesheet_updated"
	TypePayrollProcessed         Type = "payroll_processed"
	TypeLeaveRequestUpdated      Type = "leave_request_updated"
	TypeSystemNotification       Type = "system_notification"
	TypeSyncProgress             Type = "sync_progress"
)

// Types lists the ten types in the order of the vocabulary.
var Types = []Type{
	TypeRentalStatusUpdated, TypePaymentReceived, TypeMaintenanceRequired,
	TypeRentalOverdue, TypeEquipmentLocationUpdated, TypeTimesheetUpdated,
	TypePayrollProcessed, TypeLeaveRequestUpdated, TypeSystemNotification,
	TypeSyncProgress,
}

// Severity grades an event for people.
type Severity string

// The severities, least first.
const (
	Info    Severity = "info"
	Success Severity = "success"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Severities lists the severities, least first.
var Severities = []Severity{Info, Success, Warning, Error}

// Rank is the position of s in Severities, or -1 for an unknown one.
func (s Severity) Rank() int {
	for i, known := range Severities {
		if s == known {
			return i
		}
	}
	return -1
}

// Module is the part of the rental system that an event belongs to.
type Module string

// The modules.
const (
	ModuleRental    Module = "rental"
	ModuleEquipment Module = "equipment"
	ModuleEmployee  Module = "employee"
	ModuleCustomer  Module = "customer"
	ModuleSystem    Module = "system"
)

// Modules lists the modules.
var Modules = []Module{ModuleRental, ModuleEquipment, ModuleEmployee, ModuleCustomer, ModuleSystem}

// An Event is a CloudEvent 1.0 with the extensions severity, actor and
// cursor. Its values are immutable by convention: Data shares memory between
// copies, and whoever wants another form makes a new Object.
type Event struct {
	ID       string    // the publisher's idempotency key
	Type     Type      //
	Source   string    // URI reference of the emitter
	Subject  string    // derived from the payload, such as rental/123
	Time     time.Time // UTC
	Severity Severity  //
	Actor    string    // the publishing principal, such as user:7; empty where it may not be seen
	Cursor   string    // place in the log, set by the log alone; empty before
	Data     Object    // canonical payload
}

// Module is derived from the type and, for a sync, from what is synced.
func (e Event) Module() Module { return moduleOf(e.Type, e.Data) }

// AppendJSON appends e in the CloudEvents JSON format, compact and without
// any control character.
func (e Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"specversion":"1.0","id":`...)
	b = appendString(b, e.ID)
	b = append(b, `,"type":`...)
	b = appendString(b, string(e.Type))
	b = append(b, `,"source":`...)
	b = appendString(b, e.Source)
	if e.Subject != "" {
		b = append(b, `,"subject":`...)
		b = appendString(b, e.Subject)
	}
	b = append(b, `,"time":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","severity":`...)
	b = appendString(b, string(e.Severity))
	if e.Actor != "" {
		b = append(b, `,"actor":`...)
		b = appendString(b, e.Actor)
	}
	if e.Cursor != "" {
		b = append(b, `,"cursor":`...)
		b = appendString(b, e.Cursor)
	}
	b = append(b, `,"data":`...)
	b = e.Data.AppendJSON(b)
	return append(b, '}')
}

// MarshalJSON implements json.Marshaler in the CloudEvents JSON format.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// UnmarshalJSON reads what AppendJSON wrote. It is for text that the broker
// has validated already (the log, a stream); input from publishers goes
// through Parse.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w struct {
		ID       string    `json:"id"`
		Type     Type      `json:"type"`
		Source   string    `json:"source"`
		Subject  string    `json:"subject"`
		Time     time.Time `json:"time"`
		Severity Severity  `json:"severity"`
		Actor    string    `json:"actor"`
		Cursor   string    `json:"cursor"`
		Data     Object    `json:"data"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	*e = Event(w)
	return nil
}

// Decode returns the payload of e as its struct, for instance
// Decode[PaymentReceivedData](e). Fields that were left out for the reader
// are zero. An error means that T does not belong to the type of e.
func Decode[T any](e Event) (T, error) {
	var data T
	if want := payloadType(e.Type); want == nil || want != typeFor[T]() {
		return data, fmt.Errorf("event: %T is not the payload of %s", data, e.Type)
	}
	err := json.Unmarshal(e.Data.AppendJSON(nil), &data)
	return data, err
}
