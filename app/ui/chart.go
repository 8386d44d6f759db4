package ui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
)

// Sparkline draws the trend of a figure, oldest value first. It draws nothing for fewer than two values, and nothing if
// all values are the same. Screen readers skip it, because the hint of the figure says how the figure has changed.
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
		x = 2 + float64(i)*(width-4)/float64(len(values)-1)
		y = height - 3 - (v-least)*(height-6)/(most-least)
		points = append(points, coordinate(x)+","+coordinate(y))
	}
	line := svg("polyline", "points", strings.Join(points, " "), "class", "sparkline-line")
	end := svg("circle", "cx", coordinate(x), "cy", coordinate(y), "r", "2.5", "class", "sparkline-end")
	return picture("sparkline", "", width, height).Body(line, end)
}

// Columns draws a column for each number, newest last. The caption is also what screen readers read.
func Columns(values []int, caption string) app.UI {
	const width, height = 600, 96
	most := 1
	if len(values) > 0 {
		most = max(most, slices.Max(values))
	}
	step := float64(width) / float64(max(1, len(values)))
	columns := Each(len(values), func(i int) app.UI {
		tall := max(1, float64(values[i])/float64(most)*height)
		return svg("rect",
			"x", coordinate(float64(i)*step),
			"y", coordinate(height-tall),
			"width", coordinate(max(1, step-2)),
			"height", coordinate(tall),
			"class", "column")
	})
	drawing := picture("columns-chart", caption, width, height).
		Attr("preserveAspectRatio", "none").
		Body(columns)
	return El("figure", "chart",
		drawing,
		TextEl("figcaption", "row-meta", caption))
}

// A Share is one bar of Shares.
type Share struct {
	Name  string
	Value float64
	Text  string // the value as users read it
}

// Shares draws a bar for each share beside its name, the longest first.
func Shares(all []Share) app.UI {
	if len(all) == 0 {
		return Empty(text.Of("admin.quiet"), text.Of("admin.quiet.text"))
	}
	// The program already has code that sorts pointers. Code that sorts values would make it larger.
	sorted := make([]*Share, len(all))
	for i := range all {
		sorted[i] = &all[i]
	}
	slices.SortFunc(sorted, func(a, b *Share) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name))
	})
	most := max(sorted[0].Value, 1e-9)
	return El("dl", "shares", Each(len(sorted), func(i int) app.UI {
		s := sorted[i]
		return El("div", "",
			TextEl("dt", "", s.Name),
			El("dd", "",
				shareBar(s.Value/most),
				TextEl("span", "share-value", s.Text)))
	}))
}

// shareBar draws a bar that is filled to a part between 0 and 1.
func shareBar(part float64) app.UI {
	track := svg("rect", "width", "100", "height", "8", "rx", "2", "class", "share-track")
	bar := svg("rect", "width", coordinate(max(1, 100*part)), "height", "8", "rx", "2", "class", "share-bar")
	return picture("share", "", 100, 8).Attr("preserveAspectRatio", "none").Body(track, bar)
}
