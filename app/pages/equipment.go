package pages

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
)

// equipmentPage is the page /equipment.
type equipmentPage struct {
	basicPage
	board board
}

func (p *equipmentPage) forget() { *p = equipmentPage{} }

func (p *equipmentPage) render(h *host) app.UI {
	parts := boardParts("equipment", "all", "faults", "moving", "stale")
	var places []ui.Place
	for _, m := range machinesOf(h) {
		card := m.card(h)
		addCard(parts, "all", card)
		if len(m.cases) > 0 {
			addCard(parts, "faults", card)
		}
		if m.isMoving() {
			addCard(parts, "moving", card)
		}
		if m.isStale(h.now) {
			addCard(parts, "stale", card)
		}
		if m.position != nil && m.position.Fields.Has("latitude") {
			places = append(places, placeOf(h, m))
		}
	}
	report := h.button(action{
		typ:   event.TypeMaintenanceRequired,
		scope: "fault",
		label: text.Of("unit.report.new"),
		press: func() {
			h.showForm(text.Of("unit.report"), text.Of("unit.report.send"), event.TypeMaintenanceRequired, nil)
		},
	})
	return h.frame(text.Of("page.equipment"),
		ui.Slot(len(places) > 0, func() app.UI { return planCard(places) }),
		ui.El("div", "buttons", report),
		p.board.render(h, "equipment", parts))
}

// placeOf returns the place of a machine whose position has coordinates.
func placeOf(h *host, m *machine) ui.Place {
	o := m.position.Fields
	return ui.Place{
		ID:        m.id,
		Name:      m.title(),
		Latitude:  o.Number("latitude"),
		Longitude: o.Number("longitude"),
		Site:      o.Text("location_name"),
		Down:      m.isDown(),
		Stale:     m.isStale(h.now),
	}
}

func planCard(places []ui.Place) app.UI {
	legend := ui.El("ul", "legend",
		ui.Legend("", text.Of("plan.fine")),
		ui.Legend("plan-down", text.Of("plan.down")),
		ui.Legend("plan-stale", text.Of("plan.stale")))
	return ui.HeadedCard("plan-card", "plan", text.Of("plan"), []app.UI{legend}, ui.Plan(places))
}

// machinePage is the page /equipment/{id}.
type machinePage struct{ timeline }

func (p *machinePage) arrive(h *host, a arrival) { p.arriveAs(h, a, "unit", "equipment/"+h.id()) }

func (p *machinePage) render(h *host) app.UI {
	m := findMachine(h, h.id())
	facts := factsOf(m.position, "location_name", "movement", "recorded_at", "battery_pct", "speed_kmh", "rental_id")
	for _, c := range m.cases {
		facts = append(facts,
			factsOf(c, "issue", "priority", "status", "due_date", "meter_reading", "estimated_cost")...)
	}
	return p.page(h, m.title(), facts, m.actions(h))
}
