package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a payload.
const (
	MaxDataBytes = 16 << 10
	MaxDepth     = 8
)

// A Field of an Object: a name and its value as compact JSON.
type Field struct {
	Name string
	Raw  json.RawMessage
}

// An Object is a JSON object that keeps the order of its fields. Its values
// are compact JSON and are never changed in place.
type Object []Field

// Get returns the raw value of a field, or nil where it is absent.
func (o Object) Get(name string) json.RawMessage {
	for i := range o {
		if o[i].Name == name {
			return o[i].Raw
		}
	}
	return nil
}

// Has tells whether the field is there.
func (o Object) Has(name string) bool { return o.Get(name) != nil }

// Text returns a field for display or as part of a key: a string without its
// quotes, any other value as its JSON text, "" where it is absent.
func (o Object) Text(name string) string {
	raw := o.Get(name)
	if len(raw) > 0 && raw[0] == '"' {
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return s
		}
	}
	return string(raw)
}

// Int returns a field as an integer, 0 where it is absent or no integer.
func (o Object) Int(name string) int64 {
	n, _ := strconv.ParseInt(string(o.Get(name)), 10, 64)
	return n
}

// Number returns a field as a float, 0 where it is absent or no number.
func (o Object) Number(name string) float64 {
	n, _ := strconv.ParseFloat(string(o.Get(name)), 64)
	return n
}

// Bool returns a field as a boolean, false where it is absent.
func (o Object) Bool(name string) bool { return string(o.Get(name)) == "true" }

// Money returns a field as an amount; ok is false where it is absent.
func (o Object) Money(name string) (m Money, ok bool) {
	raw := o.Get(name)
	if raw == nil {
		return 0, false
	}
	m, err := ParseMoney(string(raw))
	return m, err == nil
}

// With returns a copy of o in which the field has the value. An existing
// field keeps its place, a new one comes last.
func (o Object) With(name string, raw json.RawMessage) Object {
	out := make(Object, len(o), len(o)+1)
	copy(out, o)
	for i := range out {
		if out[i].Name == name {
			out[i].Raw = raw
			return out
		}
	}
	return append(out, Field{name, raw})
}

// AppendJSON appends the object as compact JSON.
func (o Object) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, f.Name)
		b = append(b, ':')
		b = append(b, f.Raw...)
	}
	return append(b, '}')
}

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil), nil }

// UnmarshalJSON implements json.Unmarshaler for text that is already valid;
// see ParseObject for input from outside.
func (o *Object) UnmarshalJSON(b []byte) error {
	fields, err := readFields(b)
	*o = fields
	return err
}

// ParseObject reads a JSON object from outside: valid UTF-8, nothing after
// it, no key twice at any depth, nested at most MaxDepth deep. The error is a
// Problem whose pointer starts with at.
func ParseObject(raw []byte, at string) (Object, error) { return parseObject(raw, at, MaxDepth) }

func parseObject(raw []byte, at string, depth int) (Object, error) {
	if !utf8.Valid(raw) {
		return nil, Refuse(at, "utf8", "text in valid UTF-8")
	}
	if err := checkTokens(raw, at, depth); err != nil {
		return nil, err
	}
	fields, err := readFields(raw)
	if err != nil {
		return nil, Refuse(at, "json", "a JSON object")
	}
	return fields, nil
}

// readFields splits a JSON object into its fields and compacts the values.
func readFields(raw []byte) (Object, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil {
		return nil, err
	} else if t == nil {
		return nil, nil // JSON null
	} else if t != json.Delim('{') {
		return nil, errors.New("event: not a JSON object")
	}
	fields := Object{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return nil, err
		}
		fields = append(fields, Field{t.(string), compact.Bytes()})
	}
	return fields, nil
}

// level is one open array or object while checkTokens walks.
type level struct {
	pointer string
	keys    map[string]bool // nil in an array
	current string          // the key whose value comes next
	index   int             // of the next value in an array
	wantKey bool
}

// checkTokens walks raw once and refuses bad JSON, repeated keys, too deep
// nesting and anything after the value. Only objects pass.
func checkTokens(raw []byte, at string, depth int) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var stack []*level
	for {
		token, err := dec.Token()
		if err != nil {
			return Refuse(at, "json", fmt.Sprintf("valid JSON (it is broken near byte %d)", dec.InputOffset()))
		}
		if len(stack) == 0 && token != json.Delim('{') {
			return Refuse(at, "type", "one JSON object")
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			if stack = stack[:len(stack)-1]; len(stack) > 0 {
				stack[len(stack)-1].next()
				continue
			}
			if len(bytes.TrimSpace(raw[dec.InputOffset():])) > 0 {
				return Refuse(at, "json", "nothing after the JSON object")
			}
			return nil
		}
		pointer := at
		if len(stack) > 0 {
			top := stack[len(stack)-1]
			if top.wantKey {
				if err := top.key(token.(string)); err != nil {
					return err
				}
				continue
			}
			pointer = top.pointer + "/" + top.child()
		}
		if delim, ok := token.(json.Delim); ok {
			if len(stack) == depth {
				return Refuse(pointer, "depth", fmt.Sprintf("nesting of at most %d levels", MaxDepth))
			}
			l := &level{pointer: pointer}
			if delim == '{' {
				l.keys, l.wantKey = map[string]bool{}, true
			}
			stack = append(stack, l)
			continue
		}
		stack[len(stack)-1].next()
	}
}

// key takes the name of the next field.
func (l *level) key(name string) error {
	if l.keys[name] {
		return Refuse(l.pointer+"/"+EscapePointer(name), "duplicate", "each key at most once")
	}
	l.keys[name] = true
	l.current, l.wantKey = name, false
	return nil
}

// child is the pointer segment of the value that comes next.
func (l *level) child() string {
	if l.keys == nil {
		return strconv.Itoa(l.index)
	}
	return EscapePointer(l.current)
}

// next moves past a finished value.
func (l *level) next() {
	l.index++
	l.wantKey = l.keys != nil
}

// EscapePointer escapes one segment of a JSON pointer (RFC 6901).
func EscapePointer(segment string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(segment)
}

// nextLine is U+0085, which many programs that read a stream by lines take for
// the end of one.
const nextLine = "\u0085"

// appendString appends s as a JSON string in one line, by whatever rule: the
// separators U+2028 and U+2029 are escaped by encoding/json.
func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always marshals
	if strings.Contains(s, nextLine) {
		quoted = bytes.ReplaceAll(quoted, []byte(nextLine), []byte(`\u0085`))
	}
	return append(b, quoted...)
}
