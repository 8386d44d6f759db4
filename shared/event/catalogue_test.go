package event

import "testing"

func TestPayloadDecidesModuleSeveritySubjectEntityAndToast(t *testing.T) {
	event := func(typ Type, data string) Event {
		e, _, err := Parse(wrap(typ, data), Rules{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, c := range []struct {
		typ                   Type
		data                  string
		module                Module
		severity              Severity
		subject, entity, text string
	}{
		{TypeRentalStatusUpdated, `{"rental_id":1,"status":"off_rent","previous_status":"active"}`, "rental", "info",
			"rental/1", "rental/1", "Rental #1: active → off rent"},
		{TypeRentalStatusUpdated, `{"rental_id":1,"status":"cancelled","rental_number":"R-9"}`, "rental", "warning",
			"rental/1", "rental/1", "Rental R-9: cancelled"},
		{TypePaymentReceived,
			`{"rental_id":1,"payment_id":"a/b%","amount":15,"currency":"EUR","payment_method":"cash"}`, "rental",
			"success", "rental/1", "payment/id/a%2Fb%25", "Payment received: EUR 15 · rental #1"},
		{TypePaymentReceived, `{"rental_id":1,"amount":15,"payment_method":"cash","status":"failed"}`, "rental",
			"error", "rental/1", "payment/event/", "Payment failed: 15 · rental #1"},
		{TypeMaintenanceRequired, `{"equipment_name":"Crane","issue":"Oil","priority":"critical"}`, "equipment",
			"error", "equipment/Crane", "maintenance/case/Crane/Oil", "Maintenance required: Crane — Oil"},
		{TypeMaintenanceRequired,
			`{"equipment_id":4,"equipment_name":"Crane","issue":"Oil","priority":"critical","status":"resolved"}`,
			"equipment", "success", "equipment/4", "maintenance/case/4/Oil", "Maintenance resolved: Crane — Oil"},
		{TypeRentalOverdue, `{"rental_id":1,"days_overdue":1,"customer":"Ann"}`, "rental", "error", "rental/1",
			"overdue/1/late_return", "Rental #1 is 1 day overdue · Ann"},
		{TypeEquipmentLocationUpdated, `{"equipment_id":3,"location_name":"Yard","movement":"left_site"}`, "equipment",
			"info", "equipment/3", "location/3", "Equipment #3 left Yard"},
		{TypeEquipmentLocationUpdated, `{"equipment_id":3,"location_name":"Yard"}`, "equipment", "info", "equipment/3",
			"location/3", ""},
		{TypeTimesheetUpdated, `{"employee_id":3,"status":"rejected","period":"2026-W48"}`, "employee", "warning",
			"employee/3", "timesheet/of/3/2026-W48", "Timesheet rejected: employee #3, 2026-W48"},
		{TypePayrollProcessed, `{"period":"2026-11","employee_count":3,"processed_count":2,"status":"processing"}`,
			"employee", "success", "payroll/2026-11", "payroll/2026-11", "Payroll 2026-11 processing: 2/3"},
		{TypePayrollProcessed, `{"period":"2026-11","employee_id":3,"amount":2000}`, "employee", "success",
			"payroll/2026-11", "payslip/2026-11/3", "Your payslip for 2026-11 is ready"},
		{TypeLeaveRequestUpdated,
			`{"leave_request_id":8,"employee_id":3,"status":"approved","start_date":"2026-12-01",` +
				`"end_date":"2026-12-02"}`, "employee", "info", "leave/8", "leave/8",
			"Leave approved: employee #3, 2026-12-01–2026-12-02"},
		{TypeSystemNotification, `{"message":"M","title":"T","level":"error"}`, "system", "error", "system/general",
			"", "T: M"},
		{TypeSyncProgress, `{"progress":45,"entity":"all"}`, "system", "info", "sync/all", "sync/of/all/",
			"Syncing all: 45%"},
		{TypeSyncProgress, `{"progress":45,"sync_id":"s1","status":"failed","error":"timeout"}`, "customer", "error",
			"sync/s1", "sync/id/s1", "Sync failed: timeout"},
	} {
		e := event(c.typ, c.data)
		text, _ := ToastText(e, true)
		if e.Module() != c.module || e.Severity != c.severity || e.Subject != c.subject || EntityKey(e) != c.entity ||
			text != c.text {
			t.Errorf("%s: got %s %s %s %s %q", c.data, e.Module(), e.Severity, e.Subject, EntityKey(e), text)
		}
	}
}

func TestReusableEntityKeyIsEmptyWhenNoEventCanFollow(t *testing.T) {
	for _, c := range []struct {
		typ        Type
		data, want string
	}{
		{TypePaymentReceived, `{"rental_id":1,"payment_id":7,"amount":1,"payment_method":"cash"}`, "payment/id/7"},
		{TypePaymentReceived, `{"rental_id":1,"amount":1,"payment_method":"cash"}`, ""},
		{TypeSystemNotification, `{"message":"M"}`, ""},
		{TypeRentalStatusUpdated, `{"rental_id":1,"status":"active"}`, "rental/1"},
	} {
		e, _, err := Parse(wrap(c.typ, c.data), Rules{})
		if err != nil {
			t.Fatal(err)
		}
		if got := ReusableEntityKey(e); got != c.want {
			t.Errorf("%s: %q, want %q", c.data, got, c.want)
		}
	}
}
