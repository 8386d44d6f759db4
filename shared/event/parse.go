package event

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of an event as a whole.
const (
	MaxEventBytes = MaxDataBytes + 4<<10 // with its envelope
	maxIDLen      = 128
	maxSourceLen  = 256
)

// DefaultSource is the source of an event that names none.
const DefaultSource = "/yardline"

// Rules holds the rules that a broker adds to those of the vocabulary.
type Rules struct {
	// Strict makes every doubt a refusal.
	Strict bool
	// Currency is the currency of amounts whose event names none. "" disables the
	// check of their decimals.
	Currency string
	// Now is the time of the broker's clock. The zero time accepts any future time.
	Now time.Time
}

// Parse reads one event from outside: a CloudEvent 1.0 in JSON format or the
// short form {"type":…,"data":{…}}. What it returns is canonical; ID and Time
// are zero where the publisher gave none, and Actor and Cursor are always
// empty, since the broker alone sets them. In strict mode every doubt is a
// refusal; otherwise the warnings say what was dropped or changed. The error
// is a *Problem.
func Parse(raw []byte, rules Rules) (Event, []FieldWarning, error) {
	if len(raw) > MaxEventBytes {
		return Event{}, nil, Refuse("", "size", fmt.Sprintf("an event of at most %d bytes", MaxEventBytes))
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
		return Event{}, nil, Refuse("/data", "required", "a JSON object")
	}
	data, err := readFields(in.Get("data"))
	if err != nil {
		return Event{}, nil, Refuse("/data", "type", "a JSON object")
	}
	return p.complete(e, data)
}

// ParseEnvelope reads the attributes of an event without judging them, its
// data among them. The text may begin with a byte order mark. The error is a
// *Problem.
func ParseEnvelope(raw []byte) (Object, error) {
	text, err := TrimByteOrderMark(raw)
	if err != nil {
		return nil, Refuse("", "utf8", "text in UTF-8, not in UTF-16")
	}
	return parseObject(text, "", MaxDepth+1)
}

// New makes an event from a payload struct, a map or an Object, as strict as
// a lenient broker except that unknown fields are refused. The error is a
// *Problem.
func New(t Type, data any) (Event, error) {
	raw, err := marshal(data)
	if err != nil {
		return Event{}, Refuse("/data", "type", "a value that JSON can hold")
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
		return Event{}, Refuse(warnings[0].Pointer, "unknown_field", "only the fields of "+string(t))
	}
	return e, nil
}

// parser collects what one event's envelope gives rise to.
type parser struct {
	rules    Rules
	warnings []FieldWarning
	problem  Problem
}

// doubt is a refusal in strict mode and a warning otherwise.
func (p *parser) doubt(pointer, code, expected, done string) {
	if p.rules.Strict {
		p.problem.add(pointer, code, expected)
		return
	}
	p.warnings = append(p.warnings, FieldWarning{pointer, done})
}

// envelope reads the attributes of CloudEvents and of ours.
func (p *parser) envelope(in Object) Event {
	e := Event{Source: DefaultSource}
	var subject string
	for _, f := range in {
		pointer := "/" + EscapePointer(f.Name)
		text, isText := rawString(f.Raw)
		if string(f.Raw) == "null" && f.Name != "data" {
			continue // CloudEvents: null is the same as absent
		}
		if !isText && f.Name != "data" && envelopeText[f.Name] {
			p.problem.add(pointer, "type", "a string")
			continue
		}
		switch f.Name {
		case "specversion":
			if text != "1.0" {
				p.problem.add(pointer, "enum", "1.0, the version of CloudEvents")
			}
		case "id":
			e.ID = p.text(pointer, text, maxIDLen)
		case "type":
			e.Type = Type(text)
		case "source":
			e.Source = p.text(pointer, text, maxSourceLen)
			if _, err := url.Parse(text); err != nil || strings.ContainsAny(text, " \t\r\n<>\"{}|\\^`") {
				p.problem.add(pointer, "format", "a URI reference, such as /erp/rentals")
			}
		case "subject":
			subject = text
		case "time":
			at, err := parseTime(text)
			if err != nil {
				p.problem.add(pointer, "format", "a date and time by RFC 3339, such as 2026-11-23T14:32:00Z")
			} else if p.rules.ahead(at) {
				p.problem.add(pointer, "limit", p.rules.noLater())
			}
			e.Time = at
		case "severity":
			if e.Severity = Severity(text); e.Severity.Rank() < 0 {
				p.problem.add(pointer, "enum", "one of info, success, warning, error")
			}
		case "datacontenttype":
			if media, _, _ := strings.Cut(text, ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
				p.problem.add(pointer, "enum", "application/json")
			}
		case "data", "module", "dataschema":
		case "actor", "cursor":
			p.warnings = append(p.warnings, FieldWarning{pointer, "set by the broker, dropped"})
		default:
			p.doubt(pointer, "unknown_field", "only the attributes of the envelope", "unknown attribute, dropped")
		}
	}
	if e.Type == "" && !in.Has("type") {
		p.problem.add("/type", "required", refuseType().Fields[0].Expected)
	} else if !e.Type.Known() {
		p.problem.Fields = append(p.problem.Fields, refuseType().Fields...)
	}
	e.Subject = subject // compared with the derived one in complete
	return e
}

// envelopeText names the attributes that must be strings.
var envelopeText = map[string]bool{
	"specversion": true, "id": true, "type": true, "source": true, "subject": true, "time": true,
	"severity": true, "datacontenttype": true, "dataschema": true, "module": true,
}

func (p *parser) text(pointer, s string, most int) string {
	if s == "" || utf8.RuneCountInString(s) > most {
		p.problem.add(pointer, "limit", fmt.Sprintf("a string of 1 to %d characters", most))
	} else if !isID(s) {
		p.problem.add(pointer, "format", "a string without control characters")
	}
	return s
}

// complete validates the payload and derives what follows from it.
func (p *parser) complete(e Event, data Object) (Event, []FieldWarning, error) {
	if size := len(data.AppendJSON(nil)); size > MaxDataBytes {
		return Event{}, nil, Refuse("/data", "size", fmt.Sprintf("data of at most %d bytes", MaxDataBytes))
	}
	canonical, warnings, err := checkData(e.Type, data, p.rules)
	if err != nil {
		return Event{}, nil, err
	}
	p.warnings = append(p.warnings, warnings...)
	e.Data = canonical
	derived := subjectOf(e.Type, canonical)
	if e.Subject != "" && e.Subject != derived {
		p.doubt("/subject", "rule", "the subject that follows from the data: "+derived, "replaced by "+derived)
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

func refuseType() *Problem {
	names := make([]string, len(Types))
	for i, t := range Types {
		names[i] = string(t)
	}
	return Refuse("/type", "unknown_type", "one of "+strings.Join(names, ", "))
}

// Stamp fills in what a publisher may leave out. The caller gives a fresh id
// and its clock.
func (e Event) Stamp(id string, now time.Time) Event {
	if e.ID == "" {
		e.ID = id
	}
	if e.Time.IsZero() {
		e.Time = StampTime(now)
	}
	return e
}
