package event

import "strings"

// A FieldError names one field that was refused, and says what was expected there.
type FieldError struct {
	// Pointer is a JSON pointer (RFC 6901) from the event's root. "" is the whole event.
	Pointer string `json:"pointer"`
	// Code says which rule the field breaks, such as "required" or "limit". It is stable.
	Code string `json:"code"`
	// Expected describes the values that are accepted, for people.
	Expected string `json:"expected"`
}

// A Problem is the refusal of an event. It has at least one FieldError. It is the only
// error type of [Parse], [New] and the constructors.
type Problem struct {
	Fields []FieldError
}

// Refuse returns a Problem with one FieldError.
func Refuse(pointer, code, expected string) *Problem {
	return &Problem{[]FieldError{{pointer, code, expected}}}
}

// Error returns one line that names each refused field and what was expected there.
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
