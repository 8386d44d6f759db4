package event

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxEventBytes is the size of an event with its envelope, in bytes.
const MaxEventBytes = MaxDataBytes + 4<<10

// The limits of the envelope, in characters.
const (
	maxIDLen     = 128
	maxSourceLen = 256
)

// DefaultSource is the source of an event whose publisher names none.
const DefaultSource = "/yardline"

// Rules are the rules that a broker adds to those of the vocabulary. The zero value adds
// none.
type Rules struct {
	// Strict refuses what Parse would otherwise change and report as a [FieldWarning],
	// and requires the fields that the vocabulary marks as strict.
	Strict bool
	// Currency is the currency of amounts whose event names none, such as EUR. ""
	// disables the check of their decimals.
	Currency string
	// Now is the time of the broker's clock. Times of past events may be at most
	// [MaxAhead] after it. The zero time accepts any time.
	Now time.Time
}

// Parse reads one event from outside: a CloudEvent 1.0 in JSON format, or the short form
// {"type":…,"data":{…}}. The text may begin with a byte order mark.
//
// The event that Parse returns is valid and canonical. Its ID and Time are zero when the
// publisher named none. Its Actor and Cursor are always empty, because only the broker
// sets them. The warnings say what Parse dropped or changed; see [Rules].
//
// The error is a [*Problem].
func Parse(raw []byte, rules Rules) (Event, []FieldWarning, error) {
	if len(raw) > MaxEventBytes {
		return Event{}, nil, Refuse("", CodeSize, fmt.Sprintf("an event of at most %d bytes", MaxEventBytes))
	}
	in, err := ParseEnvelope(raw)
	if err != nil {
		return Event{}, nil, err
	}
	p := parser{rules: rules}
	e := p.envelope(in)
	if len(p.problem.Fields) > 0 {
		return Event{}, nil, p.problem.err()
	}
	if !in.Has("data") {
		return Event{}, nil, Refuse("/data", CodeRequired, "a JSON object")
	}
	data, err := readFields(in.Get("data"))
	if err != nil {
		return Event{}, nil, Refuse("/data", CodeType, "a JSON object")
	}
	return p.complete(e, data)
}

// ParseEnvelope reads the attributes of an event, data included, without validating
// their values. The text may begin with a byte order mark. The error is a [*Problem].
func ParseEnvelope(raw []byte) (Object, error) {
	text, err := TrimByteOrderMark(raw)
	if err != nil {
		return nil, Refuse("", CodeUTF8, "text in UTF-8, not in UTF-16")
	}
	return parseObject(text, "", MaxDepth+1)
}

// New returns an event of the type with the payload: a payload struct, a map, an
// [Object], or anything else that marshals to a JSON object. It validates the payload
// as Parse does with zero [Rules], and refuses unknown fields too. The error is a
// [*Problem].
func New(t Type, data any) (Event, error) {
	raw, err := marshal(data)
	if err != nil {
		return Event{}, Refuse("/data", CodeType, "a value that JSON can hold")
	}
	if !t.Known() {
		return Event{}, refuseType()
	}
	in, err := ParseObject(raw, "/data")
	if err != nil {
		return Event{}, err
	}
	p := parser{}
	e, warnings, err := p.complete(Event{Type: t, Source: DefaultSource}, in)
	if err != nil {
		return Event{}, err
	}
	if len(warnings) > 0 {
		return Event{}, Refuse(warnings[0].Pointer, CodeUnknownField, "only the fields of "+string(t))
	}
	return e, nil
}

// A parser collects the warnings and the refusals of one event.
type parser struct {
	rules    Rules
	warnings []FieldWarning
	problem  Problem
}

// refuseIfStrict refuses a field in strict mode. Otherwise it warns of the change that
// Parse made.
func (p *parser) refuseIfStrict(pointer, code, expected, change string) {
	if p.rules.Strict {
		p.problem.add(pointer, code, expected)
		return
	}
	p.warnings = append(p.warnings, FieldWarning{pointer, change})
}

// envelope reads the attributes of CloudEvents and the extensions of the vocabulary.
func (p *parser) envelope(in Object) Event {
	e := Event{Source: DefaultSource}
	for _, f := range in {
		text, isText := rawString(f.Raw)
		if string(f.Raw) == "null" && f.Name != "data" {
			continue // in CloudEvents, null means that the attribute is absent
		}
		if !isText && f.Name != "data" && isTextAttribute[f.Name] {
			p.problem.add("/"+EscapePointer(f.Name), CodeType, "a string")
			continue
		}
		p.readAttribute(&e, f.Name, text)
	}
	if e.Type == "" && !in.Has("type") {
		p.problem.add("/type", CodeRequired, refuseType().Fields[0].Expected)
	} else if !e.Type.Known() {
		p.problem.Fields = append(p.problem.Fields, refuseType().Fields...)
	}
	return e
}

// readAttribute reads one attribute of the envelope into e. text is its value, or "" for a
// value that is not a string.
func (p *parser) readAttribute(e *Event, name, text string) {
	pointer := "/" + EscapePointer(name)
	switch name {
	case "specversion":
		if text != "1.0" {
			p.problem.add(pointer, CodeEnum, "1.0, the version of CloudEvents")
		}
	case "id":
		e.ID = p.checkIdentifier(pointer, text, maxIDLen)
	case "type":
		e.Type = Type(text)
	case "source":
		e.Source = p.checkIdentifier(pointer, text, maxSourceLen)
		if _, err := url.Parse(text); err != nil || strings.ContainsAny(text, " \t\r\n<>\"{}|\\^`") {
			p.problem.add(pointer, CodeFormat, "a URI reference, such as /erp/rentals")
		}
	case "subject":
		e.Subject = text // complete compares it with the subject that follows from the data
	case "time":
		at, err := parseTime(text)
		if err != nil {
			p.problem.add(pointer, CodeFormat, "a date and time by RFC 3339, such as 2026-11-23T14:32:00Z")
		} else if p.rules.isTooFarAhead(at) {
			p.problem.add(pointer, CodeLimit, p.rules.describeAheadLimit())
		}
		e.Time = at
	case "severity":
		if e.Severity = Severity(text); e.Severity.Rank() < 0 {
			p.problem.add(pointer, CodeEnum, "one of info, success, warning, error")
		}
	case "datacontenttype":
		if media, _, _ := strings.Cut(text, ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
			p.problem.add(pointer, CodeEnum, "application/json")
		}
	case "data", "module", "dataschema":
	case "actor", "cursor":
		p.warnings = append(p.warnings, FieldWarning{pointer, "set by the broker, dropped"})
	default:
		p.refuseIfStrict(pointer, CodeUnknownField,
			"only the attributes of the envelope", "unknown attribute, dropped")
	}
}

// isTextAttribute has the attributes that must be strings.
var isTextAttribute = map[string]bool{
	"specversion": true, "id": true, "type": true, "source": true, "subject": true, "time": true,
	"severity": true, "datacontenttype": true, "dataschema": true, "module": true,
}

// checkIdentifier checks a text that identifies an event, and returns it. The text must
// have 1 to most characters, none of them a control character.
func (p *parser) checkIdentifier(pointer, s string, most int) string {
	if s == "" || utf8.RuneCountInString(s) > most {
		p.problem.add(pointer, CodeLimit, fmt.Sprintf("a string of 1 to %d characters", most))
	} else if !isID(s) {
		p.problem.add(pointer, CodeFormat, "a string without control characters")
	}
	return s
}

// complete validates the payload, and fills in the subject and the severity that follow
// from it.
func (p *parser) complete(e Event, data Object) (Event, []FieldWarning, error) {
	if size := len(data.AppendJSON(nil)); size > MaxDataBytes {
		return Event{}, nil, Refuse("/data", CodeSize, fmt.Sprintf("data of at most %d bytes", MaxDataBytes))
	}
	canonical, warnings, err := checkData(e.Type, data, p.rules)
	if err != nil {
		return Event{}, nil, err
	}
	p.warnings = append(p.warnings, warnings...)
	e.Data = canonical
	derived := subjectOf(e.Type, canonical)
	if e.Subject != "" && e.Subject != derived {
		p.refuseIfStrict("/subject", CodeRule,
			"the subject that follows from the data: "+derived, "replaced by "+derived)
		if err := p.problem.err(); err != nil {
			return Event{}, nil, err
		}
	}
	e.Subject = derived
	if e.Severity == "" {
		e.Severity = severityOf(e.Type, canonical)
	}
	return e, p.warnings, nil
}

// refuseType returns the refusal of an unknown type.
func refuseType() *Problem {
	names := make([]string, len(Types))
	for i, t := range Types {
		names[i] = string(t)
	}
	return Refuse("/type", CodeUnknownType, "one of "+strings.Join(names, ", "))
}

// Stamp returns e with the id and the time filled in when the publisher named none. The
// caller passes a fresh id and the time of its clock.
func (e Event) Stamp(id string, now time.Time) Event {
	if e.ID == "" {
		e.ID = id
	}
	if e.Time.IsZero() {
		e.Time = StampTime(now)
	}
	return e
}
