package event

import (
	"fmt"
	"strings"
	"unicode"
)

// moduleOf is the module of a type; only a sync depends on its payload.
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

// severityOf is the severity of an event whose publisher gave none.
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

// SubjectKinds are what stands before the slash of a subject.
var SubjectKinds = []string{"rental", "equipment", "timesheet", "employee", "payroll", "leave", "system", "sync"}

// subjectOf names the thing that an event is about, for filters and
// timelines: one slash, the kind before it.
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

// EntityKey names the thing whose last state the event changes: its kind,
// then what identifies it, each part escaped so that two things never share a
// key. It is "" where the event leaves no state, and where the fields that
// identify it, or that give it meaning, were left out for the reader: such an
// event cannot be told from another thing's.
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
		// Without an id, the runs of two users are two things: what one of
		// them sees must not become the other's.
		return key("sync", "of", syncKey(o), o.Text("started_by"))
	}
	return ""
}

// OverdueKey is the entity of one reason for which a rental is overdue.
func OverdueKey(rentalID, reason string) string { return key("overdue", rentalID, reason) }

func syncKey(o Object) string {
	if o.Has("sync_id") {
		return o.Text("sync_id")
	}
	return ValueOrDefault(TypeSyncProgress, o, "entity")
}

func firstOf(o Object, names ...string) string {
	for _, name := range names {
		if o.Has(name) {
			return o.Text(name)
		}
	}
	return ""
}

var escapeKey = strings.NewReplacer("%", "%25", "/", "%2F")

// key joins the parts of an entity's key.
func key(kind string, parts ...string) string {
	for _, part := range parts {
		kind += "/" + escapeControl(escapeKey.Replace(part))
	}
	return kind
}

// escapeControl escapes control characters, because an issue may have several
// lines but a key is one line.
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

// ValueOrDefault is the text of a field, or the meaning that the vocabulary
// gives to its absence.
func ValueOrDefault(t Type, o Object, name string) string {
	if o.Has(name) {
		return o.Text(name)
	}
	spec, _ := Spec(t, name)
	return spec.Default
}
