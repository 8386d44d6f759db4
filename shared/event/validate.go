package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A FieldWarning says what lenient mode changed in an event that it accepted.
type FieldWarning struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

const maxRefLen = 64

// checkData brings a payload into its canonical form: known fields in
// declared order, nulls dropped, times in UTC. Unknown fields are refused in
// strict mode and dropped with a warning otherwise.
func checkData(t Type, in Object, rules Rules) (Object, []FieldWarning, error) {
	var (
		out      Object
		warnings []FieldWarning
		problem  Problem
	)
	for _, f := range in {
		if _, known := Spec(t, f.Name); known {
			continue
		}
		pointer := "/data/" + EscapePointer(f.Name)
		if rules.Strict {
			problem.add(pointer, "unknown_field", "only the fields of "+string(t))
		} else {
			warnings = append(warnings, FieldWarning{pointer, "unknown field, dropped"})
		}
	}
	for _, spec := range specs[t] {
		raw := in.Get(spec.Name)
		if raw == nil || string(raw) == "null" {
			if spec.Required || rules.Strict && spec.Strict {
				problem.add("/data/"+spec.Name, "required", spec.Limits())
			}
			continue
		}
		canonical, ok := spec.check(raw)
		if !ok {
			problem.add("/data/"+spec.Name, spec.code(raw), spec.limitsFor(raw))
			continue
		}
		if spec.Past && rules.ahead(timeOf(canonical)) {
			problem.add("/data/"+spec.Name, "limit", rules.noLater())
		}
		out = append(out, Field{spec.Name, canonical})
	}
	rules.checkMoney(t, in, out, &problem)
	if len(problem.Fields) == 0 {
		checkRules(t, out, &problem)
	}
	return out, warnings, problem.err()
}

// check validates one value and returns it in canonical form.
func (s FieldSpec) check(raw json.RawMessage) (json.RawMessage, bool) {
	switch s.Kind {
	case KindBool:
		return raw, string(raw) == "true" || string(raw) == "false"
	case KindString:
		text, ok := rawString(raw)
		return appendString(nil, text), ok && s.checkText(text) // a lone surrogate is replaced
	case KindRef:
		if text, ok := rawString(raw); ok {
			return appendString(nil, text), text != "" && utf8.RuneCountInString(text) <= maxRefLen && isID(text)
		}
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return raw, err == nil && n >= 1
	case KindInt:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return raw, err == nil && s.inRange(float64(n))
	case KindNumber:
		n, err := strconv.ParseFloat(string(raw), 64)
		return canonicalNumber(raw, n), isNumber(raw) && err == nil && s.inRange(n)
	case KindMoney:
		m, err := ParseMoney(string(raw))
		return json.RawMessage(m.String()), err == nil && s.inRange(m.Units())
	case KindTime:
		text, ok := rawString(raw)
		at, err := parseTime(text)
		return appendString(nil, at.Format(time.RFC3339Nano)), ok && err == nil
	case KindIntList, KindTextList:
		return raw, s.checkList(raw)
	}
	return nil, false
}

func (s FieldSpec) checkList(raw json.RawMessage) bool {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) > s.MaxItems {
		return false
	}
	if s.Kind == KindTextList && len(items) == 0 {
		return false // for nobody: to mean everybody, leave it out
	}
	for _, item := range items {
		if s.Kind == KindIntList {
			if n, err := strconv.ParseInt(string(item), 10, 64); err != nil || n < 1 {
				return false
			}
		} else if text, ok := rawString(item); !ok || !slices.Contains(s.Enum, text) {
			return false
		}
	}
	return true
}

func (s FieldSpec) checkText(text string) bool {
	if len(s.Enum) > 0 {
		return slices.Contains(s.Enum, text)
	}
	if s.MaxLen > 0 && utf8.RuneCountInString(text) > s.MaxLen {
		return false
	}
	if (s.Required || s.Strict) && strings.TrimSpace(text) == "" {
		return false
	}
	format, found := formats[s.Format]
	return !found || format.valid(text)
}

func (s FieldSpec) inRange(n float64) bool {
	if s.Min != nil && n < *s.Min || s.Max != nil && n > *s.Max {
		return false
	}
	if s.ExclusiveMin != nil && n <= *s.ExclusiveMin || s.ExclusiveMax != nil && n >= *s.ExclusiveMax {
		return false
	}
	return s.Step == 0 || math.Mod(n, s.Step) == 0
}

// code tells a wrong form from a wrong value.
func (s FieldSpec) code(raw json.RawMessage) string {
	text, isText := rawString(raw)
	switch s.Kind {
	case KindString, KindTime:
		if !isText {
			return "type"
		}
	case KindInt, KindNumber, KindMoney:
		if !isNumber(raw) {
			return "type"
		}
	case KindBool:
		return "type"
	}
	if len(s.Enum) > 0 {
		return "enum"
	}
	if s.Format == formatLine && !hasControl(text) {
		return "limit"
	}
	if s.Format != "" || s.Kind == KindTime {
		return "format"
	}
	return "limit"
}

// limitsFor describes the values that are accepted in place of one that is not. It names the largest amount
// only where a number exceeds it, because it means nothing to the people who fill in forms.
func (s FieldSpec) limitsFor(raw json.RawMessage) string {
	n, err := strconv.ParseFloat(string(raw), 64)
	if s.Kind == KindMoney && (err != nil && isNumber(raw) || n > MaxMoney.Units()) {
		return s.Limits() + ", at most " + MaxMoney.String()
	}
	return s.Limits()
}

// Limits describes the values that are accepted, for people.
func (s FieldSpec) Limits() string {
	if len(s.Enum) > 0 {
		values := "one of " + strings.Join(s.Enum, ", ")
		if s.Kind == KindTextList {
			return fmt.Sprintf("a list of 1 to %d, each %s", s.MaxItems, values)
		}
		return values
	}
	if f, found := formats[s.Format]; found && s.Format != formatLine {
		if s.MaxLen > 0 {
			return fmt.Sprintf("%s, at most %d characters", f.expected, s.MaxLen)
		}
		return f.expected
	}
	switch s.Kind {
	case KindInt:
		return "an integer" + s.bounds()
	case KindNumber:
		return "a number" + s.bounds()
	case KindMoney:
		return "a number with at most the decimals of its currency" + s.bounds()
	case KindTime:
		if s.Past {
			return fmt.Sprintf("a date and time by RFC 3339, such as 2026-11-23T14:32:00Z, at most %d minutes ahead "+
				"of the broker's clock", maxAheadMinutes)
		}
		return "a date and time by RFC 3339, such as 2026-11-23T14:32:00Z"
	case KindIntList:
		return fmt.Sprintf("a list of at most %d positive integers", s.MaxItems)
	case KindRef:
		return fmt.Sprintf("a positive integer or a string of 1 to %d characters without control characters", maxRefLen)
	case KindBool:
		return "true or false"
	}
	without := ""
	if s.Format == formatLine {
		without = " without control characters"
	}
	if s.Required || s.Strict {
		return fmt.Sprintf("a string of 1 to %d characters%s", s.MaxLen, without)
	}
	return fmt.Sprintf("a string of at most %d characters%s", s.MaxLen, without)
}

func (s FieldSpec) bounds() string {
	var b strings.Builder
	say := func(word string, n *float64) {
		if n != nil {
			fmt.Fprintf(&b, ", %s %v", word, *n)
		}
	}
	say("at least", s.Min)
	say("at most", s.Max)
	say("more than", s.ExclusiveMin)
	say("less than", s.ExclusiveMax)
	if s.Step != 0 {
		say("in steps of", &s.Step)
	}
	return b.String()
}

// rawString unquotes a JSON string; ok is false for any other value.
func rawString(raw json.RawMessage) (text string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// canonicalNumber is the plain form of a number, which texts show: 100, not 1e2
// or 100.0, and no negative zero. Very large and very small ones stay.
func canonicalNumber(raw json.RawMessage, n float64) json.RawMessage {
	if n == 0 {
		return json.RawMessage("0")
	}
	if abs := math.Abs(n); abs < 1e-6 || abs >= 1e21 {
		return raw
	}
	return strconv.AppendFloat(nil, n, 'f', -1, 64)
}

func isNumber(raw json.RawMessage) bool {
	return len(raw) > 0 && bytes.IndexByte([]byte("-0123456789"), raw[0]) >= 0
}
