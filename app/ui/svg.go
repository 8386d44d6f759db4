package ui

import (
	"strconv"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// svg returns an SVG element. The attributes are names and values in turn.
func svg(tag string, attributes ...any) app.HTMLElem {
	e := app.Elem(tag).XMLNS("http://www.w3.org/2000/svg")
	for i := 0; i+1 < len(attributes); i += 2 {
		e = e.Attr(attributes[i].(string), attributes[i+1])
	}
	return e
}

// picture returns an SVG with a width and a height in units of its own. The words describe it to screen readers; if
// they are "", screen readers skip it.
func picture(class, words string, width, height float64) app.HTMLElem {
	e := svg("svg",
		"viewBox", "0 0 "+coordinate(width)+" "+coordinate(height),
		"class", class,
		"focusable", "false")
	if words == "" {
		return e.Attr("aria-hidden", "true")
	}
	return e.Attr("role", "img").Attr("aria-label", words)
}

// coordinate returns a number of a drawing with one decimal.
func coordinate(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
