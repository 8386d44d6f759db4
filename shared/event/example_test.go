package event_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// A publisher builds an event with a constructor. Everything but the payload follows
// from it.
func Example() {
	e, err := event.RentalStatusUpdated(123, "completed", "John Doe")
	if err != nil {
		fmt.Println(err)
		return
	}
	e = e.Stamp("e-1", time.Date(2026, 11, 23, 14, 32, 0, 0, time.UTC))
	fmt.Println(e.ID, e.Time.Format(time.RFC3339), e.Subject, e.Severity, e.Module())
	fmt.Println(string(e.Data.AppendJSON(nil)))
	// Output:
	// e-1 2026-11-23T14:32:00Z rental/123 success rental
	// {"rental_id":123,"status":"completed","customer":"John Doe"}
}

// A broker reads events of publishers. Parse names every field that it refuses.
func ExampleParse() {
	_, _, err := event.Parse([]byte(`{"type":"sync_progress","data":{"progress":120}}`), event.Rules{})
	var problem *event.Problem
	if errors.As(err, &problem) {
		for _, f := range problem.Fields {
			fmt.Printf("%s (%s): expected %s\n", f.Pointer, f.Code, f.Expected)
		}
	}
	// Output:
	// /data/progress (limit): expected a number, at least 0, at most 100
}

// Parse drops unknown fields with a warning, unless the rules are strict.
func ExampleParse_warnings() {
	e, warnings, err := event.Parse(
		[]byte(`{"type":"sync_progress","data":{"progress":45,"colour":"red"}}`), event.Rules{})
	fmt.Println(string(e.Data.AppendJSON(nil)), err)
	for _, w := range warnings {
		fmt.Println(w.Pointer, w.Message)
	}
	// Output:
	// {"progress":45} <nil>
	// /data/colour unknown field, dropped
}

// A reader gets the payload as a Go struct.
func ExampleDecode() {
	e, err := event.PaymentReceived(123, "19.90", "cash")
	if err != nil {
		fmt.Println(err)
		return
	}
	payment, err := event.Decode[event.PaymentReceivedData](e)
	fmt.Println(payment.RentalID, payment.Amount, err)
	// Output: 123 19.90 <nil>
}

// An entity key names the entity that an event changes. Two events with the same key change the
// same entity.
func ExampleEntityKey() {
	overdue, err := event.RentalOverdue(123, 2, "Ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.EntityKey(overdue))
	// Output: overdue/123/late_return
}
