package event

import (
	"encoding/json"
	"fmt"
	"slices"
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

// Types lists the ten types in the order of the vocabulary. It must not be changed.
var Types = []Type{
	TypeRentalStatusUpdated, TypePaymentReceived, TypeMaintenanceRequired,
	TypeRentalOverdue, TypeEquipmentLocationUpdated, TypeTimesheetUpdated,
	TypePayrollProcessed, TypeLeaveRequestUpdated, TypeSystemNotification,
	TypeSyncProgress,
}

// Severity grades an event for people.
type Severity string

// The severities, from the least to the most severe.
const (
	Info    Severity = "info"
	Success Severity = "success"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Severities lists the severities, from the least to the most severe. It must not be
// changed.
var Severities = []Severity{Info, Success, Warning, Error}

// Rank returns the position of s in Severities, or -1 for an unknown severity.
func (s Severity) Rank() int { return slices.Index(Severities, s) }

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

// Modules lists the modules. It must not be changed.
var Modules = []Module{ModuleRental, ModuleEquipment, ModuleEmployee, ModuleCustomer, ModuleSystem}

// An Event is a CloudEvent 1.0 with the extension attributes severity, actor and
// cursor. Copies of an Event share the memory of Data, which must not be changed.
type Event struct {
	// ID is the publisher's idempotency key.
	ID string
	// Type says which payload Data has.
	Type Type
	// Source is a URI reference that names the emitter. Defaults to [DefaultSource].
	Source string
	// Subject names the thing that the event is about, such as rental/123. It follows
	// from Type and Data.
	Subject string
	// Time is when the event happened, in UTC.
	Time time.Time
	// Severity grades the event. Unless the publisher names one, it follows from Type
	// and Data.
	Severity Severity
	// Actor is the principal that published the event, such as user:7. It is empty when
	// the reader may not see it.
	Actor string
	// Cursor is the event's place in the log. Only the log sets it; before that, it is
	// empty.
	Cursor string
	// Data is the payload in canonical form.
	Data Object
}

// Module returns the module of the event. It follows from the type. For a sync, it also
// depends on the kind of entity that the sync copies.
func (e Event) Module() Module { return moduleOf(e.Type, e.Data) }

// AppendJSON appends e to b in the CloudEvents JSON format, compact and without any
// control character.
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

// MarshalJSON implements [json.Marshaler] in the CloudEvents JSON format.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// UnmarshalJSON reads the text that AppendJSON wrote. It checks no rule, because the
// broker has validated that text (a log, a stream). Use [Parse] for the input of
// publishers.
func (e *Event) UnmarshalJSON(b []byte) error {
	fields, err := readFields(b)
	if err != nil {
		return err
	}
	var read Event
	for _, f := range fields {
		text, isText := rawString(f.Raw)
		switch f.Name {
		case "id":
			read.ID = text
		case "type":
			read.Type = Type(text)
		case "source":
			read.Source = text
		case "subject":
			read.Subject = text
		case "severity":
			read.Severity = Severity(text)
		case "actor":
			read.Actor = text
		case "cursor":
			read.Cursor = text
		case "time":
			err = read.Time.UnmarshalJSON(f.Raw)
		case "data":
			isText = true
			read.Data, err = readFields(f.Raw)
		default:
			isText = true
		}
		if err != nil {
			return fmt.Errorf("event: %s: %w", f.Name, err)
		}
		if !isText && string(f.Raw) != "null" {
			return fmt.Errorf("event: %s is not a string", f.Name)
		}
	}
	*e = read
	return nil
}

// Decode returns the payload of e as its struct, for instance
// Decode[PaymentReceivedData](e). A field that the broker has hidden from the reader
// is zero. Decode returns an error when T is not the payload type of e.
func Decode[T any](e Event) (T, error) {
	var data T
	if want := payloadType(e.Type); want == nil || want != typeFor[T]() {
		return data, fmt.Errorf("event: %T is not the payload of %s", data, e.Type)
	}
	err := json.Unmarshal(e.Data.AppendJSON(nil), &data)
	return data, err
}
