package pages

import (
	"cmp"
	"slices"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

// employeesPage is the page /employees: timesheets, leave and payroll, as far as the user may see them.
type employeesPage struct {
	basicPage
	board board
}

func (p *employeesPage) forget() { *p = employeesPage{} }

func (p *employeesPage) render(h *host) app.UI {
	parts := boardParts("employees", "waiting", "sheets", "leave", "payroll")
	for _, e := range h.newestEntities(event.TypeTimesheetUpdated) {
		card := timesheetCard(h, e)
		if e.Fields.Text("status") == "submitted" {
			addCard(parts, "waiting", card)
		}
		addCard(parts, "sheets", card)
	}
	for _, e := range h.newestEntities(event.TypeLeaveRequestUpdated) {
		card := leaveCard(h, e)
		if e.Fields.Text("status") == "pending" {
			addCard(parts, "waiting", card)
		}
		addCard(parts, "leave", card)
	}
	for _, e := range h.newestEntities(event.TypePayrollProcessed) {
		addCard(parts, "payroll", payrollCard(h, e))
	}
	parts = slices.DeleteFunc(parts, func(p ui.Part) bool { return !canFillPart(h.grant(), p) })
	return h.frame(text.Of("page.employees"), p.board.render(h, "employees", parts))
}

// canFillPart reports whether a part of the board may ever have a card for the user.
func canFillPart(g access.Grant, p ui.Part) bool {
	types := map[string]event.Type{
		"sheets":  event.TypeTimesheetUpdated,
		"leave":   event.TypeLeaveRequestUpdated,
		"payroll": event.TypePayrollProcessed,
	}
	if p.Key == "waiting" {
		return access.CanPublish(g, event.TypeTimesheetUpdated)
	}
	return len(p.Cards) > 0 || g.Employee != 0 || canReadAny(types[p.Key])(g)
}

// tones maps the states of timesheets, leave, payroll and syncs to the tones of their chips.
var tones = map[string]string{
	"submitted":        "warning",
	"pending":          "warning",
	"processing":       "warning",
	"approved":         "success",
	"paid":             "success",
	"completed":        "success",
	"rejected":         "error",
	"failed":           "error",
	"partially_failed": "error",
	"reversed":         "error",
}

// employeeName returns the name of the employee in a payload, or a title with the id.
func employeeName(o event.Object) string {
	return cmp.Or(o.Text("employee_name"), text.Of("employee", o.Text("employee_id")))
}

func timesheetCard(h *host, e *projection.Entity) app.UI {
	o, status := e.Fields, e.Fields.Text("status")
	period := cmp.Or(text.Date(o.Text("date")), o.Text("period"))
	item := ui.Item{
		ID:    e.Key,
		Title: employeeName(o),
		State: text.Label(status),
		Tone:  tones[status],
		Facts: []ui.Fact{ui.TextFact(text.Of("employees.sheet"), period)},
	}
	item.Facts = append(item.Facts, textFacts(e, "hours_worked", "overtime_hours", "rejection_reason")...)
	if status == "submitted" {
		item.Actions = decisionButtons(h, e, "timesheet_id", "employee_id", "employee_name", "date", "period",
			"hours_worked", "overtime_hours")
	}
	return item.Card()
}

func leaveCard(h *host, e *projection.Entity) app.UI {
	o, status := e.Fields, e.Fields.Text("status")
	days := text.Of("employees.days", text.Date(o.Text("start_date")), text.Date(o.Text("end_date")))
	item := ui.Item{
		ID:    e.Key,
		Title: employeeName(o),
		State: text.Label(status),
		Tone:  tones[status],
		Facts: []ui.Fact{ui.TextFact(text.Of("employees.leave.of"), days)},
	}
	today := h.today()
	if status == "approved" && o.Text("start_date") <= today && today <= o.Text("end_date") {
		item.State, item.Tone = text.Of("employees.away"), "warning"
	}
	item.Facts = append(item.Facts, textFacts(e, "days", "leave_type", "reason")...)
	if status == "pending" {
		item.Actions = decisionButtons(h, e, "leave_request_id", "employee_id", "employee_name", "start_date",
			"end_date", "days", "leave_type")
	}
	return item.Card()
}

// decisionButtons returns the buttons that approve and reject a timesheet or a leave request. Rejecting asks first. The
// event repeats the named fields of the entity.
func decisionButtons(h *host, e *projection.Entity, repeated ...string) (buttons []app.UI) {
	for _, status := range []string{"approved", "rejected"} {
		decide := func(reason string) {
			data := map[string]any{"status": status}
			copyFields(data, e, repeated...)
			if reason != "" {
				data["rejection_reason"] = reason
			}
			h.publish(e.Type, data)
		}
		label, press := text.Of("employees.do."+status), func() { decide("") }
		if status == "rejected" {
			reasonField := "" // leave requests have no such field
			if _, declared := event.Spec(e.Type, "rejection_reason"); declared {
				reasonField = "rejection_reason"
			}
			press = func() { h.confirm(label, ui.Describe(lastEvent(e), false), reasonField, decide) }
		}
		buttons = append(buttons, h.button(action{
			typ:     e.Type,
			subject: lastEvent(e).Subject,
			scope:   e.Key + status,
			version: e.Seq,
			label:   label,
			press:   press,
		}))
	}
	return buttons
}

func payrollCard(h *host, e *projection.Entity) app.UI {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	title := text.Of("employees.payroll.of", o.Text("period"))
	if o.Has("employee_id") {
		title = text.Of("employees.payslip", o.Text("employee_id"), o.Text("period"))
		if _, ofUser := access.RedactForPerson(h.grant(), lastEvent(e)); ofUser {
			title = text.Of("employees.payslip.own", o.Text("period"))
		}
	}
	return ui.Item{
		ID:    e.Key,
		Title: title,
		State: text.Label(status),
		Tone:  tones[status],
		Facts: textFacts(e, "processed_count", "employee_count", "failed_count", "amount", "total_net", "pay_date"),
	}.Card()
}
