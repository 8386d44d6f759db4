package event

import (
	"fmt"
	"strings"
	"unicode"
)

// moduleOf returns the module of a type. Only the module of a sync depends on the payload.
func moduleOf(t Type, o Object) Module {
	switch t {
	case TypeRentalStatusUpdated, TypePaymentReceived, TypeRentalOverdue:
		return ModuleRental
	case TypeMaintenanceRequired, TypeEquipmentLocationUpdated:
		return ModuleEquipment
	case TypeTimesheetUpdated, TypePayrollProcessed, TypeLeaveRequestUpdated:
		return ModuleEmployee
	case TypeSyncProgress:
		if ValueOrDefault(t, o, "entity") != "all" {
			return ModuleCustomer
		}
	}
	return ModuleSystem
}

// severityOf returns the severity of an event whose publisher named none.
func severityOf(t Type, o Object) Severity {
	status := ValueOrDefault(t, o, "status")
	switch t {
	case TypeRentalStatusUpdated:
		switch status {
		case "completed":
			return Success
		case "cancelled":
			return Warning
		}
	case TypePaymentReceived, TypePayrollProcessed:
		if status == "failed" {
			return Error
		}
		return Success
	case TypeMaintenanceRequired:
		if status == "resolved" {
			return Success
		}
		if o.Text("priority") == "critical" {
			return Error
		}
		return Warning
	case TypeRentalOverdue:
		return Error
	case TypeTimesheetUpdated:
		if status == "rejected" {
			return Warning
		}
	case TypeSystemNotification:
		return Severity(ValueOrDefault(t, o, "level"))
	case TypeSyncProgress:
		switch status {
		case "completed":
			return Success
		case "failed", "cancelled":
			return Error
		}
	}
	return Info
}

// SubjectKinds lists the kinds of subject: the part of a subject before the slash. It
// must not be changed.
var SubjectKinds = []string{"rental", "equipment", "timesheet", "employee", "payroll", "leave", "system", "sync"}

// subjectOf returns the subject of an event: the kind and the id of the thing that the
// event is about, with a slash between them. Filters and timelines use it.
func subjectOf(t Type, o Object) string {
	switch t {
	case TypeRentalStatusUpdated, TypePaymentReceived, TypeRentalOverdue:
		return "rental/" + o.Text("rental_id")
	case TypeMaintenanceRequired:
		return "equipment/" + firstOf(o, "equipment_id", "equipment_name")
	case TypeEquipmentLocationUpdated:
		return "equipment/" + o.Text("equipment_id")
	case TypeTimesheetUpdated:
		if o.Has("timesheet_id") {
			return "timesheet/" + o.Text("timesheet_id")
		}
		return "employee/" + o.Text("employee_id")
	case TypePayrollProcessed:
		return "payroll/" + firstOf(o, "payroll_run_id", "period")
	case TypeLeaveRequestUpdated:
		return "leave/" + o.Text("leave_request_id")
	case TypeSystemNotification:
		if o.Has("category") {
			return "system/" + o.Text("category")
		}
		return "system/general"
	case TypeSyncProgress:
		return "sync/" + syncKey(o)
	}
	return ""
}

// ReusableEntityKey returns the [EntityKey] of an event whose entity a later event can
// change again. It is "" for the two kinds of event without such an entity:
//
//   - an event that leaves no state, so that EntityKey is "" too;
//   - a payment without a payment_id, because its entity is named after the event's
//     own cursor.
func ReusableEntityKey(e Event) string {
	if e.Type == TypePaymentReceived && !e.Data.Has("payment_id") {
		return ""
	}
	return EntityKey(e)
}

// EntityKey returns the key of the entity whose last state the event changes, such as
// rental/123 or overdue/123/late_return. The key has the kind of the entity and the values
// that identify it. Each part is escaped, so that two entities never share a key.
//
// The key is "" for an event that leaves no state. It is also "" for a payment without its
// amount, because a reader that may not see the amount may not see that entity.
func EntityKey(e Event) string {
	o := e.Data
	switch e.Type {
	case TypeRentalStatusUpdated:
		return key("rental", o.Text("rental_id"))
	case TypePaymentReceived:
		if !o.Has("amount") {
			return ""
		}
		if !o.Has("payment_id") {
			return key("payment", "event", e.Cursor)
		}
		return key("payment", "id", o.Text("payment_id"))
	case TypeMaintenanceRequired:
		if o.Has("maintenance_id") {
			return key("maintenance", "id", o.Text("maintenance_id"))
		}
		return key("maintenance", "case", firstOf(o, "equipment_id", "equipment_name"), o.Text("issue"))
	case TypeRentalOverdue:
		return OverdueKey(o.Text("rental_id"), ValueOrDefault(e.Type, o, "reason"))
	case TypeEquipmentLocationUpdated:
		return key("location", o.Text("equipment_id"))
	case TypeTimesheetUpdated:
		if o.Has("timesheet_id") {
			return key("timesheet", "id", o.Text("timesheet_id"))
		}
		return key("timesheet", "of", o.Text("employee_id"), o.Text("date")+o.Text("period"))
	case TypePayrollProcessed:
		run := firstOf(o, "payroll_run_id", "period")
		if o.Has("employee_id") {
			return key("payslip", run, o.Text("employee_id"))
		}
		return key("payroll", run)
	case TypeLeaveRequestUpdated:
		return key("leave", o.Text("leave_request_id"))
	case TypeSyncProgress:
		if o.Has("sync_id") {
			return key("sync", "id", o.Text("sync_id"))
		}
		// Without an id, the syncs of two users are two entities, so that one user's
		// state never shows the other's sync.
		return key("sync", "of", syncKey(o), o.Text("started_by"))
	}
	return ""
}

// OverdueKey returns the key of the entity for one reason why a rental is overdue.
func OverdueKey(rentalID, reason string) string { return key("overdue", rentalID, reason) }

// syncKey returns the part of a subject that identifies a sync.
func syncKey(o Object) string {
	if o.Has("sync_id") {
		return o.Text("sync_id")
	}
	return ValueOrDefault(TypeSyncProgress, o, "entity")
}

// firstOf returns the text of the first of the fields that o has.
func firstOf(o Object, names ...string) string {
	for _, name := range names {
		if o.Has(name) {
			return o.Text(name)
		}
	}
	return ""
}

var escapeKey = strings.NewReplacer("%", "%25", "/", "%2F")

// key returns the key of an entity of the kind, with its parts escaped.
func key(kind string, parts ...string) string {
	for _, part := range parts {
		kind += "/" + escapeControl(escapeKey.Replace(part))
	}
	return kind
}

// escapeControl escapes control characters: an issue may have several lines, but a key
// is one line.
func escapeControl(s string) string {
	if !hasControl(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, "%%%02X", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ValueOrDefault returns the text of a field, or the default that the vocabulary
// declares for the field when it is absent.
func ValueOrDefault(t Type, o Object, name string) string {
	if o.Has(name) {
		return o.Text(name)
	}
	spec, _ := Spec(t, name)
	return spec.Default
}
