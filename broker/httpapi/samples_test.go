package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// A sample is a stored event with every field filled.
type sample struct {
	event.Event
	markers map[string]string // by field: a text that occurs nowhere else
}

// A sampleMaker fills events by the declarations of their fields.
type sampleMaker struct {
	*testing.T
	n int
}

// value returns a valid value of a field, and its marker if it differs from all other
// values.
func (s *sampleMaker) value(f event.FieldSpec) (value any, marker string) {
	s.n++
	unique := 9_012_000_000 + s.n
	number := fmt.Sprint(unique)
	switch f.Kind {
	case event.KindBool:
		return true, ""
	case event.KindInt:
		if f.Max != nil {
			return int(*f.Max) - 1, ""
		}
		return unique, number
	case event.KindNumber:
		if f.Step != 0 {
			return f.Step, ""
		}
		return json.Number("7." + number), number
	case event.KindMoney:
		return json.Number(number + ".37"), number
	case event.KindTime:
		past := time.Unix(int64(unique)-8_000_000_000, 0).UTC()
		return past, past.Format(time.RFC3339)[:19]
	case event.KindIntList:
		return []int{unique}, number
	case event.KindTextList:
		return nil, ""
	case event.KindRef:
		return "ref-" + number, number
	}
	if len(f.Enum) > 0 {
		return f.Enum[len(f.Enum)-1], ""
	}
	switch f.Format {
	case "date":
		return "2031-01-" + fmt.Sprintf("%02d", 1+s.n%28), ""
	case "month":
		return "2031-01", ""
	case "week":
		return "2031-W09", ""
	case "currency":
		return "CHF", ""
	case "phone":
		return "+" + number, number
	}
	return "/" + number, number // a path too
}

// make returns an event of a type. change replaces the values of fields; nil leaves a
// field out.
func (s *sampleMaker) make(t event.Type, change map[string]any) sample {
	s.Helper()
	data, markers := map[string]any{}, map[string]string{}
	for _, f := range event.Fields(t) {
		value, marker := s.value(f)
		if replaced, ok := change[f.Name]; ok {
			value, marker = replaced, ""
		}
		if value == nil {
			continue
		}
		data[f.Name] = value
		if marker != "" {
			markers[f.Name] = marker
		}
	}
	e, err := event.New(t, data)
	require.NoError(s, err)
	e.ID, e.Time = fmt.Sprintf("specimen-%d", s.n), time.Now()
	return sample{e, markers}
}

const (
	selfEmployee = 456
	starterUser  = 7
)

// all returns a sample of each case that the visibility table distinguishes.
func (s *sampleMaker) all() (all []sample) {
	for _, t := range event.Types {
		rule := access.Table[t]
		change := map[string]any{}
		switch t {
		case event.TypeTimesheetUpdated:
			change["period"], change["hours_worked"], change["overtime_hours"] = nil, 7.25, 1.75
		case event.TypeLeaveRequestUpdated:
			change["start_date"], change["end_date"] = "2031-01-01", "2031-02-02"
		case event.TypeSystemNotification:
			all = append(all, s.make(t, map[string]any{"audience": []access.Role{access.HR}}),
				s.make(t, map[string]any{"audience": []access.Role{access.Yard, access.Manager}}))
		case event.TypePayrollProcessed: // a run
			all = append(all, s.make(t, map[string]any{"employee_id": nil, "amount": nil}))
		}
		all = append(all, s.make(t, change))
		with := func(name string, value int) {
			c := maps.Clone(change)
			c[name] = value
			all = append(all, s.make(t, c))
		}
		if rule.Employee != nil {
			with("employee_id", selfEmployee)
		}
		if rule.Starter != nil {
			with("started_by", starterUser)
		}
	}
	return all
}
