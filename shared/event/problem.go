package event

import "strings"

// The codes of a [FieldError].
const (
	// CodeRequired means that the field is missing.
	CodeRequired = "required"
	// CodeType means that the value has the wrong JSON type.
	CodeType = "type"
	// CodeEnum means that the value is none of those that are allowed.
	CodeEnum = "enum"
	// CodeFormat means that the text does not have the field's format.
	CodeFormat = "format"
	// CodeLimit means that the value is too small, too large, too short, too long, or a
	// time too far ahead.
	CodeLimit = "limit"
	// CodeRule means that the fields contradict each other.
	CodeRule = "rule"
	// CodeSize means that the event has too many bytes, or that the request has no event,
	// too many events or too many bytes.
	CodeSize = "size"
	// CodeDepth means that objects or arrays nest too deep.
	CodeDepth = "depth"
	// CodeDuplicate means that a key comes twice in an object.
	CodeDuplicate = "duplicate"
	// CodeUTF8 means that the text is not UTF-8.
	CodeUTF8 = "utf8"
	// CodeJSON means that the text is not JSON of the expected form.
	CodeJSON = "json"
	// CodeUnknownField means that the type has no such field.
	CodeUnknownField = "unknown_field"
	// CodeUnknownType means that there is no such type of event.
	CodeUnknownType = "unknown_type"
	// CodeConflict means that the entity has changed after the cursor of the request.
	CodeConflict = "conflict"
	// CodeUnknownName means that a parameter, or a name in it, is not known.
	CodeUnknownName = "unknown_name"
)

// A FieldError names one refused field and describes the values that it accepts.
type FieldError struct {
	// Pointer is a JSON pointer (RFC 6901) from the event's root. "" is the whole event.
	Pointer string `json:"pointer"`
	// Code says which rule the field breaks, such as CodeRequired. It is stable.
	Code string `json:"code"`
	// Expected describes the values that are accepted, for people.
	Expected string `json:"expected"`
}

// A Problem is the refusal of an event. It has at least one FieldError. It is the only
// error type of [Parse], [New] and the constructors.
type Problem struct {
	// Fields are the refused fields, each with the values that it accepts.
	Fields []FieldError
}

// Refuse returns a Problem with one FieldError.
func Refuse(pointer, code, expected string) *Problem {
	return &Problem{[]FieldError{{pointer, code, expected}}}
}

// Error returns one line that names each refused field and the values that it accepts.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString("event refused")
	for i, f := range p.Fields {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		if f.Pointer != "" {
			b.WriteString(f.Pointer + ": ")
		}
		b.WriteString("expected " + f.Expected)
	}
	return b.String()
}

// add appends a refused field.
func (p *Problem) add(pointer, code, expected string) {
	p.Fields = append(p.Fields, FieldError{pointer, code, expected})
}

// err returns p as an error, or nil when p has no refused field.
func (p *Problem) err() error {
	if len(p.Fields) == 0 {
		return nil
	}
	return p
}
