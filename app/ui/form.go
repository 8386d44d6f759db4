package ui

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
)

// A Form lets the user write an event of a type. It has one control for each field that the vocabulary declares, with
// the limits of the field. The controls keep their values themselves: Fill sets the values, and Read returns them.
type Form struct {
	ID      string         // of the form element; ids of controls begin with it
	Type    event.Type     // the type of the event
	Fixed   []string       // fields without a control, because the event is about them
	Problem *event.Problem // shown beside the controls; nil for none
	Send    func()         // called when the user submits the form
	Cancel  func()         // called by the button Cancel; nil for no such button
	Action  string         // the label of the button that submits
}

func (f Form) controlID(name string) string { return f.ID + "-" + name }

// controls returns the fields that have a control.
func (f Form) controls() (fields []event.FieldSpec) {
	for _, s := range event.Fields(f.Type) {
		if !slices.Contains(f.Fixed, s.Name) {
			fields = append(fields, s)
		}
	}
	return fields
}

// Render returns the form. The fields that the user must fill in come first. The others are folded away, unless one of
// them has a problem.
func (f Form) Render() app.UI {
	var needed, optional []event.FieldSpec
	problemFolded := false
	for _, s := range f.controls() {
		if s.Required || s.Strict {
			needed = append(needed, s)
			continue
		}
		optional = append(optional, s)
		problemFolded = problemFolded || f.problemOf(s.Name) != ""
	}
	fields := El("div", "fields", Each(len(needed), func(i int) app.UI { return f.field(needed[i]) }))
	folded := El("details", "fields-more",
		TextEl("summary", "", text.Count("form.more", len(optional))),
		El("div", "fields", Each(len(optional), func(i int) app.UI { return f.field(optional[i]) })),
	).Attr("open", problemFolded)
	cancel := If(f.Cancel != nil, func() app.UI {
		return Button("button", text.Of("cancel")).OnClick(onEvent(f.Cancel), app.EventScope(f.ID))
	})
	submit := func(_ app.Context, e app.Event) {
		e.PreventDefault()
		f.Send()
	}
	return Submit("form",
		Message("problem", "alert", f.problemOf("")),
		fields,
		folded,
		El("div", "buttons", SubmitButton(f.Action), cancel),
	).
		ID(f.ID).
		Attr("novalidate", true).
		OnSubmit(submit, app.EventScope(f.ID, string(f.Type)))
}

// problemOf returns the problem of a field, and "" for none. The name "" asks for a problem that belongs to no control.
func (f Form) problemOf(name string) string {
	if f.Problem == nil {
		return ""
	}
	for _, p := range f.Problem.Fields {
		field, _, _ := strings.Cut(strings.TrimPrefix(p.Pointer, "/data/"), "/")
		_, declared := event.Spec(f.Type, field)
		hasControl := declared && strings.HasPrefix(p.Pointer, "/data/")
		if name == field || name == "" && !hasControl {
			return text.Of("form.expected", p.Expected)
		}
	}
	return ""
}

// field renders a field: label, control, hint and problem.
func (f Form) field(s event.FieldSpec) app.UI {
	id, problem := f.controlID(s.Name), f.problemOf(s.Name)
	label := text.Label(s.Name)
	if s.Required {
		label += " *"
	}
	class, hint := "field", hintOf(s)
	if problem != "" {
		hint = "" // the problem names the accepted values, too
	}
	if s.Kind == event.KindBool {
		class += " field-check"
	}
	problemText := Slot(problem != "", func() app.UI {
		return TextEl("p", "problem", problem).ID(id + "-problem").Role("alert")
	})
	return El("div", class,
		TextEl("label", "", label).Attr("for", id),
		f.control(s, id, problem),
		TextEl("p", "field-hint", hint).ID(id+"-hint"),
		problemText)
}

// hintOf returns a description of the values that a control accepts, and "" if the control itself shows them.
func hintOf(s event.FieldSpec) string {
	isChoice := s.Enum != nil && s.Kind == event.KindString
	isFreeText := s.Kind == event.KindString && s.Format == ""
	if isChoice || isFreeText || s.Kind == event.KindBool || s.Kind == event.KindTime || s.Format == "date" {
		return ""
	}
	return s.Limits()
}

// control returns the native control of a field, because browsers make native controls accessible.
func (f Form) control(s event.FieldSpec, id, problem string) app.UI {
	describedBy := id + "-hint"
	if problem != "" {
		describedBy += " " + id + "-problem"
	}
	withAttributes := func(e app.HTMLElem) app.HTMLElem {
		return e.
			ID(id).
			Attr("name", s.Name).
			Attr("required", s.Required).
			Aria("describedby", describedBy).
			Aria("invalid", problem != "")
	}
	if s.Enum != nil && s.Kind == event.KindString {
		values := append([]string{""}, s.Enum...)
		options := Each(len(values), func(i int) app.UI {
			return TextEl("option", "", text.Label(values[i])).Attr("value", values[i])
		})
		return withAttributes(El("select", "", options))
	}
	return withInputType(withAttributes(Input()).Attr("autocomplete", "off"), s)
}

// withInputType adds the attributes that tell the browser which values an input accepts.
func withInputType(input app.HTMLElem, s event.FieldSpec) app.UI {
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

// FocusProblem moves the focus to the first control with a problem. The form must be on the page and show the problem.
func (f Form) FocusProblem(app.Context) {
	document := app.Window().Get("document")
	if control := document.Call("querySelector", "#"+f.ID+" [aria-invalid=true]"); control.Truthy() {
		control.Call("focus")
	}
}

// Fill sets the controls to data. It empties the controls of fields that data lacks. The form must be on the page.
func (f Form) Fill(data event.Object) {
	for _, s := range f.controls() {
		control := app.Window().GetElementByID(f.controlID(s.Name))
		if !control.Truthy() {
			continue
		}
		switch {
		case s.Kind == event.KindBool:
			control.Set("checked", data.Bool(s.Name))
		case s.Kind == event.KindTime && data.Has(s.Name):
			at, _ := time.Parse(time.RFC3339Nano, data.Text(s.Name)) // the data is valid
			control.Set("value", text.Local(at).Format("2006-01-02T15:04:05"))
		case s.Kind == event.KindIntList || s.Kind == event.KindTextList:
			control.Set("value", listText(data.Get(s.Name)))
		default:
			control.Set("value", data.Text(s.Name))
		}
	}
}

// listText returns a JSON list as users type it.
func listText(raw json.RawMessage) string {
	return strings.ReplaceAll(strings.Trim(string(raw), "[]"), `"`, "")
}

// Read returns an event with the fields of fixed and the values of the controls. Its error is an *event.Problem, which
// the caller puts into Problem.
func (f Form) Read(fixed event.Object) (event.Event, error) {
	data := fixed
	for _, s := range f.controls() {
		control := app.Window().GetElementByID(f.controlID(s.Name))
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

// encode returns the typed text as JSON of the field's kind. It returns any other text as a JSON string, because the
// vocabulary refuses such a value with a sentence of its own.
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

// plainNumber replaces a decimal comma by the point that JSON needs.
func plainNumber(value string) string {
	if strings.Count(value, ",") == 1 && !strings.Contains(value, ".") {
		return strings.Replace(value, ",", ".", 1)
	}
	return value
}
