package event

import "strings"

// CrossFieldRules describes the rules of a type that span several fields, or returns
// "". It describes what checkRules checks.
func CrossFieldRules(t Type) string {
	switch t {
	case TypeEquipmentLocationUpdated:
		return "Latitude and longitude come together; without them a location_name is required."
	case TypeTimesheetUpdated:
		return "Exactly one of date and period is required; with a date hours are at most 24."
	case TypePayrollProcessed:
		return "An employee_id and an amount come together (a payslip), or neither (a run)."
	case TypeLeaveRequestUpdated:
		return "The end_date is not before start_date."
	case TypeSyncProgress:
		return "The current is at most total."
	}
	return ""
}

// checkRules checks the rules of a type that span several fields. Each single field is
// valid already.
func checkRules(t Type, o Object, p *Problem) {
	switch t {
	case TypeEquipmentLocationUpdated:
		if o.Has("latitude") != o.Has("longitude") {
			missing := "latitude"
			if o.Has(missing) {
				missing = "longitude"
			}
			p.add("/data/"+missing, CodeRequired, "latitude and longitude together")
		} else if !o.Has("latitude") && strings.TrimSpace(o.Text("location_name")) == "" {
			p.add("/data/location_name", CodeRequired, "latitude and longitude, or a location_name")
		}
	case TypeTimesheetUpdated:
		checkTimesheet(o, p)
	case TypePayrollProcessed:
		if o.Has("employee_id") != o.Has("amount") {
			missing := "amount"
			if o.Has(missing) {
				missing = "employee_id"
			}
			p.add("/data/"+missing, CodeRequired, "employee_id and amount together (a payslip), or neither (a run)")
		}
	case TypeLeaveRequestUpdated:
		if o.Text("end_date") < o.Text("start_date") {
			p.add("/data/end_date", CodeRule, "an end_date on or after start_date")
		}
	case TypeSyncProgress:
		if o.Has("current") && o.Has("total") && o.Int("current") > o.Int("total") {
			p.add("/data/current", CodeRule, "current at most total")
		}
	}
}

func checkTimesheet(o Object, p *Problem) {
	if o.Has("date") == o.Has("period") {
		p.add("/data/date", CodeRequired, "one of date and period")
		return
	}
	if !o.Has("date") {
		return
	}
	for _, name := range []string{"hours_worked", "overtime_hours"} {
		if n := o.Number(name); n > 24 {
			p.add("/data/"+name, CodeLimit, "at most 24 hours a day")
		}
	}
}
