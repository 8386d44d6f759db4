package pages

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

// A machine is what is known of one unit: where it was last, and what is wrong
// with it.
type machine struct {
	id, name string             // one of the two may be ""
	named    uint64             // where in the log the name is from: the last one counts
	fix      *projection.Entity // nil where none is known
	cases    []*projection.Entity
}

// down tells whether a case keeps it from being rented.
func (m *machine) down() bool {
	return slices.ContainsFunc(m.cases, func(c *projection.Entity) bool { return c.Fields.Bool("blocks_rental") })
}

// staleAfter is how old a fix may be, as the figure has it.
const staleAfter = 24 * time.Hour

func (m *machine) stale(now time.Time) bool {
	return m.fix != nil && now.Sub(fixTime(m.fix)) > staleAfter
}

func fixTime(fix *projection.Entity) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, fix.Fields.Text("recorded_at")) // the fold has set it
	return at
}

// machines are all units that some event has told about, by their names.
func (r *Root) machines() []*machine {
	of := map[string]*machine{}
	get := func(e *projection.Entity) *machine {
		o := e.Fields
		key := cmp.Or(o.Text("equipment_id"), o.Text("equipment_name"))
		if of[key] == nil {
			of[key] = &machine{}
		}
		m := of[key]
		m.id = cmp.Or(m.id, o.Text("equipment_id"))
		if name := o.Text("equipment_name"); name != "" && e.Seq >= m.named {
			m.name, m.named = name, e.Seq
		}
		return m
	}
	for _, e := range r.byType(event.TypeEquipmentLocationUpdated, false) {
		get(e).fix = e
	}
	for _, e := range r.byType(event.TypeMaintenanceRequired, true) {
		m := get(e)
		m.cases = append(m.cases, e)
	}
	var all []*machine
	for _, m := range of {
		slices.SortFunc(m.cases, func(a, b *projection.Entity) int { return cmp.Compare(a.Key, b.Key) })
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *machine) int { return cmp.Or(cmp.Compare(a.title(), b.title()), cmp.Compare(a.id, b.id)) })
	return all
}

func (m *machine) title() string { return cmp.Or(m.name, text.Of("unit.title", "#"+m.id)) }

// equipment is the page /equipment.
func (r *Root) equipment() app.UI {
	parts := []part{{key: "all"}, {key: "faults"}, {key: "moving"}, {key: "stale"}}
	var places []ui.Place
	for _, m := range r.machines() {
		card := r.machineItem(m).card()
		in := []bool{true, len(m.cases) > 0, m.fix != nil && m.fix.Fields.Text("movement") == "moving", m.stale(r.now)}
		for i := range parts {
			if in[i] {
				parts[i].cards = append(parts[i].cards, card)
			}
		}
		if m.fix != nil && m.fix.Fields.Has("latitude") {
			o := m.fix.Fields
			places = append(places, ui.Place{ID: m.id, Name: m.title(), Latitude: o.Number("latitude"), Longitude: o.Number("longitude"), Site: o.Text("location_name"), Down: m.down(), Stale: m.stale(r.now)})
		}
	}
	return r.page(text.Of("page.equipment"),
		ui.Slot(len(places) > 0, func() app.UI {
			return ui.El("section", "card plan-card", ui.El("div", "card-head", ui.TextEl("h2", "", text.Of("plan")).ID("plan-title"),
				ui.El("ul", "legend", legend("", "plan.fine"), legend("plan-down", "plan.down"), legend("plan-stale", "plan.stale"))),
				ui.Plan(places)).Aria("labelledby", "plan-title")
		}),
		ui.El("div", "buttons", r.action(event.TypeMaintenanceRequired, "", "fault", 0, text.Of("unit.report.new"), func() {
			r.ask(text.Of("unit.report"), text.Of("unit.report.send"), event.TypeMaintenanceRequired, nil)
		})),
		r.board("equipment", parts))
}

func legend(class, key string) app.UI {
	return ui.El("li", "", ui.El("span", "").Class("legend-mark", class).Aria("hidden", "true"), app.Text(text.Of(key)))
}

func (r *Root) machineItem(m *machine) item {
	i := item{id: cmp.Or(m.id, m.name), title: m.title(), href: "/equipment/" + url.PathEscape(cmp.Or(m.id, m.name)), chip: text.Of("unit.fine"), tone: "success"}
	if m.fix != nil {
		o := m.fix.Fields
		if place := o.Text("location_name"); place != "" {
			i.lines = append(i.lines, line{text.Label("location_name"), place})
		}
		if o.Has("movement") {
			i.lines = append(i.lines, line{text.Label("movement"), text.Label(o.Text("movement"))})
		}
		i.lines = append(i.lines, line{text.Of("unit.seen"), text.Relative(fixTime(m.fix), r.now)})
		if o.Has("battery_pct") {
			i.lines = append(i.lines, line{text.Of("unit.battery"), text.Percent(int(o.Int("battery_pct")))})
		}
		if m.stale(r.now) {
			i.chip, i.tone = text.Of("unit.stale"), "warning"
		}
	}
	for _, c := range m.cases {
		i.chip, i.tone = text.Of("unit.fault"), "warning"
		i.lines = append(i.lines, line{text.Label(event.ValueOrDefault(c.Type, c.Fields, "status")), c.Fields.Text("issue")})
	}
	if m.down() {
		i.chip, i.tone = text.Of("unit.down"), "error"
	}
	i.actions = r.machineActions(m)
	return i
}

// machineActions report faults, and move open cases on.
func (r *Root) machineActions(m *machine) (actions []app.UI) {
	for _, c := range m.cases {
		move := func(status, label string) app.UI {
			name := text.Of(label)
			if len(m.cases) > 1 {
				name = text.Of("unit.of", name, c.Fields.Text("issue"))
			}
			return r.action(c.Type, eventOf(c).Subject, c.Key+status, c.Seq, name, func() {
				data := map[string]any{"equipment_name": c.Fields.Text("equipment_name"), "issue": c.Fields.Text("issue"), "status": status}
				for _, name := range []string{"maintenance_id", "equipment_id"} {
					if c.Fields.Has(name) {
						data[name] = c.Fields.Get(name)
					}
				}
				r.act(c.Type, data)
			})
		}
		if event.ValueOrDefault(c.Type, c.Fields, "status") == "open" {
			actions = append(actions, move("in_progress", "unit.start"))
		}
		actions = append(actions, move("resolved", "unit.resolve"))
	}
	return append(actions, r.action(event.TypeMaintenanceRequired, "", "fault-"+cmp.Or(m.id, m.name)+m.name, 0, text.Of("unit.report"), func() {
		fixed, about := event.Object{}, []string{"equipment_name"}
		quoted, _ := json.Marshal(m.title()) // a string always marshals
		fixed = fixed.With("equipment_name", quoted)
		if _, err := strconv.ParseInt(m.id, 10, 64); err == nil {
			fixed, about = fixed.With("equipment_id", json.RawMessage(m.id)), append(about, "equipment_id")
		}
		r.ask(text.Of("unit.report.of", m.title()), text.Of("unit.report.send"), event.TypeMaintenanceRequired, fixed, about...)
	}))
}

// unit is the page /equipment/{id}.
func (r *Root) unit() app.UI {
	id := r.id()
	m := &machine{id: id, name: id}
	if _, err := strconv.ParseInt(id, 10, 64); err == nil {
		m.name = ""
	}
	for _, other := range r.machines() {
		if other.id == id || other.id == "" && other.name == id {
			m = other
		}
	}
	rows := facts(m.fix, "location_name", "movement", "recorded_at", "battery_pct", "speed_kmh", "rental_id")
	for _, c := range m.cases {
		rows = append(rows, facts(c, "issue", "priority", "status", "due_date", "meter_reading", "estimated_cost")...)
	}
	return r.timeline(m.title(), rows, r.machineActions(m)...)
}
