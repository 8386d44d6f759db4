package event

import "strings"

// A FieldError names one field that was refused, by JSON pointer (RFC 6901)
// from the event's root, and says what was expected there.
type FieldError struct {
	Pointer  string `json:"pointer"`
	Code     string `json:"code"`
	Expected string `json:"expected"`
}

// A Problem is why an event was refused: at least one FieldError. It is the
// only error type of Parse and New.
type Problem struct {
	Fields []FieldError
}

// Refuse makes a Problem of one field.
func Refuse(pointer, code, expected string) *Problem {
	return &Problem{[]FieldError{{pointer, code, expected}}}
}

// Error lists the fields in one sentence each.
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

// add collects one more refusal.
func (p *Problem) add(pointer, code, expected string) {
	p.Fields = append(p.Fields, FieldError{pointer, code, expected})
}

// err is p as an error, nil where nothing was refused.
func (p *Problem) err() error {
	if len(p.Fields) == 0 {
		return nil
	}
	return p
}
