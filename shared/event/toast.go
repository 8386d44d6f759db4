package event

import "strings"

// A ToastFormat writes what readers of different places write differently. What is
// nil is written plainly.
type ToastFormat struct {
	Money func(amount Money, currency string) string // the currency may be ""
	Date  func(day string) string                    // YYYY-MM-DD
}

func (f ToastFormat) money(amount Money, currency string) string {
	if f.Money != nil {
		return f.Money(amount, currency)
	}
	return strings.TrimSpace(currency + " " + amount.FormatIn(currency))
}

func (f ToastFormat) date(day string) string {
	if f.Date != nil && day != "" {
		return f.Date(day)
	}
	return day
}

// ToastText is ToastFormat.ToastText, written plainly.
func ToastText(e Event, self bool) (string, bool) { return ToastFormat{}.ToastText(e, self) }

// ToastText is what a toast says about e, and whether e makes one at all. It
// uses only the fields that the reader was given. self tells that the event
// is about the reader in person.
func (f ToastFormat) ToastText(e Event, self bool) (string, bool) {
	o := e.Data
	switch e.Type {
	case TypeRentalStatusUpdated:
		name := "#" + o.Text("rental_id")
		if o.Text("rental_number") != "" {
			name = o.Text("rental_number")
		}
		if o.Has("previous_status") {
			return "Rental " + name + ": " + words(o.Text("previous_status")) + " → " + words(o.Text("status")), true
		}
		return "Rental " + name + ": " + words(o.Text("status")), true
	case TypePaymentReceived:
		return f.paymentText(e), true
	case TypeMaintenanceRequired:
		word := map[string]string{"open": "required", "in_progress": "in progress", "resolved": "resolved"}[ValueOrDefault(e.Type, o, "status")]
		return "Maintenance " + word + ": " + o.Text("equipment_name") + " — " + o.Text("issue"), true
	case TypeRentalOverdue:
		days := o.Text("days_overdue") + " days"
		if o.Int("days_overdue") == 1 {
			days = "1 day"
		}
		return "Rental #" + o.Text("rental_id") + " is " + days + " overdue" + and(" · ", o.Text("customer")), true
	case TypeEquipmentLocationUpdated:
		return arrivalText(o)
	case TypeTimesheetUpdated:
		return "Timesheet " + o.Text("status") + ": " + person(o) + ", " + f.date(o.Text("date")) + o.Text("period"), true
	case TypePayrollProcessed:
		return payrollText(e, self), true
	case TypeLeaveRequestUpdated:
		return "Leave " + o.Text("status") + ": " + person(o) + ", " + f.date(o.Text("start_date")) + "–" + f.date(o.Text("end_date")), true
	case TypeSystemNotification:
		if o.Text("title") != "" {
			return o.Text("title") + ": " + o.Text("message"), true
		}
		return o.Text("message"), true
	case TypeSyncProgress:
		return syncText(e), true
	}
	return "", false
}

// paymentText never says that money was received where none was.
func (f ToastFormat) paymentText(e Event) string {
	word := map[string]string{"completed": "received", "pending": "pending", "failed": "failed", "refunded": "refunded"}[ValueOrDefault(e.Type, e.Data, "status")]
	rental := " · rental #" + e.Data.Text("rental_id")
	if amount, ok := e.Data.Money("amount"); ok {
		return "Payment " + word + ": " + f.money(amount, e.Data.Text("currency")) + rental
	}
	if word == "received" {
		word = "recorded"
	}
	return "Payment " + word + rental
}

func arrivalText(o Object) (string, bool) {
	name := "Equipment #" + o.Text("equipment_id")
	if o.Text("equipment_name") != "" {
		name = o.Text("equipment_name")
	}
	verb := map[string]string{"entered_site": " arrived at ", "left_site": " left "}[o.Text("movement")]
	if verb == "" || o.Text("location_name") == "" {
		return "", false
	}
	return name + verb + o.Text("location_name"), true
}

func payrollText(e Event, self bool) string {
	o := e.Data
	if self && o.Has("employee_id") {
		return "Your payslip for " + o.Text("period") + " is ready"
	}
	text := "Payroll " + o.Text("period") + " " + words(ValueOrDefault(e.Type, o, "status"))
	switch {
	case o.Has("employee_id"):
		return text + ": employee #" + o.Text("employee_id")
	case o.Has("processed_count") && o.Has("employee_count"):
		return text + ": " + o.Text("processed_count") + "/" + o.Text("employee_count")
	}
	return text
}

func syncText(e Event) string {
	switch ValueOrDefault(e.Type, e.Data, "status") {
	case "completed":
		return "Sync completed successfully"
	case "failed":
		return "Sync failed" + and(": ", e.Data.Text("error"))
	case "cancelled":
		return "Sync cancelled"
	}
	return "Syncing " + ValueOrDefault(e.Type, e.Data, "entity") + ": " + e.Data.Text("progress") + "%"
}

// words turns an enum value into words: off_rent, off rent.
func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

func person(o Object) string {
	if o.Text("employee_name") != "" {
		return o.Text("employee_name")
	}
	return "employee #" + o.Text("employee_id")
}

// and joins what to a text where it is there.
func and(separator, what string) string {
	if what == "" {
		return ""
	}
	return separator + what
}
