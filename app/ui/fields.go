package ui

import "github.com/maxence-charriere/go-app/v10/pkg/app"

// Field returns a control with its label.
//
//go:noinline
func Field(id, label string, control app.UI) app.UI {
	return El("div", "field",
		TextEl("label", "", label).Attr("for", id),
		control)
}

// emptyValue stands for an empty value in a select: go-app leaves out an attribute that is empty, and the browser then
// takes the text of the option for its value.
const emptyValue = "-"

// An Option is one value of a Select.
type Option struct {
	Value string
	Label string
}

// Select returns a labelled select element with one of its options selected. It calls changed with the value that the
// user selects; nil ignores it. The event scope of changed is the id and scope.
func Select(
	id, label string,
	options []Option,
	selected string,
	changed func(ctx app.Context, value string),
	scope ...any,
) app.UI {
	choices := Each(len(options), func(i int) app.UI {
		o := options[i]
		return TextEl("option", "", o.Label).
			Attr("value", SelectValue(o.Value)).
			Attr("selected", selected == o.Value)
	})
	control := El("select", "", choices).ID(id)
	if changed != nil {
		control = control.OnChange(func(ctx app.Context, e app.Event) {
			value := e.Get("target").Get("value").String()
			if value == emptyValue {
				value = ""
			}
			changed(ctx, value)
		}, app.EventScope(append([]any{id}, scope...)...))
	}
	return Field(id, label, control)
}

// SelectValue returns a value as the options of a Select hold it.
func SelectValue(value string) string {
	if value == "" {
		return emptyValue
	}
	return value
}

// Checkbox returns a checkbox. It calls changed with the new state. Its event scope is the id.
func Checkbox(id string, checked bool, changed func(checked bool)) app.HTMLElem {
	return Input().
		Attr("type", "checkbox").
		ID(id).
		Attr("checked", checked).
		OnChange(func(_ app.Context, e app.Event) {
			changed(e.Get("target").Get("checked").Bool())
		}, app.EventScope(id))
}

// CheckField returns a checkbox with its label beside it.
func CheckField(id, label string, checked bool, changed func(checked bool)) app.UI {
	return El("div", "field field-check",
		TextEl("label", "", label).Attr("for", id),
		Checkbox(id, checked, changed))
}

// HiddenLabelCheckbox returns a checkbox whose label only screen readers read, for a cell of a table.
func HiddenLabelCheckbox(id, label string, checked bool, changed func(checked bool)) app.UI {
	return El("label", "check",
		Checkbox(id, checked, changed),
		TextEl("span", "visually-hidden", label))
}

// ControlValue returns the value of a control that is on the page.
func ControlValue(id string) string {
	return app.Window().GetElementByID(id).Get("value").String()
}
