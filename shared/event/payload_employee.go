package event

// TimesheetUpdatedData is the payload of timesheet_updated. It has either Date or Period:
// the day or the week of the hours.
type TimesheetUpdatedData struct {
	TimesheetID     int64    `json:"timesheet_id,omitempty" class:"H" rule:"strict"`
	EmployeeID      int64    `json:"employee_id" class:"H" rule:"required"`
	EmployeeName    string   `json:"employee_name,omitempty" class:"H" rule:"len=120"`
	Status          string   `json:"status" class:"H" rule:"required" enum:"draft,submitted,approved,rejected,paid"`
	Date            string   `json:"date,omitempty" class:"H" rule:"format=date"`
	Period          string   `json:"period,omitempty" class:"H" rule:"format=week"`
	HoursWorked     *float64 `json:"hours_worked,omitempty" class:"H" rule:"min=0 max=168"`
	OvertimeHours   *float64 `json:"overtime_hours,omitempty" class:"H" rule:"min=0 max=168"`
	RentalID        int64    `json:"rental_id,omitempty" class:"O"`
	RejectionReason string   `json:"rejection_reason,omitempty" class:"H" rule:"len=300"`
}

// PayrollProcessedData is the payload of payroll_processed. With EmployeeID and Amount it
// is the payslip of one employee. Without both it is a payroll run.
type PayrollProcessedData struct {
	PayrollRunID   Ref    `json:"payroll_run_id,omitempty" class:"P" rule:"strict"`
	Period         string `json:"period" class:"P" rule:"required format=month"`
	Status         string `json:"status,omitempty" class:"P" enum:"$payroll_status" default:"completed"`
	EmployeeID     int64  `json:"employee_id,omitempty" class:"P"`
	Amount         *Money `json:"amount,omitempty" class:"P" rule:"min=0"`
	Currency       string `json:"currency,omitempty" class:"P" rule:"format=currency"`
	EmployeeCount  *int64 `json:"employee_count,omitempty" class:"P" rule:"min=0"`
	ProcessedCount *int64 `json:"processed_count,omitempty" class:"P" rule:"min=0"`
	FailedCount    *int64 `json:"failed_count,omitempty" class:"P" rule:"min=0"`
	TotalNet       *Money `json:"total_net,omitempty" class:"P" rule:"min=0"`
	PayDate        string `json:"pay_date,omitempty" class:"P" rule:"format=date"`
}

// LeaveRequestUpdatedData is the payload of leave_request_updated. Days is a multiple of
// 0.5.
type LeaveRequestUpdatedData struct {
	LeaveRequestID int64    `json:"leave_request_id" class:"H" rule:"required"`
	EmployeeID     int64    `json:"employee_id" class:"H" rule:"required"`
	EmployeeName   string   `json:"employee_name,omitempty" class:"H" rule:"len=120"`
	Status         string   `json:"status" class:"H" rule:"required" enum:"pending,approved,rejected,cancelled"`
	StartDate      string   `json:"start_date" class:"H" rule:"required format=date"`
	EndDate        string   `json:"end_date" class:"H" rule:"required format=date"`
	Days           *float64 `json:"days,omitempty" class:"H" rule:"min=0 step=0.5"`
	LeaveType      string   `json:"leave_type,omitempty" class:"H" enum:"annual,sick,unpaid,emergency,other"`
	Reason         string   `json:"reason,omitempty" class:"H" rule:"len=300"`
	DecidedBy      int64    `json:"decided_by,omitempty" class:"H"`
}
