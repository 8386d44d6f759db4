package projection

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/snd-rental/yardline/shared/event"
)

// A Figure is the value of one figure of the dashboard. It is a count, or amounts when
// Money is set, or the progress of a job when State is set.
type Figure struct {
	// Count is a number of things, or a percentage in whole per cent.
	Count int
	// Money has the amount of each currency.
	Money map[string]event.Money
	// State is the status of a job, or "none" when there is no job.
	State string
	// Done and Total say how far the job is. Total is 100 when Done is in per cent.
	Done, Total int
}

// String returns the figure as plain text: "3", "EUR 1500, USD 7", or "running 45/100". It
// returns "0" for no amounts.
func (v Figure) String() string {
	switch {
	case v.State != "" && v.Total > 0:
		return fmt.Sprintf("%s %d/%d", v.State, v.Done, v.Total)
	case v.State != "":
		return v.State
	case len(v.Money) == 0:
		return strconv.Itoa(v.Count)
	}
	var parts []string
	for _, currency := range slices.Sorted(maps.Keys(v.Money)) {
		parts = append(parts, strings.TrimSpace(currency+" "+v.Money[currency].FormatIn(currency)))
	}
	return strings.Join(parts, ", ")
}

// jobJSON is the JSON of a job's progress.
type jobJSON struct {
	State string `json:"state"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// MarshalJSON writes a number, an object of numbers by currency, or an object with the
// state, done and total of a job.
func (v Figure) MarshalJSON() ([]byte, error) {
	switch {
	case v.State != "":
		return json.Marshal(jobJSON{v.State, v.Done, v.Total})
	case v.Money != nil:
		return json.Marshal(v.Money)
	}
	return json.Marshal(v.Count)
}

// UnmarshalJSON reads a figure that MarshalJSON wrote.
func (v *Figure) UnmarshalJSON(b []byte) error {
	*v = Figure{}
	if !strings.HasPrefix(string(b), "{") {
		return json.Unmarshal(b, &v.Count)
	}
	var j jobJSON // no currency is called "state"
	if json.Unmarshal(b, &j) == nil && j.State != "" {
		v.State, v.Done, v.Total = j.State, j.Done, j.Total
		return nil
	}
	return json.Unmarshal(b, &v.Money)
}
