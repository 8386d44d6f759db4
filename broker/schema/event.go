package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// A Use names the programs that a schema is for.
type Use string

const (
	// ForPublishers is the use of programs that publish events.
	ForPublishers Use = "publish"
	// ForReaders is the use of programs that read events.
	ForReaders Use = "read"
)

// object is a JSON object. Package encoding/json writes its keys in order.
type object = map[string]any

// dialect identifies JSON Schema, draft 2020-12.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// EventSchema returns the JSON Schema of an event of one type, with its envelope.
func EventSchema(t event.Type, use Use) []byte {
	s := eventObject(t, use)
	s["$schema"], s["$id"] = dialect, "urn:yardline:schema:"+string(t)+":"+string(use)
	return encode(s)
}

// encode returns indented JSON.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // Maps of plain values always marshal.
	}
	return b.Bytes()
}

// linePattern matches a text without control characters.
const linePattern = `^[^\x00-\x1f\x7f-\x9f]*$`

// cursorPattern matches a wire.Cursor.
const cursorPattern = "^[a-z0-9]{1,32}-(0|[1-9][0-9]*)$"

// jsonPattern matches the media type application/json with any parameters. JSON
// Schema has no flag that ignores case.
const jsonPattern = "^[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Jj][Ss][Oo][Nn] *(;.*)?$"

// identifier returns the schema of a text that may identify an entity.
func identifier(maxLength int) object {
	return object{"type": "string", "minLength": 1, "maxLength": maxLength, "pattern": linePattern}
}

// eventObject returns the schema of an event: its envelope and its data.
func eventObject(t event.Type, use Use) object {
	properties := object{
		"specversion": object{"const": "1.0"},
		"id":          identifier(128),
		"type":        object{"const": string(t)},
		"source":      object{"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 256},
		"time":        object{"type": "string", "format": "date-time"},
		"severity":    object{"enum": event.Severities},
		"subject":     object{"type": "string", "description": "Follows from the data."},
		"data":        dataSchema(t, use),
	}
	required := []string{"type", "data"}
	if use == ForPublishers {
		properties["datacontenttype"] = object{"type": "string", "pattern": jsonPattern}
		properties["dataschema"] = object{"type": "string"}
		properties["module"] = object{"type": "string"}
	} else {
		properties["actor"] = object{
			"type":        "string",
			"description": "Who published it, where the reader may see that.",
		}
		properties["cursor"] = object{"type": "string", "pattern": cursorPattern}
		required = []string{"specversion", "id", "type", "source", "subject", "time", "severity", "cursor", "data"}
	}
	return object{
		"title":                string(t),
		"type":                 "object",
		"properties":           properties,
		"required":             required,
		"additionalProperties": false,
		"examples":             []any{example(t, use)},
	}
}

// example returns an example of an event, as a publisher sends it or as a reader
// receives it.
func example(t event.Type, use Use) json.RawMessage {
	e := event.Example(t)
	if use == ForPublishers {
		return encode(object{"type": t, "data": e.Data})
	}
	e.ID, e.Cursor, e.Time = "0193a0c8-5b1e-7c3a-9d55-2f6a1e0b7c11", "k3x9abcd-184", exampleTime
	return e.AppendJSON(nil)
}

// dataSchema returns the schema of an event's data.
func dataSchema(t event.Type, use Use) object {
	properties, required := object{}, []string{}
	for _, f := range event.Fields(t) {
		properties[f.Name] = fieldSchema(f)
		if f.Required && (use == ForPublishers || isAlwaysShown(t, f.Name)) {
			required = append(required, f.Name)
		}
	}
	s := object{
		"type":                 "object",
		"properties":           properties,
		"required":             required,
		"additionalProperties": false,
	}
	if use == ForPublishers {
		for name, rule := range rules[t] {
			s[name] = rule
		}
	}
	return s
}

// isAlwaysShown tells whether every reader of an event type may see a field.
func isAlwaysShown(t event.Type, name string) bool {
	return !slices.ContainsFunc(access.Visibilities(t), func(s access.Visibility) bool { return !s.Shows(t, name) })
}

// requires returns a schema that requires these properties.
func requires(names ...string) object { return object{"required": names} }

// rules holds the rules between fields that JSON Schema can express. Package event
// checks the same rules. The schemas for readers have no rules, because a reader may
// not see all fields of a rule.
var rules = map[event.Type]object{
	event.TypeEquipmentLocationUpdated: {
		"dependentRequired": object{"latitude": []string{"longitude"}, "longitude": []string{"latitude"}},
		"anyOf":             []object{requires("latitude"), requires("location_name")},
	},
	event.TypeTimesheetUpdated: {
		"oneOf": []object{requires("date"), requires("period")},
		"if":    requires("date"),
		"then": object{"properties": object{
			"hours_worked":   object{"maximum": 24},
			"overtime_hours": object{"maximum": 24},
		}},
	},
	event.TypePayrollProcessed: {
		"dependentRequired": object{"employee_id": []string{"amount"}, "amount": []string{"employee_id"}},
	},
}

// formats holds the schema of each format of a text field (see event.FieldSpec), as
// far as JSON Schema can express it.
var formats = map[string]object{
	"date":     {"format": "date"},
	"month":    {"pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"},
	"week":     {"pattern": "^[0-9]{4}-W(0[1-9]|[1-4][0-9]|5[0-3])$"},
	"phone":    {"pattern": `^\+[1-9][0-9]{1,14}$`},
	"currency": {"enum": event.Currencies()},
	"path":     {"pattern": `^/([^/\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*)?$`},
	"nocard":   {"pattern": linePattern},
	"line":     {"pattern": linePattern},
}

// formatInt is the format of integers. Code generators choose a type of 64 bits by it.
const formatInt = "int64"

// maxID is the largest integer in an event, the largest int64.
const maxID = json.Number("9223372036854775807")

// fieldSchema returns the schema of one field of an event's data.
func fieldSchema(f event.FieldSpec) object {
	s := object{"description": describe(f)}
	positive := object{"type": "integer", "format": formatInt, "minimum": 1, "maximum": maxID}
	switch f.Kind {
	case event.KindBool:
		s["type"] = "boolean"
	case event.KindInt:
		s["type"], s["format"], s["maximum"] = "integer", formatInt, maxID
	case event.KindNumber:
		s["type"] = "number"
	case event.KindMoney:
		// Only the broker checks the decimals: validators divide in binary, where 19.99
		// is no multiple of 0.01.
		s["type"], s["maximum"] = "number", json.Number(event.MaxMoney.String())
	case event.KindRef:
		s["oneOf"] = []object{positive, identifier(64)}
	case event.KindTime:
		s["type"], s["format"] = "string", "date-time"
	case event.KindIntList:
		s["type"], s["maxItems"], s["items"] = "array", f.MaxItems, positive
	case event.KindTextList:
		s["type"], s["minItems"], s["maxItems"], s["items"] = "array", 1, f.MaxItems, object{"enum": f.Enum}
	case event.KindString:
		s["type"] = "string"
		if len(f.Enum) > 0 {
			s["enum"] = f.Enum
		} else if f.MaxLen > 0 {
			s["maxLength"] = f.MaxLen
		}
		for name, rule := range formats[f.Format] {
			s[name] = rule
		}
		if len(f.Enum) == 0 && f.MaxLen > 0 && (f.Required || f.Strict) {
			s["allOf"] = []object{{"pattern": `\S`}}
		}
	}
	bounds := map[string]*float64{
		"minimum":          f.Min,
		"maximum":          f.Max,
		"exclusiveMinimum": f.ExclusiveMin,
		"exclusiveMaximum": f.ExclusiveMax,
	}
	for name, bound := range bounds {
		if bound != nil {
			s[name] = *bound
		}
	}
	if f.Step != 0 {
		s["multipleOf"] = f.Step
	}
	if f.Default != "" {
		s["default"] = f.Default
	}
	return s
}

// classNames holds the name of each class of fields in descriptions.
var classNames = map[event.Class]string{
	event.Operational: "operational",
	event.Customer:    "customer",
	event.Finance:     "finance",
	event.HR:          "HR",
	event.Pay:         "pay",
	event.Location:    "precise location",
	event.System:      "system",
}

// describe returns the description of a field: its limits, its class, and whether
// strict mode requires it.
func describe(f event.FieldSpec) string {
	limits := f.Limits()
	words := []string{strings.ToUpper(limits[:1]) + limits[1:], "Class: " + classNames[f.Class]}
	if f.Strict {
		words = append(words, "Required in strict mode")
	}
	return strings.Join(words, ". ") + "."
}
