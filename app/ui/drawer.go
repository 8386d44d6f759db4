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

// Drawer shows one event with all that the reader may see of it.
func Drawer(e event.Event, self bool, now time.Time) app.UI {
	rows := [][2]string{{text.Of("drawer.type"), text.Label(string(e.Type))}, {text.Of("drawer.severity"), text.Label(string(e.Severity))},
		{text.Of("drawer.time"), text.DateTime(e.Time) + " (" + text.Relative(e.Time, now) + ")"}}
	if e.Actor != "" {
		rows = append(rows, [2]string{text.Of("drawer.actor"), e.Actor})
	}
	for _, f := range e.Data {
		rows = append(rows, [2]string{text.Label(f.Name), FieldText(e.Type, e.Data, f.Name)})
	}
	var raw bytes.Buffer
	_ = json.Indent(&raw, e.AppendJSON(nil), "", "  ") // our own JSON
	return El("div", "drawer-body", Line("p", "drawer-text", Describe(e, self)),
		El("dl", "facts", Each(len(rows), func(i int) app.UI {
			return El("div", "", Line("dt", "", rows[i][0]), Line("dd", "", rows[i][1]))
		})),
		El("p", "", Link("button button-small", notify.PagePath(e), text.Of("drawer.subject", e.Subject))),
		El("details", "", Line("summary", "", text.Of("drawer.raw")), Line("pre", "raw", raw.String()).TabIndex(0).Aria("label", text.Of("drawer.raw"))))
}

// FieldText writes a field of a payload as the reader writes such values.
func FieldText(t event.Type, o event.Object, name string) string {
	spec, _ := event.Spec(t, name)
	value := o.Text(name)
	switch {
	case spec.Kind == event.KindMoney:
		if m, ok := o.Money(name); ok {
			return text.Money(m, o.Text("currency"))
		}
	case spec.Kind == event.KindNumber && spec.Class != event.Location, spec.Kind == event.KindInt && !strings.HasSuffix(name, "_id") && name != "started_by" && name != "decided_by":
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
