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

// A FieldWarning describes a change that Parse made to an event that it accepted.
type FieldWarning struct {
	// Pointer is a JSON pointer (RFC 6901) from the event's root to the changed field.
	Pointer string `json:"pointer"`
	// Message describes the change, for people.
	Message string `json:"message"`
}

// maxRefLen is the length of a [Ref], in characters.
const maxRefLen = 64

// checkData returns the canonical form of a payload: the known fields in declared order,
// without nulls, with times in UTC. It refuses unknown fields in strict mode, and drops
// them with a warning otherwise.
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
			problem.add(pointer, CodeUnknownField, "only the fields of "+string(t))
		} else {
			warnings = append(warnings, FieldWarning{pointer, "unknown field, dropped"})
		}
	}
	for _, spec := range specs[t] {
		raw := in.Get(spec.Name)
		if raw == nil || string(raw) == "null" {
			if spec.Required || rules.Strict && spec.Strict {
				problem.add("/data/"+spec.Name, CodeRequired, spec.Limits())
			}
			continue
		}
		canonical, ok := spec.check(raw)
		if !ok {
			problem.add("/data/"+spec.Name, spec.code(raw), spec.limitsFor(raw))
			continue
		}
		if spec.Past && rules.isTooFarAhead(timeOf(canonical)) {
			problem.add("/data/"+spec.Name, CodeLimit, rules.describeAheadLimit())
		}
		out = append(out, Field{spec.Name, canonical})
	}
	rules.checkMoney(t, in, out, &problem)
	if len(problem.Fields) == 0 {
		checkRules(t, out, &problem)
	}
	return out, warnings, problem.err()
}

// checkMoney refuses amounts with more decimals than their currency has. in is the payload
// of the publisher, and out has its valid fields.
func (r Rules) checkMoney(t Type, in, out Object, problem *Problem) {
	currency := r.Currency
	if raw := in.Get("currency"); raw != nil && string(raw) != "null" {
		currency = out.Text("currency") // "" when it was refused
	}
	if currency == "" {
		return
	}
	most := Decimals(currency)
	for _, spec := range specs[t] {
		if spec.Kind != KindMoney {
			continue
		}
		if m, ok := out.Money(spec.Name); ok && m.Decimals() > most {
			problem.add("/data/"+spec.Name, CodeLimit, fmt.Sprintf("a number with at most %s, as amounts in %s have%s",
				decimalsInWords[most], currency, spec.bounds()))
		}
	}
}

// decimalsInWords has the words for each number of decimals that a currency may have.
var decimalsInWords = []string{"no decimals", "1 decimal", "2 decimals", "3 decimals"}

// check validates one value and returns it in canonical form. ok is false for an
// invalid value.
func (s FieldSpec) check(raw json.RawMessage) (canonical json.RawMessage, ok bool) {
	switch s.Kind {
	case KindBool:
		return raw, string(raw) == "true" || string(raw) == "false"
	case KindString:
		text, ok := rawString(raw)
		return appendString(nil, text), ok && s.checkText(text) // appendString replaces a lone surrogate
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
		return false // an empty audience would reach no reader, but without the field all readers get the event
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

// code returns the code of an invalid value: "type" for a value of the wrong kind, else
// the rule that it breaks.
func (s FieldSpec) code(raw json.RawMessage) string {
	text, isText := rawString(raw)
	switch s.Kind {
	case KindString, KindTime:
		if !isText {
			return CodeType
		}
	case KindInt, KindNumber, KindMoney:
		if !isNumber(raw) {
			return CodeType
		}
	case KindBool:
		return CodeType
	}
	if len(s.Enum) > 0 {
		return CodeEnum
	}
	if s.Format == formatLine && !hasControl(text) {
		return CodeLimit
	}
	if s.Format != "" || s.Kind == KindTime {
		return CodeFormat
	}
	return CodeLimit
}

// limitsFor describes the values that the field accepts in place of raw. It names the
// largest amount only when raw exceeds it, because users of a form need not read that
// number otherwise.
func (s FieldSpec) limitsFor(raw json.RawMessage) string {
	n, err := strconv.ParseFloat(string(raw), 64)
	if s.Kind == KindMoney && (err != nil && isNumber(raw) || n > MaxMoney.Units()) {
		return s.Limits() + ", at most " + MaxMoney.String()
	}
	return s.Limits()
}

// Limits describes, for people, the values that the field accepts.
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

// bounds describes the limits of a number, each after a comma. It is "" without limits.
func (s FieldSpec) bounds() string {
	var b strings.Builder
	add := func(word string, n *float64) {
		if n != nil {
			fmt.Fprintf(&b, ", %s %v", word, *n)
		}
	}
	add("at least", s.Min)
	add("at most", s.Max)
	add("more than", s.ExclusiveMin)
	add("less than", s.ExclusiveMax)
	if s.Step != 0 {
		add("in steps of", &s.Step)
	}
	return b.String()
}

// canonicalNumber returns the form of a number that texts show: 100 for 1e2 and 100.0,
// 0 for -0. It leaves very large and very small numbers as they are.
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
