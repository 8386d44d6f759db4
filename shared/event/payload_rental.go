package event

import "time"

// A Ref identifies something in the publisher's system, such as a payment. In JSON it is
// an integer or a string.
type Ref string

// RentalStatusUpdatedData is the payload of rental_status_updated.
type RentalStatusUpdatedData struct {
	RentalID        int64   `json:"rental_id" class:"O" rule:"required"`
	Status          string  `json:"status" class:"O" rule:"required" enum:"$rental_status"`
	PreviousStatus  string  `json:"previous_status,omitempty" class:"O" enum:"$rental_status"`
	RentalNumber    string  `json:"rental_number,omitempty" class:"O" rule:"len=32 format=line"`
	Customer        string  `json:"customer,omitempty" class:"C" rule:"len=120"`
	EquipmentIDs    []int64 `json:"equipment_ids,omitempty" class:"O" rule:"items=100"`
	ExpectedEndDate string  `json:"expected_end_date,omitempty" class:"O" rule:"format=date"`
	TotalAmount     *Money  `json:"total_amount,omitempty" class:"F" rule:"min=0"`
	Currency        string  `json:"currency,omitempty" class:"F" rule:"format=currency"`
	Notes           string  `json:"notes,omitempty" class:"C" rule:"len=500"`
}

// PaymentReceivedData is the payload of payment_received. BalanceDue is the amount
// that the customer still owes for the rental after the payment. A payment without a
// PaymentID is an entity that no later event can change.
type PaymentReceivedData struct {
	PaymentID     Ref       `json:"payment_id,omitempty" class:"F"`
	RentalID      int64     `json:"rental_id" class:"O" rule:"required"`
	Amount        Money     `json:"amount" class:"F" rule:"required more_than=0"`
	Currency      string    `json:"currency,omitempty" class:"F" rule:"format=currency"`
	PaymentMethod string    `json:"payment_method" class:"F" rule:"required" enum:"$payment_method"`
	Status        string    `json:"status,omitempty" class:"O" enum:"$payment_status" default:"completed"`
	InvoiceNumber string    `json:"invoice_number,omitempty" class:"F" rule:"len=40 format=nocard"`
	BalanceDue    *Money    `json:"balance_due,omitempty" class:"F" rule:"min=0"`
	ReceivedAt    time.Time `json:"received_at,omitzero" class:"F" rule:"past"`
}

// RentalOverdueData is the payload of rental_overdue. Each Reason of a rental is an entity
// of its own.
type RentalOverdueData struct {
	RentalID          int64   `json:"rental_id" class:"O" rule:"required"`
	DaysOverdue       int64   `json:"days_overdue" class:"O" rule:"required min=0"`
	Reason            string  `json:"reason,omitempty" class:"O" enum:"late_return,late_payment" default:"late_return"`
	ExpectedEndDate   string  `json:"expected_end_date,omitempty" class:"O" rule:"format=date"`
	Customer          string  `json:"customer,omitempty" class:"C" rule:"len=120"`
	CustomerPhone     string  `json:"customer_phone,omitempty" class:"C" rule:"format=phone"`
	EquipmentIDs      []int64 `json:"equipment_ids,omitempty" class:"O" rule:"items=100"`
	AmountOutstanding *Money  `json:"amount_outstanding,omitempty" class:"F" rule:"min=0"`
	Currency          string  `json:"currency,omitempty" class:"F" rule:"format=currency"`
}
