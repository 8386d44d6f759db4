package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Class is the sensitivity of a field. The visibility table of the package access hides
// fields by class.
type Class byte

// The sensitivity classes.
const (
	Operational Class = 'O'
	Customer    Class = 'C'
	Finance     Class = 'F'
	HR          Class = 'H'
	Pay         Class = 'P'
	Location    Class = 'L' // precise location
	System      Class = 'S'
)

// Kind is the JSON type of a field's value.
type Kind string

// The kinds of value.
const (
	KindInt      Kind = "integer"
	KindString   Kind = "string"
	KindBool     Kind = "boolean"
	KindNumber   Kind = "number"
	KindMoney    Kind = "money"
	KindRef      Kind = "integer or string"
	KindTime     Kind = "datetime"
	KindIntList  Kind = "list of integers"
	KindTextList Kind = "list of strings"
)

// A FieldSpec is the declaration of a payload field, read from its tags.
type FieldSpec struct {
	// Name is the field's name on the wire.
	Name string
	// Kind is the JSON type of the value.
	Kind Kind
	// Class is the field's sensitivity.
	Class Class
	// Required refuses an event without the field.
	Required bool
	// Strict refuses an event without the field in strict mode only.
	Strict bool
	// Enum lists the allowed values; for a list, those of its elements. Nil allows all.
	Enum []string
	// Default is the value that an absent enum stands for in the first event of an entity.
	// "" means that there is no default.
	Default string
	// Format names a rule of a string: date, month, week, phone, currency, path, nocard or
	// line. "" means none.
	Format string
	// MaxLen is the greatest length of a string, in characters. 0 means that the field has no limit
	// of its own.
	MaxLen int
	// MaxItems is the largest number of elements of a list.
	MaxItems int
	// Min and Max are inclusive bounds. Nil means none.
	Min, Max *float64
	// ExclusiveMin and ExclusiveMax are exclusive bounds. Nil means none.
	ExclusiveMin, ExclusiveMax *float64
	// Step is a number of which the value must be a multiple. 0 allows any value.
	Step float64
	// Past marks a time that has happened: it is at most [MaxAhead] after the broker's
	// clock.
	Past bool
}

// payloads maps each type to its payload struct.
var payloads = map[Type]reflect.Type{
	TypeRentalStatusUpdated:      typeFor[RentalStatusUpdatedData](),
	TypePaymentReceived:          typeFor[PaymentReceivedData](),
	TypeMaintenanceRequired:      typeFor[MaintenanceRequiredData](),
	TypeRentalOverdue:            typeFor[RentalOverdueData](),
	TypeEquipmentLocationUpdated: typeFor[EquipmentLocationUpdatedData](),
	TypeTimesheetUpdated:         typeFor[TimesheetUpdatedData](),
	TypePayrollProcessed:         typeFor[PayrollProcessedData](),
	TypeLeaveRequestUpdated:      typeFor[LeaveRequestUpdatedData](),
	TypeSystemNotification:       typeFor[SystemNotificationData](),
	TypeSyncProgress:             typeFor[SyncProgressData](),
}

// specs has the fields of each type. Initialisation reads them from the tags, and
// panics at a wrong tag.
var specs = func() map[Type][]FieldSpec {
	all := make(map[Type][]FieldSpec, len(payloads))
	for t, payload := range payloads {
		for i := range payload.NumField() {
			all[t] = append(all[t], readSpec(payload.Field(i)))
		}
	}
	return all
}()

// Known reports whether t is one of the ten types.
func (t Type) Known() bool { return specs[t] != nil }

// Fields returns the declared fields of a type's payload, in order. The slice is shared
// and must not be changed.
func Fields(t Type) []FieldSpec { return specs[t] }

// Spec returns a declared field of a type's payload. ok is false when the type has no
// such field.
func Spec(t Type, name string) (spec FieldSpec, ok bool) {
	for _, s := range specs[t] {
		if s.Name == name {
			return s, true
		}
	}
	return FieldSpec{}, false
}

// TypeOf returns the type whose payload struct is T. ok is false when there is none.
func TypeOf[T any]() (t Type, ok bool) {
	for t, payload := range payloads {
		if payload == typeFor[T]() {
			return t, true
		}
	}
	return "", false
}

func payloadType(t Type) reflect.Type { return payloads[t] }

func typeFor[T any]() reflect.Type { return reflect.TypeFor[T]() }

// kinds maps the Go type of a payload field to its kind.
var kinds = map[reflect.Type]Kind{
	typeFor[int64]():     KindInt,
	typeFor[string]():    KindString,
	typeFor[bool]():      KindBool,
	typeFor[float64]():   KindNumber,
	typeFor[Money]():     KindMoney,
	typeFor[Ref]():       KindRef,
	typeFor[time.Time](): KindTime,
	typeFor[[]int64]():   KindIntList,
	typeFor[[]string]():  KindTextList,
}

// enums has the enums that a tag names by $, because they are too long for a line.
var enums = map[string]string{
	"rental_status": "pending,reserved,pending_delivery,active,off_rent,pending_return,returned," +
		"completed,cancelled",
	"payment_method": "cash,credit_card,bank_transfer,cheque,online,other",
	"payment_status": "completed,pending,failed,refunded",
	"payroll_status": "processing,completed,partially_failed,failed,reversed",
	"sync_entity":    "customers,rentals,equipment,employees,invoices,all",
	"sync_status":    "queued,running,completed,failed,cancelled",
}

// readEnum returns the values of an enum's tag, which has them or names one of enums.
func readEnum(tag string) []string {
	if name, named := strings.CutPrefix(tag, "$"); named {
		if tag = enums[name]; tag == "" {
			panic("event: no enum " + name)
		}
	}
	if tag == "" {
		return nil
	}
	return strings.Split(tag, ",")
}

// readSpec reads the declaration of a payload field from its tags.
func readSpec(f reflect.StructField) FieldSpec {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	s := FieldSpec{Name: name, Kind: kinds[t], Class: Class(f.Tag.Get("class")[0]), Default: f.Tag.Get("default")}
	if s.Kind == "" {
		panic("event: no kind for " + f.Name)
	}
	s.Enum = readEnum(f.Tag.Get("enum"))
	for _, rule := range strings.Fields(f.Tag.Get("rule")) {
		key, value, _ := strings.Cut(rule, "=")
		number, _ := strconv.ParseFloat(value, 64)
		switch key {
		case "required":
			s.Required = true
		case "strict":
			s.Strict = true
		case "past":
			s.Past = true
		case "format":
			s.Format = value
		case "len":
			s.MaxLen = int(number)
		case "items":
			s.MaxItems = int(number)
		case "min":
			s.Min = &number
		case "max":
			s.Max = &number
		case "more_than":
			s.ExclusiveMin = &number
		case "less_than":
			s.ExclusiveMax = &number
		case "step":
			s.Step = number
		default:
			panic(fmt.Sprintf("event: rule %q of %s", rule, f.Name))
		}
	}
	if s.Kind == KindInt && s.Min == nil {
		one := 1.0 // ids are positive
		s.Min = &one
	}
	return s
}

// UnmarshalJSON reads a JSON integer or string.
func (r *Ref) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(r))
	}
	*r = Ref(b)
	return nil
}

// MarshalJSON writes an integer when r is one, and a string otherwise.
func (r Ref) MarshalJSON() ([]byte, error) {
	if n, err := strconv.ParseInt(string(r), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(r) {
		return []byte(r), nil
	}
	return json.Marshal(string(r))
}
