package ui

import (
	"math"
	"slices"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
)

// A Place is where a machine was last.
type Place struct {
	ID, Name  string
	Latitude  float64
	Longitude float64
	Site      string
	Down      bool // it is out of order
	Stale     bool // the fix is old
}

const (
	planWidth, planHeight = 640.0, 360.0
	planMargin            = 42.0
	kmPerDegree           = 111.2 // of latitude
	leastSpan             = 0.4   // km that a plan shows at least
)

// Plan draws places to scale on a blank sheet, north up: no map of anybody
// else's is loaded. Machines that are close to each other stand as one mark with
// their number.
func Plan(places []Place) app.UI {
	if len(places) == 0 {
		return Empty(text.Of("plan.empty"), text.Of("plan.empty.text"))
	}
	view := fit(places)
	marks := gather(places, view)
	bar, km := view.scaleBar()
	body := []app.UI{svg("rect", "width", coordinate(planWidth), "height", coordinate(planHeight), "rx", "8", "class", "plan-sheet")}
	for x := bar; x < planWidth; x += bar {
		body = append(body, svg("line", "x1", coordinate(x), "x2", coordinate(x), "y1", "0", "y2", coordinate(planHeight), "class", "plan-grid"))
	}
	for y := bar; y < planHeight; y += bar {
		body = append(body, svg("line", "y1", coordinate(y), "y2", coordinate(y), "x1", "0", "x2", coordinate(planWidth), "class", "plan-grid"))
	}
	for _, m := range marks {
		body = append(body, m.draw())
	}
	body = append(body,
		svg("path", "d", "M12 "+coordinate(planHeight-16)+"v4h"+coordinate(bar)+"v-4", "class", "plan-scale"),
		svg("text", "x", "16", "y", coordinate(planHeight-20), "class", "plan-label").Body(app.Text(text.Of("plan.km", text.Decimal(km)))),
		svg("text", "x", coordinate(planWidth-22), "y", "24", "class", "plan-label").Body(app.Text(text.Of("plan.north"))))
	return picture("plan", text.Of("plan.words", text.Count("machines", len(places)), text.Count("sites", sites(places))), planWidth, planHeight).Body(body...)
}

func sites(places []Place) int {
	names := map[string]bool{}
	for _, p := range places {
		names[p.Site] = true
	}
	return len(names)
}

// A view maps degrees to the sheet: an equirectangular projection about the
// middle of what it shows, good within a region.
type view struct {
	lat, lng float64 // of the middle
	scale    float64 // units of the sheet a km
}

func fit(places []Place) view {
	lats, lngs := make([]float64, len(places)), make([]float64, len(places))
	for i, p := range places {
		lats[i], lngs[i] = p.Latitude, p.Longitude
	}
	v := view{lat: (slices.Min(lats) + slices.Max(lats)) / 2, lng: (slices.Min(lngs) + slices.Max(lngs)) / 2}
	wide := (slices.Max(lngs) - slices.Min(lngs)) * kmPerDegree * math.Cos(v.lat*math.Pi/180)
	tall := (slices.Max(lats) - slices.Min(lats)) * kmPerDegree
	v.scale = min((planWidth-2*planMargin)/max(wide, leastSpan), (planHeight-2*planMargin)/max(tall, leastSpan))
	return v
}

func (v view) at(p Place) (x, y float64) {
	x = planWidth/2 + (p.Longitude-v.lng)*kmPerDegree*math.Cos(v.lat*math.Pi/180)*v.scale
	return x, planHeight/2 - (p.Latitude-v.lat)*kmPerDegree*v.scale
}

// scaleBar is a round number of km and its length on the sheet.
func (v view) scaleBar() (length, km float64) {
	for _, km = range []float64{.1, .2, .5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000} {
		if km*v.scale >= 60 {
			break
		}
	}
	return km * v.scale, km
}

// A mark stands for the machines of about one place.
type mark struct {
	x, y        float64
	places      []Place
	down, stale bool
}

// In units of the sheet: from where machines stand as one mark, and how far from
// it its name is.
const (
	closeBy = 30.0
	beside  = 18.0
)

func gather(places []Place, v view) (marks []mark) {
next:
	for _, p := range places {
		x, y := v.at(p)
		for i := range marks {
			if m := &marks[i]; math.Hypot(m.x-x, m.y-y) < closeBy {
				m.places, m.down, m.stale = append(m.places, p), m.down || p.Down, m.stale && p.Stale
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
	radius := 7.0
	number := app.UI(svg("tspan"))
	if n := len(m.places); n > 1 {
		radius, label = 11, m.places[0].Site
		number = svg("text", "x", coordinate(m.x), "y", coordinate(m.y+4), "class", "plan-number").Body(app.Text(text.Number(n)))
	}
	anchor, at := "start", m.x+beside
	if m.x > planWidth*.7 {
		anchor, at = "end", m.x-beside
	}
	return svg("g", "class", class).Body(svg("circle", "cx", coordinate(m.x), "cy", coordinate(m.y), "r", coordinate(radius)), number,
		svg("text", "x", coordinate(at), "y", coordinate(m.y+4), "text-anchor", anchor, "class", "plan-label").Body(app.Text(label)))
}
