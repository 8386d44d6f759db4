package ui

import (
	"math"
	"slices"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
)

// A Place is the last known position of a machine.
type Place struct {
	ID        string
	Name      string
	Latitude  float64 // in degrees
	Longitude float64 // in degrees
	Site      string
	Down      bool // the machine is out of order
	Stale     bool // the position is old
}

const (
	planWidth   = 640.0 // of the sheet, in its units
	planHeight  = 360.0
	planMargin  = 42.0
	kmPerDegree = 111.2 // of latitude
	leastSpan   = 0.4   // the least km that a plan shows
)

// Plan draws the positions to scale on a blank sheet with north at the top. It loads no map of another site. Machines
// that are close to each other share one mark with their number.
func Plan(places []Place) app.UI {
	if len(places) == 0 {
		return Empty(text.Of("plan.empty"), text.Of("plan.empty.text"))
	}
	view := fit(places)
	bar, km := view.scaleBar()
	width, height := coordinate(planWidth), coordinate(planHeight)
	body := []app.UI{svg("rect", "width", width, "height", height, "rx", "8", "class", "plan-sheet")}
	for x := bar; x < planWidth; x += bar {
		at := coordinate(x)
		body = append(body, svg("line", "x1", at, "x2", at, "y1", "0", "y2", height, "class", "plan-grid"))
	}
	for y := bar; y < planHeight; y += bar {
		at := coordinate(y)
		body = append(body, svg("line", "y1", at, "y2", at, "x1", "0", "x2", width, "class", "plan-grid"))
	}
	for _, m := range gather(places, view) {
		body = append(body, m.draw())
	}
	scale := svg("path", "d", "M12 "+coordinate(planHeight-16)+"v4h"+coordinate(bar)+"v-4", "class", "plan-scale")
	body = append(body,
		scale,
		planLabel(16, planHeight-20, text.Of("plan.km", text.Decimal(km))),
		planLabel(planWidth-22, 24, text.Of("plan.north")))
	words := text.Of("plan.words", text.Count("machines", len(places)), text.Count("sites", sites(places)))
	return picture("plan", words, planWidth, planHeight).Body(body...)
}

// planLabel writes a text at a position of the sheet.
func planLabel(x, y float64, words string) app.HTMLElem {
	return svg("text", "x", coordinate(x), "y", coordinate(y), "class", "plan-label").Body(app.Text(words))
}

// sites returns the number of different sites.
func sites(places []Place) int {
	names := map[string]bool{}
	for _, p := range places {
		names[p.Site] = true
	}
	return len(names)
}

// A view maps degrees to the sheet. It is an equirectangular projection about the middle of the places, which is exact
// enough within a region.
type view struct {
	lat   float64 // latitude of the middle, in degrees
	lng   float64 // longitude of the middle, in degrees
	scale float64 // units of the sheet for each km
}

// fit returns the view that shows all places.
func fit(places []Place) view {
	lats, lngs := make([]float64, len(places)), make([]float64, len(places))
	for i, p := range places {
		lats[i], lngs[i] = p.Latitude, p.Longitude
	}
	v := view{
		lat: (slices.Min(lats) + slices.Max(lats)) / 2,
		lng: (slices.Min(lngs) + slices.Max(lngs)) / 2,
	}
	wide := (slices.Max(lngs) - slices.Min(lngs)) * v.kmPerDegreeOfLongitude()
	tall := (slices.Max(lats) - slices.Min(lats)) * kmPerDegree
	v.scale = min(
		(planWidth-2*planMargin)/max(wide, leastSpan),
		(planHeight-2*planMargin)/max(tall, leastSpan))
	return v
}

func (v view) kmPerDegreeOfLongitude() float64 { return kmPerDegree * math.Cos(v.lat*math.Pi/180) }

// at returns the position of a place on the sheet.
func (v view) at(p Place) (x, y float64) {
	x = planWidth/2 + (p.Longitude-v.lng)*v.kmPerDegreeOfLongitude()*v.scale
	y = planHeight/2 - (p.Latitude-v.lat)*kmPerDegree*v.scale
	return x, y
}

// scaleBar returns a round number of km and its length on the sheet.
func (v view) scaleBar() (length, km float64) {
	for _, km = range []float64{.1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000} {
		if km*v.scale >= 60 {
			break
		}
	}
	return km * v.scale, km
}

// A mark stands for machines that are close to each other.
type mark struct {
	x, y   float64 // in units of the sheet
	places []Place
	down   bool // one of the machines is out of order
	stale  bool // all positions are old
}

const (
	markDistance  = 30.0 // in units of the sheet: machines that are closer share a mark
	labelDistance = 18.0 // in units of the sheet: from a mark to its label
)

// gather returns the marks of places.
func gather(places []Place, v view) (marks []mark) {
next:
	for _, p := range places {
		x, y := v.at(p)
		for i := range marks {
			if m := &marks[i]; math.Hypot(m.x-x, m.y-y) < markDistance {
				m.places = append(m.places, p)
				m.down = m.down || p.Down
				m.stale = m.stale && p.Stale
				continue next
			}
		}
		marks = append(marks, mark{x, y, []Place{p}, p.Down, p.Stale})
	}
	return marks
}

func (m mark) draw() app.UI {
	class, label := "plan-mark", m.places[0].Name
	if m.down {
		class += " plan-down"
	}
	if m.stale {
		class += " plan-stale"
	}
	x, y, textY := coordinate(m.x), coordinate(m.y), coordinate(m.y+4)
	radius := 7.0
	number := app.UI(svg("tspan"))
	if n := len(m.places); n > 1 {
		radius, label = 11, m.places[0].Site
		number = svg("text", "x", x, "y", textY, "class", "plan-number").Body(app.Text(text.Number(n)))
	}
	anchor, labelX := "start", m.x+labelDistance
	if m.x > planWidth*.7 { // else the label would leave the sheet
		anchor, labelX = "end", m.x-labelDistance
	}
	return svg("g", "class", class).Body(
		svg("circle", "cx", x, "cy", y, "r", coordinate(radius)),
		number,
		planLabel(labelX, m.y+4, label).Attr("text-anchor", anchor))
}

// Legend returns one entry of the legend of a plan. The class is the one of the mark.
func Legend(class, words string) app.UI {
	mark := El("span", "").
		Class("legend-mark", class).
		Aria("hidden", "true")
	return El("li", "", mark, app.Text(words))
}
