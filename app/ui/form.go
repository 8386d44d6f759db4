package ui

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
)

// A Form writes an event of a type: one control for each field that the
// vocabulary declares, with its limits. The controls keep their values
// themselves: Fill sets them, Read takes them.
type Form struct {
	ID      string // tells the forms of a page apart
	Type    event.Type
	Fixed   []string // fields that are not asked for: what the event is about
	Problem *event.Problem
	Send    func()
	Cancel  func() // nil: there is nothing to cancel
	Action  string // what sending is called
}

func (f Form) control(name string) string { return f.ID + "-" + name }

// asked are the fields that the user fills in.
func (f Form) asked() (fields []event.FieldSpec) {
	for _, s := range event.Fields(f.Type) {
		fixed := false
		for _, name := range f.Fixed {
			fixed = fixed || name == s.Name
		}
		if !fixed {
			fields = append(fields, s)
		}
	}
	return fields
}

// Render is the form. What must be filled in comes first; the rest may be
// unfolded.
func (f Form) Render() app.UI {
	var must, may []event.FieldSpec
	amiss := false // something is wrong with what is folded away
	for _, s := range f.asked() {
		if s.Required || s.Strict {
			must = append(must, s)
			continue
		}
		may = append(may, s)
		amiss = amiss || f.problem(s.Name) != ""
	}
	other := f.problem("")
	return Submit("form", When(other != "", func() app.UI { return Line("p", "problem", other).Role("alert") }),
		El("div", "fields", Each(len(must), func(i int) app.UI { return f.field(must[i]) })),
		El("details", "fields-more", Line("summary", "", text.Count("form.more", len(may))),
			El("div", "fields", Each(len(may), func(i int) app.UI { return f.field(may[i]) }))).Attr("open", amiss),
		El("div", "buttons", Line("button", "button button-primary", f.Action).Attr("type", "submit"),
			If(f.Cancel != nil, func() app.UI {
				return Button("button", text.Of("cancel")).OnClick(on(f.Cancel), app.EventScope(f.ID))
			}))).ID(f.ID).Attr("novalidate", true).OnSubmit(func(_ app.Context, e app.Event) {
		e.PreventDefault()
		f.Send()
	}, app.EventScope(f.ID, string(f.Type)))
}

// problem is what is wrong with a field, "" for nothing. Without a name it is
// what is wrong with none of the controls.
func (f Form) problem(name string) string {
	if f.Problem == nil {
		return ""
	}
	for _, p := range f.Problem.Fields {
		field, _, _ := strings.Cut(strings.TrimPrefix(p.Pointer, "/data/"), "/")
		_, declared := event.Spec(f.Type, field)
		if name == field || name == "" && (!declared || !strings.HasPrefix(p.Pointer, "/data/")) {
			return text.Of("form.expected", p.Expected)
		}
	}
	return ""
}

func (f Form) field(s event.FieldSpec) app.UI {
	id, problem := f.control(s.Name), f.problem(s.Name)
	label := text.Label(s.Name)
	if s.Required {
		label += " *"
	}
	class, hint := "field", hintOf(s)
	if problem != "" {
		hint = "" // the problem says it
	}
	if s.Kind == event.KindBool {
		class += " field-check"
	}
	return El("div", "", Line("label", "", label).Attr("for", id),
		f.input(s, id, problem),
		Line("p", "field-hint", hint).ID(id+"-hint"),
		When(problem != "", func() app.UI { return Line("p", "", problem).ID(id + "-problem").Class("problem").Role("alert") })).Class(class)
}

// hintOf says what a control takes, where that does not show.
func hintOf(s event.FieldSpec) string {
	if s.Enum != nil && s.Kind == event.KindString || s.Kind == event.KindBool || s.Kind == event.KindTime || s.Kind == event.KindString && s.Format == "" || s.Format == "date" {
		return ""
	}
	return s.Limits()
}

// input is a native control, which every browser makes accessible.
func (f Form) input(s event.FieldSpec, id, problem string) app.UI {
	described := id + "-hint"
	if problem != "" {
		described += " " + id + "-problem"
	}
	if s.Enum != nil && s.Kind == event.KindString {
		options := append([]string{""}, s.Enum...)
		return El("select", "", Each(len(options), func(i int) app.UI {
			return Line("option", "", text.Label(options[i])).Attr("value", options[i])
		})).Attr("name", s.Name).Attr("required", s.Required).ID(id).Aria("describedby", described).Aria("invalid", problem != "")
	}
	input := Input().ID(id).Attr("name", s.Name).Attr("required", s.Required).Attr("autocomplete", "off").Aria("describedby", described).Aria("invalid", problem != "")
	switch {
	case s.Kind == event.KindBool:
		return input.Attr("type", "checkbox")
	case s.Format == "date":
		return input.Attr("type", "date")
	case s.Kind == event.KindTime:
		return input.Attr("type", "datetime-local").Attr("step", "1")
	case s.Kind == event.KindInt:
		return input.Attr("type", "text").Attr("inputmode", "numeric")
	case s.Kind == event.KindNumber, s.Kind == event.KindMoney:
		return input.Attr("type", "text").Attr("inputmode", "decimal")
	case s.Format == "phone":
		return input.Attr("type", "tel")
	}
	if s.MaxLen > 0 {
		input = input.Attr("maxlength", s.MaxLen)
	}
	return input.Attr("type", "text")
}

// FocusProblem brings the keyboard to the first control that is amiss, once the
// form shows it.
func (f Form) FocusProblem(app.Context) {
	if control := app.Window().Get("document").Call("querySelector", "#"+f.ID+" [aria-invalid=true]"); control.Truthy() {
		control.Call("focus")
	}
}

// Fill sets the controls, once the form is on the page; what data has not is
// emptied.
func (f Form) Fill(data event.Object) {
	for _, s := range f.asked() {
		control := app.Window().GetElementByID(f.control(s.Name))
		if !control.Truthy() {
			continue
		}
		switch {
		case s.Kind == event.KindBool:
			control.Set("checked", data.Bool(s.Name))
		case s.Kind == event.KindTime && data.Has(s.Name):
			at, _ := time.Parse(time.RFC3339Nano, data.Text(s.Name)) // valid data
			control.Set("value", text.Local(at).Format("2006-01-02T15:04:05"))
		case s.Kind == event.KindIntList || s.Kind == event.KindTextList:
			control.Set("value", listText(data.Get(s.Name)))
		default:
			control.Set("value", data.Text(s.Name))
		}
	}
}

func listText(raw json.RawMessage) string {
	return strings.ReplaceAll(strings.Trim(string(raw), "[]"), `"`, "")
}

// Read takes what the controls have, over what is fixed. An error is an
// *event.Problem, which belongs into Problem.
func (f Form) Read(fixed event.Object) (event.Event, error) {
	data := fixed
	for _, s := range f.asked() {
		control := app.Window().GetElementByID(f.control(s.Name))
		if !control.Truthy() {
			continue
		}
		if s.Kind == event.KindBool {
			if control.Get("checked").Bool() {
				data = data.With(s.Name, json.RawMessage("true"))
			}
			continue
		}
		if value := strings.TrimSpace(control.Get("value").String()); value != "" {
			data = data.With(s.Name, encode(s, value))
		}
	}
	return event.New(f.Type, data)
}

// encode writes what was typed as JSON of the field's kind. What is no such
// value goes as a string, which the vocabulary refuses with a sentence of its
// own.
func encode(s event.FieldSpec, value string) json.RawMessage {
	quoted, _ := json.Marshal(value) // a string always marshals
	switch s.Kind {
	case event.KindInt, event.KindNumber, event.KindMoney:
		if number := json.RawMessage(plainNumber(value)); json.Valid(number) {
			return number
		}
	case event.KindRef:
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && strconv.FormatInt(n, 10) == value {
			return json.RawMessage(value)
		}
	case event.KindTime:
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
			if at, err := text.ParseLocal(layout, value); err == nil {
				return json.RawMessage(`"` + at.UTC().Format(time.RFC3339) + `"`)
			}
		}
	case event.KindIntList:
		if list := json.RawMessage("[" + value + "]"); json.Valid(list) {
			return list
		}
	case event.KindTextList:
		var items []string
		for item := range strings.SplitSeq(value, ",") {
			items = append(items, strings.TrimSpace(item))
		}
		list, _ := json.Marshal(items) // strings always marshal
		return list
	}
	return quoted
}

// plainNumber takes the point that most of the world writes as a comma.
func plainNumber(value string) string {
	if strings.Count(value, ",") == 1 && !strings.Contains(value, ".") {
		return strings.Replace(value, ",", ".", 1)
	}
	return value
}
