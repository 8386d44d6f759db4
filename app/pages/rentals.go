package pages

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

// nextStates maps the state of a rental to the states that its buttons offer, the usual one first.
var nextStates = map[string][]string{
	"pending":          {"reserved", "cancelled"},
	"reserved":         {"pending_delivery", "cancelled"},
	"pending_delivery": {"active"},
	"active":           {"off_rent"},
	"off_rent":         {"pending_return"},
	"pending_return":   {"returned"},
	"returned":         {"completed"},
}

// rentalsPage is the page /rentals.
type rentalsPage struct {
	basicPage
	board board
}

func (p *rentalsPage) forget() { *p = rentalsPage{} }

func (p *rentalsPage) render(h *host) app.UI {
	parts := boardParts("rentals", "out", "late", "due", "planned", "back")
	overdue := overdueRentals(h)
	known := map[string]bool{}
	for _, e := range rentalsByDueDate(h) {
		id := e.Fields.Text("rental_id")
		known[id] = true
		card := rentalCard(h, e, overdue[id])
		for _, key := range rentalParts(e, overdue[id], h.today()) {
			addCard(parts, key, card)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(overdue)) {
		if !known[id] { // no event has reported the state of this rental
			addCard(parts, "late", rentalCard(h, nil, overdue[id]))
		}
	}
	return h.frame(text.Of("page.rentals"), p.board.render(h, "rentals", parts))
}

// rentalsByDueDate returns the last states of all rentals, the one that is due first at the beginning.
func rentalsByDueDate(h *host) []*projection.Entity {
	all := h.entities(event.TypeRentalStatusUpdated, false)
	due := func(e *projection.Entity) string { return cmp.Or(e.Fields.Text("expected_end_date"), "9999") }
	slices.SortFunc(all, func(a, b *projection.Entity) int {
		return cmp.Or(cmp.Compare(due(a), due(b)), cmp.Compare(a.Key, b.Key))
	})
	return all
}

// rentalParts returns the keys of the parts of the board that a rental is in.
func rentalParts(e, overdue *projection.Entity, today string) (keys []string) {
	status := e.Fields.Text("status")
	switch {
	case projection.IsWithCustomer(status):
		keys = append(keys, "out")
	case status == "returned" || status == "completed" || status == "cancelled":
		keys = append(keys, "back")
	default:
		keys = append(keys, "planned")
	}
	if overdue != nil {
		keys = append(keys, "late")
	}
	if e.Closed.IsZero() && status != "returned" && e.Fields.Text("expected_end_date") == today {
		keys = append(keys, "due")
	}
	return keys
}

// overdueRentals returns the open overdue states by the id of the rental. Of two states it has the latest.
func overdueRentals(h *host) map[string]*projection.Entity {
	overdue := map[string]*projection.Entity{}
	for _, e := range h.entities(event.TypeRentalOverdue, true) {
		if id := e.Fields.Text("rental_id"); overdue[id] == nil || overdue[id].Seq < e.Seq {
			overdue[id] = e
		}
	}
	return overdue
}

// rentalCard renders the card of a rental from its last state and its overdue state. One of the two may be nil.
func rentalCard(h *host, e, overdue *projection.Entity) app.UI {
	from := e
	if from == nil {
		from = overdue
	}
	o, id := from.Fields, from.Fields.Text("rental_id")
	item := ui.Item{
		ID:      id,
		Title:   text.Of("rental.title", cmp.Or(o.Text("rental_number"), "#"+id)),
		Link:    "/rentals/" + id,
		Actions: rentalActions(h, id, e),
	}
	if e != nil {
		status := o.Text("status")
		item.State = text.Label(status)
		if status == "completed" {
			item.Tone = "success"
		}
	}
	if customer := cmp.Or(o.Text("customer"), fieldOf(overdue, "customer")); customer != "" {
		item.Facts = append(item.Facts, ui.TextFact(text.Label("customer"), customer))
	}
	if due := o.Text("expected_end_date"); due != "" {
		item.Facts = append(item.Facts, ui.TextFact(text.Of("rentals.until"), text.Date(due)))
	}
	if o.Has("total_amount") {
		amount := ui.FieldText(from.Type, o, "total_amount")
		item.Facts = append(item.Facts, ui.TextFact(text.Of("rentals.amount"), amount))
	}
	if overdue != nil {
		item.Late = text.Count("rentals.days", int(overdue.Fields.Int("days_overdue")))
		item.Facts = append(item.Facts, textFacts(overdue, "amount_outstanding")...)
	}
	return item.Card()
}

// fieldOf returns a field of an entity as text, and "" if the entity is nil.
func fieldOf(e *projection.Entity, name string) string {
	if e == nil {
		return ""
	}
	return e.Fields.Text(name)
}

// rentalActions returns the buttons for a rental: one for each next state, and one that records a payment. The last
// state e may be nil. A rental whose id is no number has no buttons.
func rentalActions(h *host, id string, e *projection.Entity) (buttons []app.UI) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	version := uint64(0)
	if e != nil {
		version = e.Seq
		for _, next := range nextStates[e.Fields.Text("status")] {
			buttons = append(buttons, rentalStateButton(h, id, number, e, next))
		}
	}
	pay := action{
		typ:     event.TypePaymentReceived,
		subject: "rental/" + id,
		scope:   "pay-" + id,
		version: version,
		label:   text.Of("rental.pay"),
		press:   func() { showPaymentForm(h, id, e) },
	}
	return append(buttons, h.button(pay))
}

// rentalStateButton renders the button that brings a rental into another state. number is the id as a number.
// Cancelling asks first.
func rentalStateButton(h *host, id string, number int64, e *projection.Entity, next string) app.UI {
	publish := func() {
		h.publish(event.TypeRentalStatusUpdated, map[string]any{
			"rental_id":       number,
			"status":          next,
			"previous_status": e.Fields.Text("status"),
		})
	}
	label, press := text.Of("rental.do."+next), publish
	if next == "cancelled" {
		question := text.Of("rental.cancel", "#"+id)
		press = func() { h.confirm(label, question, "", func(string) { publish() }) }
	}
	return h.button(action{
		typ:     event.TypeRentalStatusUpdated,
		subject: "rental/" + id,
		scope:   "rental-" + id + "-" + next,
		version: e.Seq,
		label:   label,
		press:   press,
	})
}

// showPaymentForm shows the form of a payment for a rental. The last state e may be nil.
func showPaymentForm(h *host, id string, e *projection.Entity) {
	initial := event.Object{{Name: "rental_id", Raw: json.RawMessage(id)}}.
		With("payment_method", json.RawMessage(`"bank_transfer"`)).
		With("status", json.RawMessage(`"completed"`))
	if e != nil && e.Fields.Has("currency") {
		initial = initial.With("currency", e.Fields.Get("currency"))
	}
	h.showForm(text.Of("rental.pay"), text.Of("rental.pay.send"), event.TypePaymentReceived, initial, "rental_id")
}

// rentalPage is the page /rentals/{id}.
type rentalPage struct{ timeline }

func (p *rentalPage) arrive(h *host, a arrival) { p.arriveAs(h, a, "rental", "rental/"+h.id()) }

func (p *rentalPage) render(h *host) app.UI {
	id := h.id()
	var e *projection.Entity
	for _, other := range h.entities(event.TypeRentalStatusUpdated, false) {
		if other.Fields.Text("rental_id") == id {
			e = other
		}
	}
	facts := factsOf(e, "status", "customer", "expected_end_date", "equipment_ids", "total_amount", "notes")
	overdue := overdueRentals(h)[id]
	facts = append(facts, factsOf(overdue, "days_overdue", "reason", "customer_phone", "amount_outstanding")...)
	title := text.Of("rental.title", "#"+id)
	if number := fieldOf(e, "rental_number"); number != "" {
		title = text.Of("rental.title", number)
	}
	return p.page(h, title, facts, rentalActions(h, id, e))
}
