package filter

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/snd-rental/yardline/shared/event"
)

// parse reads the filter of a query.
func parse(t *testing.T, query string) Filter {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(q)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMatchNeedsEveryPartOfTheFilter(t *testing.T) {
	rental, sync := event.Example(event.TypeRentalStatusUpdated), event.Example(event.TypeSyncProgress)
	for query, want := range map[string][2]bool{
		"":                            {true, true},
		"types=rental_status_updated": {true, false},
		"types=sync_progress&types=payment_received":  {false, true},
		"modules=rental,customer":                     {true, true},
		"modules=system":                              {false, false},
		"severity=success":                            {true, false},
		"severity=info":                               {true, true},
		"severity=error":                              {false, false},
		"subjects=rental/123":                         {true, false},
		"subjects=rental/12":                          {false, false},
		"subjects=rental/*, sync/sync-42":             {true, true},
		"types=rental_status_updated&subjects=sync/*": {false, false},
		"after=x&other=y":                             {true, true},
	} {
		f := parse(t, query)
		if got := [2]bool{f.Match(rental), f.Match(sync)}; got != want {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func TestEqualFiltersHaveEqualKeys(t *testing.T) {
	all := make([]string, len(event.Types))
	for i, typ := range event.Types {
		all[i] = string(typ)
	}
	for _, pair := range [][2]string{
		{"types=sync_progress,payment_received", "types=payment_received&types=sync_progress,sync_progress"},
		{"types=" + strings.Join(all, ","), "severity=info"},
		{"subjects=sync/2,leave/1", "subjects=leave/1&subjects=sync/2&subjects=leave/1"},
	} {
		if a, b := parse(t, pair[0]).Key(), parse(t, pair[1]).Key(); a != b {
			t.Errorf("%q and %q differ", a, b)
		}
	}
}

func TestParseRefusesUnknownNames(t *testing.T) {
	for query, known := range map[string]string{
		"types=rental_status": "rental_status_updated", "modules=rentals": "customer", "severity=debug": "warning",
		"severity=info,error": "one of", "subjects=rental": "rental/*", "subjects=/1": "rental/*",
		"subjects=a/": "rental/*", "subjects=%2561%25zz": "rental/*",
		"subjects=rental/" + strings.Repeat("1", 512): "rental/*", "subjects=foo/1": "equipment",
		"subjects=equipment/a%250Ab": "rental/*", "subjects=equipment/a%00b": "rental/*",
	} {
		q, _ := url.ParseQuery(query)
		_, err := Parse(q)
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(refused.Expected, known) ||
			!strings.HasPrefix(query, refused.Parameter) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// FuzzParse checks that Parse reads back what Query writes.
func FuzzParse(f *testing.F) {
	f.Add("types=sync_progress&severity=error&subjects=equipment%2FA%252CB%2525,rental/*")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		first, err := Parse(q)
		if err != nil {
			return
		}
		again, err := Parse(first.Query())
		if err != nil || again.Key() != first.Key() {
			t.Fatalf("%q became %q (%v)", first.Key(), again.Key(), err)
		}
	})
}
