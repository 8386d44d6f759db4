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

// A Figure is one figure: a count, amounts by currency where Money is set, or
// how far a job is where State is set.
type Figure struct {
	Count int // of a percentage: whole per cent
	Money map[string]event.Money
	State string // of a job: a status of its type, or none
	Done  int    // of Total
	Total int    // 100 where Done is per cent
}

// String is the value as plain text: 3, or "EUR 1500" and further
// currencies, comma separated, or "running 45/100". No income is 0.
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

// job is a Figure of a job on the wire.
type job struct {
	State string `json:"state"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// MarshalJSON writes a number, an object of numbers by currency, or a job's
// state, done and total.
func (v Figure) MarshalJSON() ([]byte, error) {
	switch {
	case v.State != "":
		return json.Marshal(job{v.State, v.Done, v.Total})
	case v.Money != nil:
		return json.Marshal(v.Money)
	}
	return json.Marshal(v.Count)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Figure) UnmarshalJSON(b []byte) error {
	*v = Figure{}
	if !strings.HasPrefix(string(b), "{") {
		return json.Unmarshal(b, &v.Count)
	}
	var j job // no currency is called state
	if json.Unmarshal(b, &j) == nil && j.State != "" {
		v.State, v.Done, v.Total = j.State, j.Done, j.Total
		return nil
	}
	return json.Unmarshal(b, &v.Money)
}
