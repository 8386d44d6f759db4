package ui

import (
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// El is an element with its classes and children. All elements are of go-app's
// one type for any tag: each type of its own costs the browser some kilobytes
// to load. So do the many copies that the compiler would make of these small
// functions, which is why it is told not to.
//
//go:noinline
func El(tag, class string, children ...app.UI) app.HTMLElem {
	e := app.Elem(tag)
	if class != "" {
		e = e.Class(class)
	}
	if len(children) > 0 {
		e = e.Body(children...)
	}
	return e
}

// Line is an element with a text.
//
//go:noinline
func Line(tag, class, text string) app.HTMLElem { return El(tag, class, app.Text(text)) }

// Button is a button that submits nothing.
//
//go:noinline
func Button(class, label string) app.HTMLElem {
	return Line("button", class, label).Attr("type", "button")
}

// Submit returns a form whose fields the program reads. Its method is "dialog", so that no field gets into an address
// when a browser submits the form by itself because the program has ended.
//
//go:noinline
func Submit(class string, children ...app.UI) app.HTMLElem {
	return El("form", class, children...).Attr("method", "dialog")
}

// Input is a control without its attributes.
func Input() app.HTMLElem { return El("input", "") }

// Link leads to a page.
//
//go:noinline
func Link(class, href, label string) app.HTMLElem { return Line("a", class, label).Attr("href", href) }

// Card is a part of a page with a name of its own.
func Card(class, id, title string, children ...app.UI) app.HTMLElem {
	head := Line("h2", "", title).ID(id + "-title")
	return El("section", strings.TrimSpace("card "+class), append([]app.UI{head}, children...)...).Aria("labelledby", id+"-title")
}

// Each is as many elements as there are things.
//
//go:noinline
func Each(n int, element func(i int) app.UI) app.UI {
	return app.Range(make([]struct{}, n)).Slice(element)
}

// If is what is not always there, and takes no place then.
//
//go:noinline
func If(there bool, show func() app.UI) app.Condition { return app.If(there, show) }

// When is a permanent place for what is not always there: what comes after it
// keeps its position, by which go-app tells elements apart.
//
//go:noinline
func When(there bool, show func() app.UI) app.UI { return El("div", "", app.If(there, show)) }

// none stands for an empty value in a select: go-app leaves out an attribute
// that is empty, and the browser takes the option's text then.
const none = "-"

// An Option is one value of a Choice.
type Option struct{ Value, Label string }

// Choice is a labelled select. changed may be nil. scope tells changed apart
// from that of an earlier render.
func Choice(id, label string, options []Option, now string, changed func(ctx app.Context, value string), scope ...any) app.UI {
	choice := El("select", "", Each(len(options), func(i int) app.UI {
		o := options[i]
		return Line("option", "", o.Label).Attr("value", SelectValue(o.Value)).Attr("selected", now == o.Value)
	})).ID(id)
	if changed != nil {
		choice = choice.OnChange(func(ctx app.Context, e app.Event) {
			value := e.Get("target").Get("value").String()
			if value == none {
				value = ""
			}
			changed(ctx, value)
		}, app.EventScope(append([]any{id}, scope...)...))
	}
	return Field(id, label, choice)
}

// SelectValue is a value as the options of a Choice have it.
func SelectValue(value string) string {
	if value == "" {
		return none
	}
	return value
}

// Field is a control with its label.
//
//go:noinline
func Field(id, label string, control app.UI) app.UI {
	return El("div", "field", Line("label", "", label).Attr("for", id), control)
}
