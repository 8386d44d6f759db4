package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The limits of a payload.
const (
	// MaxDataBytes is the size of a payload as compact JSON, in bytes.
	MaxDataBytes = 16 << 10
	// MaxDepth is the number of levels to which a payload's objects and arrays may nest.
	MaxDepth = 8
)

// A Field is one field of an [Object].
type Field struct {
	// Name is the field's name, without quotes.
	Name string
	// Raw is the value as compact JSON.
	Raw json.RawMessage
}

// An Object is a JSON object that keeps the order of its fields. Copies share memory,
// so neither the fields nor their values may be changed in place.
type Object []Field

// Get returns the raw value of a field, or nil when the field is absent.
func (o Object) Get(name string) json.RawMessage {
	for i := range o {
		if o[i].Name == name {
			return o[i].Raw
		}
	}
	return nil
}

// Has reports whether o has the field.
func (o Object) Has(name string) bool { return o.Get(name) != nil }

// Text returns a field for display or as part of a key: a string without its quotes,
// any other value as its JSON text, and "" when the field is absent.
func (o Object) Text(name string) string {
	raw := o.Get(name)
	if text, ok := rawString(raw); ok {
		return text
	}
	return string(raw)
}

// Int returns a field as an integer, or 0 when the field is absent or no integer.
func (o Object) Int(name string) int64 {
	n, _ := strconv.ParseInt(string(o.Get(name)), 10, 64)
	return n
}

// Number returns a field as a float, or 0 when the field is absent or no number.
func (o Object) Number(name string) float64 {
	n, _ := strconv.ParseFloat(string(o.Get(name)), 64)
	return n
}

// Bool reports whether a field is true. It is false when the field is absent.
func (o Object) Bool(name string) bool { return string(o.Get(name)) == "true" }

// Money returns a field as an amount. ok is false when the field is absent or no
// amount.
func (o Object) Money(name string) (m Money, ok bool) {
	raw := o.Get(name)
	if raw == nil {
		return 0, false
	}
	m, err := ParseMoney(string(raw))
	return m, err == nil
}

// With returns a copy of o in which the field has the value. An existing field keeps
// its place; a new field comes last.
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

// AppendJSON appends the object to b as compact JSON.
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

// MarshalJSON implements [json.Marshaler].
func (o Object) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil), nil }

// UnmarshalJSON implements [json.Unmarshaler] for text that the broker has checked
// before. Use [ParseObject] for input from outside.
func (o *Object) UnmarshalJSON(b []byte) error {
	fields, err := readFields(b)
	*o = fields
	return err
}

// ParseObject reads a JSON object from outside. It refuses text that is not valid
// UTF-8, anything after the object, a key that comes twice in one object at any depth,
// and more than [MaxDepth] levels. The error is a [*Problem] whose pointers begin with
// pointer.
func ParseObject(raw []byte, pointer string) (Object, error) {
	return parseObject(raw, pointer, MaxDepth)
}

func parseObject(raw []byte, at string, depth int) (Object, error) {
	if !utf8.Valid(raw) {
		return nil, Refuse(at, CodeUTF8, "text in valid UTF-8")
	}
	if !isPlainObject(raw, depth) {
		if err := checkTokens(raw, at, depth); err != nil {
			return nil, err
		}
	}
	fields, err := readFields(raw)
	if err != nil {
		return nil, Refuse(at, CodeJSON, "a JSON object")
	}
	return fields, nil
}

// A level is one open array or object while checkTokens walks.
type level struct {
	pointer  string          // the JSON pointer of the array or object
	keys     map[string]bool // the keys so far; nil in an array
	key      string          // in an object, the key whose value comes next
	index    int             // in an array, the index of the next value
	wantsKey bool            // in an object, a key comes next
}

// checkTokens reads raw once, token by token. It accepts only one valid JSON object without
// repeated keys and with at most depth levels.
func checkTokens(raw []byte, at string, depth int) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var stack []*level
	for {
		token, err := dec.Token()
		if err != nil {
			return Refuse(at, CodeJSON, fmt.Sprintf("valid JSON (it is broken near byte %d)", dec.InputOffset()))
		}
		if len(stack) == 0 && token != json.Delim('{') {
			return Refuse(at, CodeType, "one JSON object")
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			if stack = stack[:len(stack)-1]; len(stack) > 0 {
				stack[len(stack)-1].endValue()
				continue
			}
			if len(bytes.TrimSpace(raw[dec.InputOffset():])) > 0 {
				return Refuse(at, CodeJSON, "nothing after the JSON object")
			}
			return nil
		}
		pointer := at
		if len(stack) > 0 {
			top := stack[len(stack)-1]
			if top.wantsKey {
				if err := top.addKey(token.(string)); err != nil {
					return err
				}
				continue
			}
			pointer = top.pointer + "/" + top.segment()
		}
		if delim, ok := token.(json.Delim); ok {
			if len(stack) == depth {
				return Refuse(pointer, CodeDepth, fmt.Sprintf("nesting of at most %d levels", MaxDepth))
			}
			l := &level{pointer: pointer}
			if delim == '{' {
				l.keys, l.wantsKey = map[string]bool{}, true
			}
			stack = append(stack, l)
			continue
		}
		stack[len(stack)-1].endValue()
	}
}

// addKey notes the key of the next value, and refuses one that came before.
func (l *level) addKey(name string) error {
	if l.keys[name] {
		return Refuse(l.pointer+"/"+EscapePointer(name), CodeDuplicate, "each key at most once")
	}
	l.keys[name] = true
	l.key, l.wantsKey = name, false
	return nil
}

// segment returns the pointer segment of the value that comes next.
func (l *level) segment() string {
	if l.keys == nil {
		return strconv.Itoa(l.index)
	}
	return EscapePointer(l.key)
}

// endValue notes that a value has ended.
func (l *level) endValue() {
	l.index++
	l.wantsKey = l.keys != nil
}

// EscapePointer returns a field's name as one segment of a JSON pointer (RFC 6901).
func EscapePointer(segment string) string {
	if !strings.ContainsAny(segment, "~/") {
		return segment
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(segment)
}

// nextLine is U+0085. Many programs that read a stream by lines end a line there.
const nextLine = "\u0085"

// appendString appends s as a JSON string without any character that ends a line. It
// escapes U+0085; encoding/json escapes control characters, U+2028 and U+2029.
func appendString(b []byte, s string) []byte {
	if isPlainText(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	quoted, _ := json.Marshal(s) // a string always marshals
	if strings.Contains(s, nextLine) {
		quoted = bytes.ReplaceAll(quoted, []byte(nextLine), []byte(`\u0085`))
	}
	return append(b, quoted...)
}
