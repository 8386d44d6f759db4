package event

import "strings"

// A ToastFormat formats the parts of a toast's text that depend on the reader's
// language. The zero value formats them plainly.
type ToastFormat struct {
	// Money formats an amount. The currency may be "". Nil writes EUR 10.50.
	Money func(amount Money, currency string) string
	// Date formats a day that is written as YYYY-MM-DD. Nil leaves it as it is.
	Date func(day string) string
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

// ToastText returns the text of a toast with the zero [ToastFormat].
func ToastText(e Event, self bool) (text string, ok bool) { return ToastFormat{}.ToastText(e, self) }

// ToastText returns the text of a toast about e. ok is false when e makes no toast. The
// text has only fields of e.Data, so a reader sees nothing that the broker has hidden.
// self means that the event is about the reader in person.
func (f ToastFormat) ToastText(e Event, self bool) (text string, ok bool) {
	o := e.Data
	switch e.Type {
	case TypeRentalStatusUpdated:
		return rentalText(o), true
	case TypePaymentReceived:
		return f.paymentText(e), true
	case TypeMaintenanceRequired:
		status := maintenanceWords[ValueOrDefault(e.Type, o, "status")]
		return "Maintenance " + status + ": " + o.Text("equipment_name") + " — " + o.Text("issue"), true
	case TypeRentalOverdue:
		return overdueText(o), true
	case TypeEquipmentLocationUpdated:
		return arrivalText(o)
	case TypeTimesheetUpdated:
		when := f.date(o.Text("date")) + o.Text("period")
		return "Timesheet " + o.Text("status") + ": " + person(o) + ", " + when, true
	case TypePayrollProcessed:
		return payrollText(e, self), true
	case TypeLeaveRequestUpdated:
		when := f.date(o.Text("start_date")) + "–" + f.date(o.Text("end_date"))
		return "Leave " + o.Text("status") + ": " + person(o) + ", " + when, true
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

func rentalText(o Object) string {
	name := "#" + o.Text("rental_id")
	if o.Text("rental_number") != "" {
		name = o.Text("rental_number")
	}
	if o.Has("previous_status") {
		return "Rental " + name + ": " + words(o.Text("previous_status")) + " → " + words(o.Text("status"))
	}
	return "Rental " + name + ": " + words(o.Text("status"))
}

var maintenanceWords = map[string]string{"open": "required", "in_progress": "in progress", "resolved": "resolved"}

func overdueText(o Object) string {
	days := o.Text("days_overdue") + " days"
	if o.Int("days_overdue") == 1 {
		days = "1 day"
	}
	return "Rental #" + o.Text("rental_id") + " is " + days + " overdue" + prefixed(" · ", o.Text("customer"))
}

var paymentWords = map[string]string{
	"completed": "received", "pending": "pending", "failed": "failed", "refunded": "refunded",
}

// paymentText says "received" only when the reader may see the amount of a completed
// payment; without the amount it says "recorded".
func (f ToastFormat) paymentText(e Event) string {
	word := paymentWords[ValueOrDefault(e.Type, e.Data, "status")]
	rental := " · rental #" + e.Data.Text("rental_id")
	if amount, ok := e.Data.Money("amount"); ok {
		return "Payment " + word + ": " + f.money(amount, e.Data.Text("currency")) + rental
	}
	if word == "received" {
		word = "recorded"
	}
	return "Payment " + word + rental
}

// arrivalText returns a text only when a machine enters or leaves a named site.
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
		return "Sync failed" + prefixed(": ", e.Data.Text("error"))
	case "cancelled":
		return "Sync cancelled"
	}
	return "Syncing " + ValueOrDefault(e.Type, e.Data, "entity") + ": " + e.Data.Text("progress") + "%"
}

// words returns the value of an enum as words: "off rent" for off_rent.
func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

func person(o Object) string {
	if o.Text("employee_name") != "" {
		return o.Text("employee_name")
	}
	return "employee #" + o.Text("employee_id")
}

// prefixed returns a text with a separator before it, or "" for no text.
func prefixed(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}
