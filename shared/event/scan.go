package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// This file reads JSON by its bytes, because an event is read several times on its
// way, and encoding/json allocates for each token. Everything here is for text that
// encoding/json has accepted, or falls back to it.

// maxQuickKeys and maxQuickDepth bound what isPlainObject looks at.
const (
	maxQuickKeys  = 64
	maxQuickDepth = 16
)

// isPlainObject reports whether raw is one valid JSON object with at most depth levels
// whose keys are without escapes and come once each. When it returns false, checkTokens
// decides.
func isPlainObject(raw []byte, depth int) bool {
	if depth > maxQuickDepth || !json.Valid(raw) || raw[skipSpace(raw, 0)] != '{' {
		return false
	}
	var keys [maxQuickKeys][]byte   // the keys of all open objects
	var firstKey [maxQuickDepth]int // by level, the index of the first key
	level, known := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			if level == depth {
				return false
			}
			firstKey[level] = known
			level++
		case '}', ']':
			level--
			known = firstKey[level]
		case '"':
			end, escaped := skipString(raw, i)
			if next := skipSpace(raw, end); next < len(raw) && raw[next] == ':' {
				key := raw[i:end]
				if escaped || known == maxQuickKeys {
					return false
				}
				for _, other := range keys[firstKey[level-1]:known] {
					if bytes.Equal(other, key) {
						return false
					}
				}
				keys[known] = key
				known++
			}
			i = end - 1
		}
	}
	return true
}

// skipSpace returns the place of the first character from i on that is not white
// space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the place after the JSON string that begins at i, and whether it
// has escapes.
func skipString(b []byte, i int) (end int, escaped bool) {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			i++
		}
	}
	return len(b), escaped
}

// skipValue returns the place after the JSON value that begins at i, and whether it has
// white space between its parts.
func skipValue(b []byte, i int) (end int, spaced bool) {
	level := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i, _ = skipString(b, i)
		case '{', '[':
			level++
			i++
		case '}', ']':
			level--
			i++
		case ' ', '\n', '\t', '\r':
			spaced = true
			i++
			continue
		case ',', ':':
			i++
			continue
		default:
			for i < len(b) && !bytes.ContainsRune([]byte(",]} \n\t\r"), rune(b[i])) {
				i++
			}
		}
		if level <= 0 {
			return i, spaced
		}
	}
	return i, spaced
}

// errNoObject means that a text is not a JSON object.
var errNoObject = errors.New("event: not a JSON object")

// readFields splits a JSON object into its fields and compacts their values. raw must be
// valid JSON. It returns nil for JSON's null.
func readFields(raw []byte) (Object, error) {
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		if string(bytes.TrimSpace(raw)) == "null" {
			return nil, nil
		}
		return nil, errNoObject
	}
	raw = bytes.Clone(raw) // the fields share one copy
	fields := make(Object, 0, 8)
	for i = skipSpace(raw, i+1); i < len(raw) && raw[i] != '}'; i = skipSpace(raw, i) {
		if raw[i] == ',' {
			i++
			continue
		}
		end, _ := skipString(raw, i)
		name, ok := rawString(raw[i:end])
		start := skipSpace(raw, end)
		if !ok || start == len(raw) || raw[start] != ':' {
			return nil, errNoObject
		}
		start = skipSpace(raw, start+1)
		end, spaced := skipValue(raw, start)
		value := raw[start:end:end]
		if spaced {
			var compact bytes.Buffer
			if err := json.Compact(&compact, value); err != nil {
				return nil, err
			}
			value = compact.Bytes()
		}
		fields = append(fields, Field{name, value})
		i = end
	}
	return fields, nil
}

// rawString returns the text of a JSON string. ok is false for any other value.
func rawString(raw json.RawMessage) (text string, ok bool) {
	last := len(raw) - 1
	if last < 1 || raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 && raw[last] == '"' && utf8.Valid(raw) {
		return string(raw[1:last]), true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// isPlainText reports whether JSON holds s as it is: printable ASCII without the
// characters that encoding/json escapes.
func isPlainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}
