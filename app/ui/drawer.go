package ui

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
)

// Drawer shows all details of one event. The caller must have redacted the event for the user. ofUser reports whether
// the event is about the user.
func Drawer(e event.Event, ofUser bool, now time.Time) app.UI {
	facts := []Fact{
		TextFact(text.Of("drawer.type"), text.Label(string(e.Type))),
		TextFact(text.Of("drawer.severity"), text.Label(string(e.Severity))),
		TextFact(text.Of("drawer.time"), text.DateTime(e.Time)+" ("+text.Relative(e.Time, now)+")"),
	}
	if e.Actor != "" {
		facts = append(facts, TextFact(text.Of("drawer.actor"), e.Actor))
	}
	for _, f := range e.Data {
		facts = append(facts, TextFact(text.Label(f.Name), FieldText(e.Type, e.Data, f.Name)))
	}
	var raw bytes.Buffer
	_ = json.Indent(&raw, e.AppendJSON(nil), "", "  ") // JSON of the program itself is valid
	source := TextEl("pre", "raw", raw.String()).
		TabIndex(0).
		Aria("label", text.Of("drawer.raw"))
	return El("div", "drawer-body",
		TextEl("p", "drawer-text", Describe(e, ofUser)),
		Facts("facts", facts),
		El("p", "", Link("button button-small", notify.PagePath(e), text.Of("drawer.subject", e.Subject))),
		El("details", "",
			TextEl("summary", "", text.Of("drawer.raw")),
			source))
}

// FieldText returns a field of a payload in the user's notation.
func FieldText(t event.Type, o event.Object, name string) string {
	spec, _ := event.Spec(t, name)
	value := o.Text(name)
	switch {
	case spec.Kind == event.KindMoney:
		if m, ok := o.Money(name); ok {
			return text.Money(m, o.Text("currency"))
		}
	case isQuantity(spec, name):
		if o.Has(name) {
			return text.Decimal(o.Number(name))
		}
	case spec.Format == "date":
		return text.Date(value)
	case spec.Kind == event.KindTime:
		if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
			return text.DateTime(at)
		}
	case spec.Kind == event.KindBool:
		return text.Of("bool." + value)
	case spec.Kind == event.KindIntList, spec.Kind == event.KindTextList:
		return listText(o.Get(name))
	case spec.Enum != nil:
		return text.Label(value)
	}
	return value
}

// isQuantity reports whether a field is a number that users read with separators. Ids and coordinates are not.
func isQuantity(spec event.FieldSpec, name string) bool {
	if spec.Kind == event.KindNumber {
		return spec.Class != event.Location
	}
	isID := strings.HasSuffix(name, "_id") || name == "started_by" || name == "decided_by"
	return spec.Kind == event.KindInt && !isID
}
