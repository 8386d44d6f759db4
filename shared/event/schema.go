package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Class is how sensitive a field is; the broker leaves fields out by it.
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

// Kind is the JSON form of a field's value.
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

// A FieldSpec is what the tags of a payload field declare.
type FieldSpec struct {
	Name         string
	Kind         Kind
	Class        Class
	Required     bool     // always
	Strict       bool     // required in strict mode only
	Enum         []string // allowed values, of the elements for a list
	Default      string   // what an absent enum means in an entity's first event
	Format       string   // date, month, week, phone, currency, path, nocard, line
	MaxLen       int      // characters of a string, 0: no limit of its own
	MaxItems     int      // elements of a list
	Min, Max     *float64 // inclusive bounds
	ExclusiveMin *float64 // exclusive lower bound
	ExclusiveMax *float64 // exclusive upper bound
	Step         float64  // the value is a multiple of it, 0: any
	Past         bool     // a time that is at most MaxAhead after the broker's clock
}

// payloads ties each type to its struct.
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

// specs is read from the tags once; a wrong tag is a programming error.
var specs = func() map[Type][]FieldSpec {
	all := make(map[Type][]FieldSpec, len(payloads))
	for t, payload := range payloads {
		for i := range payload.NumField() {
			all[t] = append(all[t], readSpec(payload.Field(i)))
		}
	}
	return all
}()

// Known tells whether t is one of the ten types.
func (t Type) Known() bool { return specs[t] != nil }

// Fields returns the declared fields of a type's payload in order. The slice
// is shared and must not be changed.
func Fields(t Type) []FieldSpec { return specs[t] }

// Spec returns one declared field of a type.
func Spec(t Type, name string) (FieldSpec, bool) {
	for _, s := range specs[t] {
		if s.Name == name {
			return s, true
		}
	}
	return FieldSpec{}, false
}

// TypeOf is the type whose payload is T; ok is false where there is none.
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
	if enum := f.Tag.Get("enum"); enum != "" {
		s.Enum = strings.Split(enum, ",")
	}
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
		case "over":
			s.ExclusiveMin = &number
		case "under":
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

// UnmarshalJSON reads an integer or a string.
func (r *Ref) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(r))
	}
	*r = Ref(b)
	return nil
}

// MarshalJSON writes an integer where r is one, else a string.
func (r Ref) MarshalJSON() ([]byte, error) {
	if n, err := strconv.ParseInt(string(r), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(r) {
		return []byte(r), nil
	}
	return json.Marshal(string(r))
}
