package event

import "encoding/json"

// The constructors take the usual fields of a type. Use [New] for a payload with other
// fields. Every error is a [*Problem].

// RentalStatusUpdated returns an event which says that a rental is now in the given status.
func RentalStatusUpdated(rentalID int64, status, customer string) (Event, error) {
	return New(TypeRentalStatusUpdated, RentalStatusUpdatedData{RentalID: rentalID, Status: status, Customer: customer})
}

// PaymentReceived returns an event which says that a payment came in. The amount is a
// decimal number such as "1500" or "19.90".
func PaymentReceived(rentalID int64, amount, method string) (Event, error) {
	m, err := ParseMoney(amount)
	if err != nil {
		return Event{}, Refuse("/data/amount", CodeType, "a number with at most three decimals, more than 0")
	}
	return New(TypePaymentReceived, PaymentReceivedData{RentalID: rentalID, Amount: m, PaymentMethod: method})
}

// MaintenanceRequired returns an event which says that a machine needs work.
func MaintenanceRequired(equipmentName, issue string) (Event, error) {
	return New(TypeMaintenanceRequired, MaintenanceRequiredData{EquipmentName: equipmentName, Issue: issue})
}

// RentalOverdue returns an event which says that a rental is overdue by a number of days.
func RentalOverdue(rentalID, days int64, customer string) (Event, error) {
	return New(TypeRentalOverdue, RentalOverdueData{RentalID: rentalID, DaysOverdue: days, Customer: customer})
}

// EquipmentLocationUpdated returns an event which says where a machine is, in degrees
// (WGS 84).
func EquipmentLocationUpdated(equipmentID int64, latitude, longitude float64) (Event, error) {
	return New(TypeEquipmentLocationUpdated, EquipmentLocationUpdatedData{
		EquipmentID: equipmentID, Latitude: &latitude, Longitude: &longitude})
}

// TimesheetUpdated returns an event which says that the time sheet of a day (YYYY-MM-DD)
// changed.
func TimesheetUpdated(timesheetID, employeeID int64, status, date string) (Event, error) {
	return New(TypeTimesheetUpdated, TimesheetUpdatedData{
		TimesheetID: timesheetID, EmployeeID: employeeID, Status: status, Date: date})
}

// PayrollProcessed returns an event which says that the payroll run of a month (YYYY-MM)
// changed.
func PayrollProcessed(period, status string) (Event, error) {
	return New(TypePayrollProcessed, PayrollProcessedData{Period: period, Status: status})
}

// PayslipReady returns an event which says that an employee's payslip of a month
// (YYYY-MM) is ready. The amount is a decimal number such as "2100.50".
func PayslipReady(period string, employeeID int64, amount string) (Event, error) {
	m, err := ParseMoney(amount)
	if err != nil {
		return Event{}, Refuse("/data/amount", CodeType, "a number with at most three decimals, at least 0")
	}
	return New(TypePayrollProcessed, PayrollProcessedData{Period: period, EmployeeID: employeeID, Amount: &m})
}

// LeaveRequestUpdated returns an event which says that a request for leave changed. The
// dates are YYYY-MM-DD.
func LeaveRequestUpdated(requestID, employeeID int64, status, startDate, endDate string) (Event, error) {
	return New(TypeLeaveRequestUpdated, LeaveRequestUpdatedData{
		LeaveRequestID: requestID, EmployeeID: employeeID, Status: status, StartDate: startDate, EndDate: endDate})
}

// SystemNotification returns a message to all users. The level is a [Severity]; "" means
// info.
func SystemNotification(title, message, level string) (Event, error) {
	return New(TypeSystemNotification, SystemNotificationData{Title: title, Message: message, Level: level})
}

// SyncProgress returns an event which says how far a synchronisation is, in percent.
func SyncProgress(syncID, entity string, progress float64) (Event, error) {
	return New(TypeSyncProgress, SyncProgressData{SyncID: syncID, Entity: entity, Progress: progress})
}

// marshal returns the JSON of a payload.
func marshal(data any) ([]byte, error) {
	switch data := data.(type) {
	case Object:
		return data.AppendJSON(nil), nil
	case json.RawMessage: // New validates it
		return data, nil
	}
	return json.Marshal(data)
}
