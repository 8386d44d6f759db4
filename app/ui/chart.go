package ui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
)

// Sparkline is the course of a figure; nothing where there is none yet. It is
// for the eye: the figure's own words say how it has changed.
func Sparkline(values []float64) app.UI {
	const width, height = 96, 24
	least, most := 0.0, 1.0
	if len(values) > 0 {
		least, most = slices.Min(values), slices.Max(values)
	}
	if len(values) < 2 || least == most {
		return picture("sparkline", "", width, height)
	}
	var points []string
	x, y := 0.0, 0.0
	for i, v := range values {
		x, y = 2+float64(i)*(width-4)/float64(len(values)-1), height-3-(v-least)*(height-6)/(most-least)
		points = append(points, coordinate(x)+","+coordinate(y))
	}
	return picture("sparkline", "", width, height).Body(
		svg("polyline", "points", strings.Join(points, " "), "class", "sparkline-line"),
		svg("circle", "cx", coordinate(x), "cy", coordinate(y), "r", "2.5", "class", "sparkline-end"))
}

// Columns is a small chart of numbers over time, newest last.
func Columns(values []int, words string) app.UI {
	const width, height = 600, 96
	most := 1
	if len(values) > 0 {
		most = max(most, slices.Max(values))
	}
	step := float64(width) / float64(max(1, len(values)))
	return El("figure", "chart", picture("columns-chart", words, width, height).Attr("preserveAspectRatio", "none").Body(Each(len(values), func(i int) app.UI {
		tall := max(1, float64(values[i])/float64(most)*height)
		return svg("rect", "x", coordinate(float64(i)*step), "y", coordinate(height-tall), "width", coordinate(max(1, step-2)), "height", coordinate(tall), "class", "column")
	})),
		Line("figcaption", "row-meta", words))
}

// A Share is one bar of Shares.
type Share struct {
	Name  string
	Value float64
	Text  string // how the value is written
}

// Shares are bars beside each other's names, the longest first.
func Shares(all []Share) app.UI {
	if len(all) == 0 {
		return Empty(text.Of("admin.quiet"), text.Of("admin.quiet.text"))
	}
	sorted := make([]*Share, len(all)) // the sorting of pointers is in the wasm already
	for i := range all {
		sorted[i] = &all[i]
	}
	slices.SortFunc(sorted, func(a, b *Share) int { return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name)) })
	most := max(sorted[0].Value, 1e-9)
	return El("dl", "shares", Each(len(sorted), func(i int) app.UI {
		s := sorted[i]
		return El("div", "", Line("dt", "", s.Name), El("dd", "", picture("share", "", 100, 8).Attr("preserveAspectRatio", "none").Body(
			svg("rect", "width", "100", "height", "8", "rx", "2", "class", "share-track"),
			svg("rect", "width", coordinate(max(1, 100*s.Value/most)), "height", "8", "rx", "2", "class", "share-bar")),
			Line("span", "share-value", s.Text)))
	}))
}
