package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// Use is what a schema is for.
type Use string

// The uses.
const (
	ForPublishers Use = "publish"
	ForReaders    Use = "read"
)

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

const dialect = "https://json-schema.org/draft/2020-12/schema"

// Event is the JSON Schema of an event of a type, with its envelope.
func EventSchema(t event.Type, use Use) []byte {
	s := eventObject(t, use)
	s["$schema"], s["$id"] = dialect, "urn:yardline:schema:"+string(t)+":"+string(use)
	return encode(s)
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // maps of plain values always marshal
	}
	return b.Bytes()
}

// line matches text without control characters.
const line = `^[^\x00-\x1f\x7f-\x9f]*$`

// text matches texts that may identify an entity.
func text(most int) object {
	return object{"type": "string", "minLength": 1, "maxLength": most, "pattern": line}
}

// eventObject is the envelope and its data.
func eventObject(t event.Type, use Use) object {
	properties := object{
		"specversion": object{"const": "1.0"}, "id": text(128), "type": object{"const": string(t)},
		"source": object{"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 256},
		"time":   object{"type": "string", "format": "date-time"}, "severity": object{"enum": event.Severities},
		"subject": object{"type": "string", "description": "Follows from the data."},
		"data":    dataSchema(t, use),
	}
	required := []string{"type", "data"}
	if use == ForPublishers {
		properties["datacontenttype"] = object{"type": "string", "pattern": "^[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Jj][Ss][Oo][Nn] *(;.*)?$"}
		properties["dataschema"], properties["module"] = object{"type": "string"}, object{"type": "string"}
	} else {
		properties["actor"] = object{"type": "string", "description": "Who published it, where the reader may see that."}
		properties["cursor"] = object{"type": "string", "pattern": cursorPattern}
		required = []string{"specversion", "id", "type", "source", "subject", "time", "severity", "cursor", "data"}
	}
	return object{"title": string(t), "type": "object", "properties": properties, "required": required, "additionalProperties": false,
		"examples": []any{example(t, use)}}
}

const cursorPattern = "^[a-z0-9]{1,32}-(0|[1-9][0-9]*)$"

func example(t event.Type, use Use) json.RawMessage {
	e := event.Example(t)
	if use == ForPublishers {
		return encode(object{"type": t, "data": e.Data})
	}
	e.ID, e.Cursor, e.Time = "0193a0c8-5b1e-7c3a-9d55-2f6a1e0b7c11", "k3x9abcd-184", exampleTime
	return e.AppendJSON(nil)
}

// dataSchema is the payload.
func dataSchema(t event.Type, use Use) object {
	properties, required := object{}, []string{}
	for _, f := range event.Fields(t) {
		properties[f.Name] = field(f)
		if f.Required && (use == ForPublishers || alwaysSeen(t, f.Name)) {
			required = append(required, f.Name)
		}
	}
	s := object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	if use == ForPublishers {
		for name, rule := range rules[t] {
			s[name] = rule
		}
	}
	return s
}

// alwaysSeen tells whether everybody who sees a type sees the field.
func alwaysSeen(t event.Type, name string) bool {
	return !slices.ContainsFunc(access.Visibilities(t), func(s access.Visibility) bool { return !s.Shows(t, name) })
}

func requires(names ...string) object { return object{"required": names} }

// rules are those of event.checkRules that JSON Schema can say. Readers have
// none: what a rule speaks of may be left out for them.
var rules = map[event.Type]object{
	event.TypeEquipmentLocationUpdated: {
		"dependentRequired": object{"latitude": []string{"longitude"}, "longitude": []string{"latitude"}},
		"anyOf":             []object{requires("latitude"), requires("location_name")},
	},
	event.TypeTimesheetUpdated: {
		"oneOf": []object{requires("date"), requires("period")},
		"if":    requires("date"),
		"then":  object{"properties": object{"hours_worked": object{"maximum": 24}, "overtime_hours": object{"maximum": 24}}},
	},
	event.TypePayrollProcessed: {
		"dependentRequired": object{"employee_id": []string{"amount"}, "amount": []string{"employee_id"}},
	},
}

// formats are the rules of event for strings, as far as JSON Schema says them.
var formats = map[string]object{
	"date":     {"format": "date"},
	"month":    {"pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"},
	"week":     {"pattern": "^[0-9]{4}-W(0[1-9]|[1-4][0-9]|5[0-3])$"},
	"phone":    {"pattern": `^\+[1-9][0-9]{1,14}$`},
	"currency": {"enum": event.Currencies()},
	"path":     {"pattern": `^/([^/\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*)?$`},
	"nocard":   {"pattern": line},
	"line":     {"pattern": line},
}

// formatInt is the format of integers, for generators of code.
const formatInt = "int64"

// maxID is the largest integer of event: an int64.
const maxID = json.Number("9223372036854775807")

// field is the schema of one field.
func field(f event.FieldSpec) object {
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
		// The decimals are left to the broker: validators divide in binary, and
		// 19.99 is no multiple of 0.01 there.
		s["type"], s["maximum"] = "number", json.Number(event.MaxMoney.String())
	case event.KindRef:
		s["oneOf"] = []object{positive, text(64)}
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
	for name, bound := range map[string]*float64{"minimum": f.Min, "maximum": f.Max, "exclusiveMinimum": f.ExclusiveMin, "exclusiveMaximum": f.ExclusiveMax} {
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

var classes = map[event.Class]string{event.Operational: "operational", event.Customer: "customer", event.Finance: "finance",
	event.HR: "HR", event.Pay: "pay", event.Location: "precise location", event.System: "system"}

func describe(f event.FieldSpec) string {
	limits := f.Limits()
	words := []string{strings.ToUpper(limits[:1]) + limits[1:], "Class: " + classes[f.Class]}
	if f.Strict {
		words = append(words, "Required in strict mode")
	}
	return strings.Join(words, ". ") + "."
}
