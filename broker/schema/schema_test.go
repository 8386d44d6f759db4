package schema

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// compile reads a schema with a library that shares no code with this package.
func compile(t *testing.T, raw []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("urn:test", doc))
	s, err := c.Compile("urn:test")
	require.NoError(t, err)
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, raw []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	return s.Validate(doc)
}

// TestExamplesAreValidForEveryReader checks the examples of all schemas, and the part
// of each example that readers with different grants receive.
func TestExamplesAreValidForEveryReader(t *testing.T) {
	grants := []access.Grant{{User: "1", Employee: 456}, {User: "5"}}
	for i := range 5 {
		grants = append(grants, access.Grant{User: "9", Roles: access.Roles[i : i+1]})
	}
	for _, typ := range event.Types {
		publish, read := compile(t, EventSchema(typ, ForPublishers)), compile(t, EventSchema(typ, ForReaders))
		require.NoError(t, validate(t, publish, example(typ, ForPublishers)), typ)
		require.NoError(t, validate(t, read, example(typ, ForReaders)), typ)
		var complete event.Event
		require.NoError(t, json.Unmarshal(example(typ, ForReaders), &complete))
		for _, g := range grants {
			if visible, ok := access.Redact(g, complete); ok {
				require.NoError(t, validate(t, read, visible.AppendJSON(nil)), "%s for %v", typ, g)
			}
		}
	}
}

// isInexpressible tells whether JSON Schema cannot express this refusal of the broker.
// It cannot express weeks that a year does not have, card numbers, rules between
// fields, the decimals of a currency, and that 1e2 is not a valid id.
func isInexpressible(f event.FieldSpec, value string, refused error) bool {
	if f.Kind == event.KindMoney && value == `0.005` {
		return true
	}
	var p *event.Problem
	order := errors.As(refused, &p) && p.Fields[0].Code == "rule"
	exponent := value == "1e2" && (f.Kind == event.KindInt || f.Kind == event.KindRef)
	card := f.Format == "nocard" && strings.HasPrefix(value, `"4111`)
	week := f.Format == "week" && value == `"2026-W53"`
	return order || exponent || card || week
}

// TestSchemasAgreeWithTheBroker puts many values into every field. The schema must
// accept a value exactly when the broker does.
func TestSchemasAgreeWithTheBroker(t *testing.T) {
	long := func(character string, n int) string { return `"` + strings.Repeat(character, n) + `"` }
	values := []string{
		`""`, `" "`, `"x"`, `true`, `false`, `{}`,
		`0`, `1`, `-1`, `7`, `1001`, `0.5`, `0.55`, `0.005`, `24`, `24.5`, `100.5`, `360`, `91`, `-181`, `1e2`,
		`9223372036854775807`, `9223372036854775808`,
		`[]`, `[1]`, `[0]`, `["hr"]`, `["service"]`,
		`"2026-11-30"`, `"2026-02-30"`, `"2001-01-01"`, `"2026-11"`, `"2026-13"`,
		`"2026-W48"`, `"2026-W53"`, `"2026-W54"`, `"EUR"`, `"XXX"`, `"eur"`,
		`"+4930123456"`, `"+0"`, `"030"`, `"/a"`, `"//a"`, `"/\\a"`, `"/"`, `"/a\u0001"`, `"a\nb"`, `"a\u0085b"`,
		`"https://a"`, `"2026-11-23T14:32:00Z"`, `"2026-11-23T14:32:00+01:00"`, `"2026-11-23"`,
		`"4111 1111 1111 1111"`, `"active"`, `"completed"`,
		long("ü", 64), long("ü", 65), long("x", 301), long("x", 501), long("/", 2001),
	}
	for _, typ := range event.Types {
		s := compile(t, EventSchema(typ, ForPublishers))
		for _, f := range event.Fields(typ) {
			base := event.Example(typ).Data
			for _, value := range append(values, "") { // An empty value leaves the field out.
				data := base.With(f.Name, json.RawMessage(value))
				if value == "" {
					data = withoutField(base, f.Name)
				}
				raw, err := json.Marshal(map[string]any{"type": typ, "data": data})
				require.NoError(t, err)
				_, _, parsed := event.Parse(raw, event.Rules{Currency: "EUR"})
				valid := validate(t, s, raw)
				if isInexpressible(f, value, parsed) {
					continue
				}
				require.Equal(t, parsed == nil, valid == nil,
					"%s.%s = %s\nbroker: %v\nschema: %v", typ, f.Name, value, parsed, valid)
			}
		}
		withUnknown := event.Example(typ).Data.With("unknown", json.RawMessage("1"))
		raw, err := json.Marshal(map[string]any{"type": typ, "data": withUnknown})
		require.NoError(t, err)
		require.Error(t, validate(t, s, raw))
	}
}

func withoutField(o event.Object, name string) (rest event.Object) {
	for _, f := range o {
		if f.Name != name {
			rest = append(rest, f)
		}
	}
	return rest
}

// TestDocumentsAreValidOpenAPIAndAsyncAPI checks the documents against the official
// schemas of OpenAPI and AsyncAPI, and compiles every schema in them.
func TestDocumentsAreValidOpenAPIAndAsyncAPI(t *testing.T) {
	openapi, err := os.ReadFile("testdata/openapi-3.1.json")
	require.NoError(t, err)
	require.NoError(t, validate(t, compile(t, openapi), OpenAPI()))
	f, err := os.Open("testdata/asyncapi-3.0.json.gz")
	require.NoError(t, err)
	defer f.Close()
	zip, err := gzip.NewReader(f)
	require.NoError(t, err)
	asyncapi, err := io.ReadAll(zip)
	require.NoError(t, err)
	err = validate(t, compile(t, asyncapi), AsyncAPI())
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		t.Fatalf("%s", firstLines(invalid.Error(), 20))
	}
	require.NoError(t, err)
	for _, raw := range [][]byte{OpenAPI(), AsyncAPI()} {
		var doc struct {
			Components struct{ Schemas map[string]any }
		}
		require.NoError(t, json.Unmarshal(raw, &doc))
		for name := range doc.Components.Schemas {
			parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			require.NoError(t, err)
			c := jsonschema.NewCompiler()
			require.NoError(t, c.AddResource("urn:test", parsed))
			_, err = c.Compile("urn:test#/components/schemas/" + name)
			require.NoError(t, err, name)
		}
	}
}

func firstLines(s string, n int) string {
	lines := strings.SplitN(s, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// TestTypeScriptHasEveryField also checks that a field is optional when some readers
// may not see it.
func TestTypeScriptHasEveryField(t *testing.T) {
	text := string(TypeScript())
	require.Contains(t, text, "export interface ReadPaymentReceived {")
	for _, typ := range event.Types {
		for _, f := range event.Fields(typ) {
			require.Regexp(t, `(?m)^  `+f.Name+`\??: `, text)
		}
	}
	_, after, _ := strings.Cut(text, "export interface ReadPaymentReceived {")
	body, _, _ := strings.Cut(after, "}")
	require.Contains(t, body, "  rental_id: number;")
	require.Contains(t, body, "  amount?: number;", "not for everybody")
}
