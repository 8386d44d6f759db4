package event

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// must fails the test for an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustEqual fails the test for values that differ.
func mustEqual(t *testing.T, want, got any) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("got %#v, want %#v", got, want)
	}
}

// readFieldsSlowly is readFields by the tokens of encoding/json.
func readFieldsSlowly(t *testing.T, raw []byte) Object {
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, err := dec.Token()
	must(t, err)
	fields := Object{}
	for dec.More() {
		name, err := dec.Token()
		must(t, err)
		var value json.RawMessage
		must(t, dec.Decode(&value))
		var compact bytes.Buffer
		must(t, json.Compact(&compact, value))
		fields = append(fields, Field{name.(string), compact.Bytes()})
	}
	return fields
}

// FuzzObject compares the quick reading of objects with that of encoding/json.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b" : [ 1 , { "c" : "x y" } ] } `,
		`{"a":"\"}","b\"":"{[","c":{"a":1},"d":[{"a":1},{"a":2}]}`,
		`{"a":{"b":1,"b":2}}`, `{"a":1,"\u0061":2}`, `{"a":1}x`, `{"a":1,}`, `[1]`, `null`, ` "x"`, `{"a":tru}`,
		`{"a":[[[[[[[[1]]]]]]]]}`, `{"a":"\ud800","ü":"ü\u0085","` + "\xff" + `":1}`, `{"a" :-1.5e3,"b":true,"c":null}`,
		`{"a":"b":1}`, `{"a"}`, `{,}`, `{"a":1 "b":2}`, `{"a":"x`, `{"a":[1,"b:"]}`, `{"a":["k",{"k":"a"}],"k":"a"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if isPlainObject(raw, MaxDepth) {
			must(t, checkTokens(raw, "", MaxDepth))
		}
		fields, err := readFields(raw) // must not panic for any text
		if !json.Valid(raw) {
			return
		}
		if raw[skipSpace(raw, 0)] == '{' {
			must(t, err)
			mustEqual(t, readFieldsSlowly(t, raw), fields)
		} else {
			mustEqual(t, string(bytes.TrimSpace(raw)) == "null", err == nil)
		}
		var text, want string
		if json.Unmarshal(raw, &want) == nil && len(raw) > 0 && raw[0] == '"' {
			text, _ = rawString(bytes.TrimSpace(raw))
			mustEqual(t, want, text)
		}
		quoted, err := json.Marshal(string(raw))
		must(t, err)
		mustEqual(t, string(bytes.ReplaceAll(quoted, []byte(nextLine), []byte(`\u0085`))),
			string(appendString(nil, string(raw))))
	})
}
