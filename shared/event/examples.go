package event

// Example returns a realistic event of the type, valid in strict mode. The app's test
// page offers these events as presets, the schemas show them, and tests publish them.
func Example(t Type) Event {
	e, err := New(t, examples[t])
	if err != nil {
		panic(err) // TestExamplesAreValidInStrictMode fails first
	}
	return e
}

// examples has a payload of each type.
var examples = map[Type]any{
	TypeRentalStatusUpdated: map[string]any{
		"rental_id": 123, "status": "completed", "previous_status": "returned", "rental_number": "R-2026-0123",
		"customer": "John Doe", "equipment_ids": []int{7, 9}, "expected_end_date": "2026-11-30",
		"total_amount": 1500, "currency": "EUR", "notes": "Equipment returned in good condition",
	},
	TypePaymentReceived: map[string]any{
		"payment_id": 9001, "rental_id": 123, "amount": 1500, "currency": "EUR", "payment_method": "credit_card",
		"status": "completed", "invoice_number": "INV-2026-881", "balance_due": 0,
	},
	TypeMaintenanceRequired: map[string]any{
		"maintenance_id": "M-77", "equipment_id": 7, "equipment_name": "Excavator XC-200",
		"issue": "Engine maintenance due", "priority": "high", "maintenance_type": "scheduled",
		"blocks_rental": true, "meter_reading": 1204.5, "due_date": "2026-12-01", "estimated_cost": 480.5,
		"currency": "EUR",
	},
	TypeRentalOverdue: map[string]any{
		"rental_id": 124, "days_overdue": 3, "reason": "late_return", "expected_end_date": "2026-11-20",
		"customer": "Jane Roe", "customer_phone": "+4930123456", "equipment_ids": []int{12},
		"amount_outstanding": 320.4, "currency": "EUR",
	},
	TypeEquipmentLocationUpdated: map[string]any{
		"equipment_id": 7, "equipment_name": "Excavator XC-200", "latitude": 52.5163, "longitude": 13.3777,
		"location_name": "Site Mitte", "accuracy_m": 6, "speed_kmh": 0, "heading_deg": 270,
		"movement": "entered_site", "rental_id": 123, "battery_pct": 82,
	},
	TypeTimesheetUpdated: map[string]any{
		"timesheet_id": 5001, "employee_id": 456, "employee_name": "Sam Field", "status": "submitted",
		"date": "2026-11-23", "hours_worked": 8, "overtime_hours": 1.5, "rental_id": 123,
	},
	TypePayrollProcessed: map[string]any{
		"payroll_run_id": "PR-2026-11", "period": "2026-11", "status": "completed", "employee_count": 42,
		"processed_count": 42, "failed_count": 0, "total_net": 98210.75, "currency": "EUR",
		"pay_date": "2026-11-28",
	},
	TypeLeaveRequestUpdated: map[string]any{
		"leave_request_id": 311, "employee_id": 456, "employee_name": "Sam Field", "status": "pending",
		"start_date": "2026-12-21", "end_date": "2026-12-23", "days": 2.5, "leave_type": "annual",
		"reason": "Family visit",
	},
	TypeSystemNotification: map[string]any{
		"title": "Planned maintenance", "message": "The system is read-only from 22:00 to 22:30.",
		"level": "warning", "category": "maintenance", "action_url": "/events", "action_label": "Details",
	},
	TypeSyncProgress: map[string]any{
		"sync_id": "sync-42", "entity": "customers", "status": "running", "progress": 45,
		"current": 450, "total": 1000, "started_by": 5,
	},
}
