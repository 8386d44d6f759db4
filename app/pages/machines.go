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

// A machine is one unit of the equipment: its last position and its open maintenance cases. Events name a machine by an
// id, by a name, or by both, so one of the two may be "".
type machine struct {
	id       string
	name     string
	namedAt  uint64             // the sequence number of the event that the name is from; the latest name counts
	position *projection.Entity // nil while it is unknown
	cases    []*projection.Entity
}

// machinesOf returns all machines that occur in events, ordered by their titles.
func machinesOf(h *host) []*machine {
	byKey := map[string]*machine{}
	machineOf := func(e *projection.Entity) *machine {
		o := e.Fields
		key := cmp.Or(o.Text("equipment_id"), o.Text("equipment_name"))
		if byKey[key] == nil {
			byKey[key] = &machine{}
		}
		m := byKey[key]
		m.id = cmp.Or(m.id, o.Text("equipment_id"))
		if name := o.Text("equipment_name"); name != "" && e.Seq >= m.namedAt {
			m.name, m.namedAt = name, e.Seq
		}
		return m
	}
	for _, e := range h.entities(event.TypeEquipmentLocationUpdated, false) {
		machineOf(e).position = e
	}
	for _, e := range h.entities(event.TypeMaintenanceRequired, true) {
		m := machineOf(e)
		m.cases = append(m.cases, e)
	}
	var all []*machine
	for _, m := range byKey {
		slices.SortFunc(m.cases, func(a, b *projection.Entity) int { return cmp.Compare(a.Key, b.Key) })
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *machine) int {
		return cmp.Or(cmp.Compare(a.title(), b.title()), cmp.Compare(a.id, b.id))
	})
	return all
}

// findMachine returns the machine with an id, or with a name if it has no id. It returns a machine without position and
// cases if the machine occurs in no event.
func findMachine(h *host, idOrName string) *machine {
	m := &machine{id: idOrName, name: idOrName}
	if _, err := strconv.ParseInt(idOrName, 10, 64); err == nil {
		m.name = ""
	}
	for _, other := range machinesOf(h) {
		if other.id == idOrName || other.id == "" && other.name == idOrName {
			m = other
		}
	}
	return m
}

func (m *machine) title() string { return cmp.Or(m.name, text.Of("unit.title", "#"+m.id)) }

// key returns the id of the machine, or its name if it has no id.
func (m *machine) key() string { return cmp.Or(m.id, m.name) }

// isDown reports whether one of the cases keeps the machine from being rented.
func (m *machine) isDown() bool {
	return slices.ContainsFunc(m.cases, func(c *projection.Entity) bool { return c.Fields.Bool("blocks_rental") })
}

func (m *machine) isMoving() bool { return fieldOf(m.position, "movement") == "moving" }

// maxPositionAge is the age at which a position becomes stale. The figure stale_locations uses the same age.
const maxPositionAge = 24 * time.Hour

// isStale reports whether the position is too old.
func (m *machine) isStale(now time.Time) bool {
	return m.position != nil && now.Sub(recordedAt(m.position)) > maxPositionAge
}

// recordedAt returns when a position was recorded.
func recordedAt(position *projection.Entity) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, position.Fields.Text("recorded_at")) // the projection has set the field
	return at
}

// card renders the card of the machine.
func (m *machine) card(h *host) app.UI {
	item := ui.Item{
		ID:      m.key(),
		Title:   m.title(),
		Link:    "/equipment/" + url.PathEscape(m.key()),
		State:   text.Of("unit.fine"),
		Tone:    "success",
		Actions: m.actions(h),
	}
	if m.position != nil {
		item.Facts = m.positionFacts(h.now)
		if m.isStale(h.now) {
			item.State, item.Tone = text.Of("unit.stale"), "warning"
		}
	}
	for _, c := range m.cases {
		item.State, item.Tone = text.Of("unit.fault"), "warning"
		status := event.ValueOrDefault(c.Type, c.Fields, "status")
		item.Facts = append(item.Facts, ui.TextFact(text.Label(status), c.Fields.Text("issue")))
	}
	if m.isDown() {
		item.State, item.Tone = text.Of("unit.down"), "error"
	}
	return item.Card()
}

// positionFacts returns the facts about the last position, which must be known.
func (m *machine) positionFacts(now time.Time) (facts []ui.Fact) {
	o := m.position.Fields
	if site := o.Text("location_name"); site != "" {
		facts = append(facts, ui.TextFact(text.Label("location_name"), site))
	}
	if o.Has("movement") {
		facts = append(facts, ui.TextFact(text.Label("movement"), text.Label(o.Text("movement"))))
	}
	facts = append(facts, ui.TextFact(text.Of("unit.seen"), text.Relative(recordedAt(m.position), now)))
	if o.Has("battery_pct") {
		battery := text.Percent(int(o.Int("battery_pct")))
		facts = append(facts, ui.TextFact(text.Of("unit.battery"), battery))
	}
	return facts
}

// actions returns the buttons of the machine: they move the open cases on and report a fault.
func (m *machine) actions(h *host) (buttons []app.UI) {
	for _, c := range m.cases {
		if event.ValueOrDefault(c.Type, c.Fields, "status") == "open" {
			buttons = append(buttons, m.caseButton(h, c, "in_progress", text.Of("unit.start")))
		}
		buttons = append(buttons, m.caseButton(h, c, "resolved", text.Of("unit.resolve")))
	}
	report := action{
		typ:   event.TypeMaintenanceRequired,
		scope: "fault-" + m.key() + m.name,
		label: text.Of("unit.report"),
		press: func() { m.showFaultForm(h) },
	}
	return append(buttons, h.button(report))
}

// caseButton renders the button that brings a maintenance case into another state. If the machine has several cases,
// the label names the case.
func (m *machine) caseButton(h *host, c *projection.Entity, status, label string) app.UI {
	if len(m.cases) > 1 {
		label = text.Of("unit.of", label, c.Fields.Text("issue"))
	}
	publish := func() {
		data := map[string]any{
			"equipment_name": c.Fields.Text("equipment_name"),
			"issue":          c.Fields.Text("issue"),
			"status":         status,
		}
		copyFields(data, c, "maintenance_id", "equipment_id")
		h.publish(c.Type, data)
	}
	return h.button(action{
		typ:     c.Type,
		subject: lastEvent(c).Subject,
		scope:   c.Key + status,
		version: c.Seq,
		label:   label,
		press:   publish,
	})
}

// copyFields copies the named fields of an entity into data. It leaves out the fields that the entity lacks.
func copyFields(data map[string]any, e *projection.Entity, names ...string) {
	for _, name := range names {
		if e.Fields.Has(name) {
			data[name] = e.Fields.Get(name)
		}
	}
}

// showFaultForm shows the form that reports a fault of the machine.
func (m *machine) showFaultForm(h *host) {
	fixed := []string{"equipment_name"}
	quoted, _ := json.Marshal(m.title()) // a string always marshals
	initial := event.Object{}.With("equipment_name", quoted)
	if _, err := strconv.ParseInt(m.id, 10, 64); err == nil {
		initial = initial.With("equipment_id", json.RawMessage(m.id))
		fixed = append(fixed, "equipment_id")
	}
	title := text.Of("unit.report.of", m.title())
	h.showForm(title, text.Of("unit.report.send"), event.TypeMaintenanceRequired, initial, fixed...)
}
