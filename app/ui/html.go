package ui

import (
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// El returns an element with its classes and its children. All elements have go-app's one type for any tag, because
// each type of its own adds some kilobytes to the program that the browser loads. The compiler must not inline these
// small functions for the same reason.
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

// TextEl returns an element whose only child is a text.
//
//go:noinline
func TextEl(tag, class, text string) app.HTMLElem { return El(tag, class, app.Text(text)) }

// Button returns a button that submits no form.
//
//go:noinline
func Button(class, label string) app.HTMLElem {
	return TextEl("button", class, label).Attr("type", "button")
}

// SmallButton returns a small button that calls press. Its label is its event scope.
func SmallButton(label string, press func()) app.HTMLElem {
	return Button("button button-small", label).OnClick(onEvent(press), app.EventScope(label))
}

// SubmitButton returns the button that submits its form.
func SubmitButton(label string) app.HTMLElem {
	return TextEl("button", "button button-primary", label).Attr("type", "submit")
}

// onEvent returns an event handler that calls act. The function act must not block.
//
//go:noinline
func onEvent(act func()) app.EventHandler {
	return func(app.Context, app.Event) { act() }
}

// Submit returns a form whose fields the program reads. Its method is "dialog", so that no field gets into an address
// when a browser submits the form by itself because the program has ended.
//
//go:noinline
func Submit(class string, children ...app.UI) app.HTMLElem {
	return El("form", class, children...).Attr("method", "dialog")
}

// Input returns an input element without attributes.
func Input() app.HTMLElem { return El("input", "") }

// Link returns a link to an address.
//
//go:noinline
func Link(class, href, label string) app.HTMLElem {
	return TextEl("a", class, label).Attr("href", href)
}

// Card returns a section of a page with a heading. The id of the heading is id + "-title".
func Card(class, id, title string, children ...app.UI) app.HTMLElem {
	head := TextEl("h2", "", title).ID(id + "-title")
	body := append([]app.UI{head}, children...)
	return El("section", strings.TrimSpace("card "+class), body...).Aria("labelledby", id+"-title")
}

// HeadedCard is like Card, but its heading shares a line with other controls.
func HeadedCard(class, id, title string, controls []app.UI, children ...app.UI) app.HTMLElem {
	heading := TextEl("h2", "", title).ID(id + "-title")
	head := El("div", "card-head", append([]app.UI{heading}, controls...)...)
	body := append([]app.UI{head}, children...)
	return El("section", "card "+class, body...).Aria("labelledby", id+"-title")
}

// Each returns n elements.
//
//go:noinline
func Each(n int, element func(i int) app.UI) app.UI {
	return app.Range(make([]struct{}, n)).Slice(element)
}

// If returns the element of show if shown is true. Otherwise it takes no place among its siblings.
//
//go:noinline
func If(shown bool, show func() app.UI) app.Condition { return app.If(shown, show) }

// Slot returns a permanent place, which holds the element of show if shown is true. The siblings after it keep their
// positions, by which go-app identifies elements.
//
//go:noinline
func Slot(shown bool, show func() app.UI) app.UI { return El("div", "", app.If(shown, show)) }

// Keyed returns an element that stands for one thing. Its tag is made of the key, so that go-app never takes it for the
// element of another thing at the same position: the focus must not move from one thing to the next.
func Keyed(key string, body ...app.UI) app.HTMLElem {
	return app.Elem("y-" + hashOf(key)).Class("keyed").Body(body...)
}
