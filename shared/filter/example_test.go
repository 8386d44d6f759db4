package filter_test

import (
	"fmt"
	"net/url"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
)

func Example() {
	query, err := url.ParseQuery("types=rental_status_updated,rental_overdue&subjects=rental/123")
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := filter.Parse(query)
	if err != nil {
		fmt.Println(err)
		return
	}
	mine, err := event.RentalStatusUpdated(123, "active", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	other, err := event.RentalStatusUpdated(124, "active", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Match(mine), f.Match(other))
	// Output: true false
}

// Parse refuses a name that it does not know, because it would match nothing.
func ExampleParse() {
	_, err := filter.Parse(url.Values{"severity": {"debug"}})
	fmt.Println(err)
	// Output: severity: expected some of info,success,warning,error
}

// Filters that pass the same events have equal keys.
func ExampleFilter_Key() {
	a, _ := filter.Parse(url.Values{"types": {"sync_progress,payment_received"}})
	b, _ := filter.Parse(url.Values{"types": {"payment_received", "sync_progress", "sync_progress"}})
	fmt.Println(a.Key() == b.Key(), a.Key())
	// Output: true types=payment_received%2Csync_progress
}
