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

// employees is the page /employees: what waits for a decision, who is away, and
// how payroll goes, as far as the reader may see it.
func (r *Root) employees() app.UI {
	parts := []part{{key: "waiting"}, {key: "sheets"}, {key: "leave"}, {key: "payroll"}}
	today := r.today()
	for _, e := range r.newest(event.TypeTimesheetUpdated) {
		card := r.sheetItem(e).card()
		if e.Fields.Text("status") == "submitted" {
			parts[0].cards = append(parts[0].cards, card)
		}
		parts[1].cards = append(parts[1].cards, card)
	}
	for _, e := range r.newest(event.TypeLeaveRequestUpdated) {
		card := r.leaveItem(e, today).card()
		if e.Fields.Text("status") == "pending" {
			parts[0].cards = append(parts[0].cards, card)
		}
		parts[2].cards = append(parts[2].cards, card)
	}
	for _, e := range r.newest(event.TypePayrollProcessed) {
		parts[3].cards = append(parts[3].cards, r.payrollItem(e).card())
	}
	// A tab that could never hold anything for this reader is not there.
	g := r.state.User.Grant()
	parts = slices.DeleteFunc(parts, func(p part) bool {
		if p.key == "waiting" {
			return !access.CanPublish(g, event.TypeTimesheetUpdated)
		}
		of := map[string]event.Type{"sheets": event.TypeTimesheetUpdated, "leave": event.TypeLeaveRequestUpdated, "payroll": event.TypePayrollProcessed}
		t, typed := of[p.key]
		return typed && len(p.cards) == 0 && g.Employee == 0 && !reads(t)(g)
	})
	return r.page(text.Of("page.employees"), r.board("employees", parts))
}

// newest are the last states of a type, the latest first.
func (r *Root) newest(t event.Type) []*projection.Entity {
	all := r.byType(t, false)
	slices.SortFunc(all, func(a, b *projection.Entity) int { return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(a.Key, b.Key)) })
	return all
}

var tones = map[string]string{"submitted": "warning", "pending": "warning", "processing": "warning", "approved": "success", "paid": "success", "completed": "success",
	"rejected": "error", "failed": "error", "partially_failed": "error", "reversed": "error"}

func personOf(o event.Object) string {
	return cmp.Or(o.Text("employee_name"), text.Of("employee", o.Text("employee_id")))
}

func (r *Root) sheetItem(e *projection.Entity) item {
	o, status := e.Fields, e.Fields.Text("status")
	i := item{id: e.Key, title: personOf(o), chip: text.Label(status), tone: tones[status],
		lines: []line{{text.Of("employees.sheet"), cmp.Or(text.Date(o.Text("date")), o.Text("period"))}}}
	for _, name := range []string{"hours_worked", "overtime_hours", "rejection_reason"} {
		if o.Has(name) {
			i.lines = append(i.lines, line{text.Label(name), ui.FieldText(e.Type, o, name)})
		}
	}
	if status == "submitted" {
		i.actions = r.decisions(e, "timesheet_id", "employee_id", "employee_name", "date", "period", "hours_worked", "overtime_hours")
	}
	return i
}

func (r *Root) leaveItem(e *projection.Entity, today string) item {
	o, status := e.Fields, e.Fields.Text("status")
	i := item{id: e.Key, title: personOf(o), chip: text.Label(status), tone: tones[status],
		lines: []line{{text.Of("employees.leave.of"), text.Of("employees.days", text.Date(o.Text("start_date")), text.Date(o.Text("end_date")))}}}
	if status == "approved" && o.Text("start_date") <= today && today <= o.Text("end_date") {
		i.chip, i.tone = text.Of("employees.away"), "warning"
	}
	for _, name := range []string{"days", "leave_type", "reason"} {
		if o.Has(name) {
			i.lines = append(i.lines, line{text.Label(name), ui.FieldText(e.Type, o, name)})
		}
	}
	if status == "pending" {
		i.actions = r.decisions(e, "leave_request_id", "employee_id", "employee_name", "start_date", "end_date", "days", "leave_type")
	}
	return i
}

// decisions approve or reject what waits; the event says again what it is about.
func (r *Root) decisions(e *projection.Entity, about ...string) (actions []app.UI) {
	for _, status := range []string{"approved", "rejected"} {
		do := func(reason string) {
			data := map[string]any{"status": status}
			for _, name := range about {
				if e.Fields.Has(name) {
					data[name] = e.Fields.Get(name)
				}
			}
			if reason != "" {
				data["rejection_reason"] = reason
			}
			r.act(e.Type, data)
		}
		label, press := text.Of("employees.do."+status), func() { do("") }
		if status == "rejected" {
			field := "" // leave has no field for it
			if _, declared := event.Spec(e.Type, "rejection_reason"); declared {
				field = "rejection_reason"
			}
			press = func() { r.confirm(label, ui.Describe(eventOf(e), false), field, do) }
		}
		actions = append(actions, r.action(e.Type, eventOf(e).Subject, e.Key+status, e.Seq, label, press))
	}
	return actions
}

func (r *Root) payrollItem(e *projection.Entity) item {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	i := item{id: e.Key, title: text.Of("employees.payroll.of", o.Text("period")), chip: text.Label(status), tone: tones[status]}
	if o.Has("employee_id") {
		i.title = text.Of("employees.payslip", o.Text("employee_id"), o.Text("period"))
		if _, self := access.RedactForPerson(r.state.User.Grant(), eventOf(e)); self {
			i.title = text.Of("employees.payslip.own", o.Text("period"))
		}
	}
	for _, name := range []string{"processed_count", "employee_count", "failed_count", "amount", "total_net", "pay_date"} {
		if o.Has(name) {
			i.lines = append(i.lines, line{text.Label(name), ui.FieldText(e.Type, o, name)})
		}
	}
	return i
}
