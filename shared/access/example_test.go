package access_test

import (
	"fmt"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// The yard sees that a rental is active, but neither its customer nor its amount.
func ExampleRedact() {
	e, err := event.New(event.TypeRentalStatusUpdated, event.RentalStatusUpdatedData{
		RentalID: 123, Status: "active", Customer: "John Doe", Currency: "EUR"})
	if err != nil {
		fmt.Println(err)
		return
	}
	yard, err := access.NewGrant("7", "Sam", []access.Role{access.Yard}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	redacted, ok := access.Redact(yard, e)
	fmt.Println(string(redacted.Data.AppendJSON(nil)), ok)
	// Output: {"rental_id":123,"status":"active"} true
}

// A manager does not see payslips, so not the event at all.
func ExampleRedact_hidden() {
	payslip, err := event.PayslipReady("2026-11", 456, "2100.50")
	if err != nil {
		fmt.Println(err)
		return
	}
	manager, err := access.NewGrant("3", "Kim", []access.Role{access.Manager}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, ok := access.Redact(manager, payslip)
	fmt.Println(ok)
	// Output: false
}
