package ui

import (
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// El is an element with its classes and children. All elements are of go-app's
// one type for any tag: each type of its own costs the browser some kilobytes
// to load.
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
func Line(tag, class, text string) app.HTMLElem { return El(tag, class, app.Text(text)) }

// Button is a button that submits nothing.
func Button(class, label string) app.HTMLElem {
	return Line("button", class, label).Attr("type", "button")
}

// Link leads to a page.
func Link(class, href, label string) app.HTMLElem { return Line("a", class, label).Attr("href", href) }

// Card is a part of a page with a name of its own.
func Card(class, id, title string, children ...app.UI) app.HTMLElem {
	head := Line("h2", "", title).ID(id + "-title")
	return El("section", strings.TrimSpace("card "+class), append([]app.UI{head}, children...)...).Aria("labelledby", id+"-title")
}

// When is a permanent place for what is not always there: what comes after it
// keeps its position, by which go-app tells elements apart.
func When(there bool, show func() app.UI) app.UI { return El("div", "", app.If(there, show)) }
