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

// following are the states that a rental is brought into next, the usual one
// first.
var following = map[string][]string{
	"pending": {"reserved", "cancelled"}, "reserved": {"pending_delivery", "cancelled"}, "pending_delivery": {"active"}, "active": {"off_rent"},
	"off_rent": {"pending_return"}, "pending_return": {"returned"}, "returned": {"completed"},
}

// rentals is the page /rentals.
func (r *Root) rentals() app.UI {
	late := r.overdue()
	parts := []part{{key: "out"}, {key: "late"}, {key: "due"}, {key: "planned"}, {key: "back"}}
	put := func(key string, card app.UI) {
		for i := range parts {
			if parts[i].key == key {
				parts[i].cards = append(parts[i].cards, card)
			}
		}
	}
	all := r.byType(event.TypeRentalStatusUpdated, false)
	slices.SortFunc(all, func(a, b *projection.Entity) int {
		due := func(e *projection.Entity) string { return cmp.Or(e.Fields.Text("expected_end_date"), "9999") }
		return cmp.Or(cmp.Compare(due(a), due(b)), cmp.Compare(a.Key, b.Key))
	})
	known := map[string]bool{}
	for _, e := range all {
		id, status := e.Fields.Text("rental_id"), e.Fields.Text("status")
		known[id] = true
		card := r.rentalItem(e, late[id]).card()
		switch {
		case projection.IsWithCustomer(status):
			put("out", card)
		case status == "returned" || status == "completed" || status == "cancelled":
			put("back", card)
		default:
			put("planned", card)
		}
		if late[id] != nil {
			put("late", card)
		}
		if e.Closed.IsZero() && status != "returned" && e.Fields.Text("expected_end_date") == r.today() {
			put("due", card)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(late)) { // of rentals that were never told about
		if !known[id] {
			put("late", r.rentalItem(nil, late[id]).card())
		}
	}
	return r.page(text.Of("page.rentals"), r.board("rentals", parts))
}

// overdue are the open overdue states, by rental; of two the latest.
func (r *Root) overdue() map[string]*projection.Entity {
	late := map[string]*projection.Entity{}
	for _, e := range r.byType(event.TypeRentalOverdue, true) {
		if id := e.Fields.Text("rental_id"); late[id] == nil || late[id].Seq < e.Seq {
			late[id] = e
		}
	}
	return late
}

// rentalItem is a rental's card; either may be nil.
func (r *Root) rentalItem(e, late *projection.Entity) item {
	from := e
	if from == nil {
		from = late
	}
	o, id := from.Fields, from.Fields.Text("rental_id")
	i := item{id: id, title: text.Of("rental.title", cmp.Or(o.Text("rental_number"), "#"+id)), href: "/rentals/" + id}
	if e != nil {
		status := o.Text("status")
		i.chip = text.Label(status)
		if status == "completed" {
			i.tone = "success"
		}
	}
	if customer := cmp.Or(o.Text("customer"), fieldOf(late, "customer")); customer != "" {
		i.lines = append(i.lines, line{text.Label("customer"), customer})
	}
	if due := o.Text("expected_end_date"); due != "" {
		i.lines = append(i.lines, line{text.Of("rentals.until"), text.Date(due)})
	}
	if o.Has("total_amount") {
		i.lines = append(i.lines, line{text.Of("rentals.amount"), ui.FieldText(from.Type, o, "total_amount")})
	}
	if late != nil {
		i.late = text.Count("rentals.days", int(late.Fields.Int("days_overdue")))
		if late.Fields.Has("amount_outstanding") {
			i.lines = append(i.lines, line{text.Label("amount_outstanding"), ui.FieldText(late.Type, late.Fields, "amount_outstanding")})
		}
	}
	i.actions = r.rentalActions(id, e)
	return i
}

func fieldOf(e *projection.Entity, name string) string {
	if e == nil {
		return ""
	}
	return e.Fields.Text(name)
}

// rentalActions are what may be done with a rental in its state.
func (r *Root) rentalActions(id string, e *projection.Entity) (actions []app.UI) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	subject, about := "rental/"+id, event.Object{{Name: "rental_id", Raw: json.RawMessage(id)}}
	if e != nil {
		for _, next := range following[e.Fields.Text("status")] {
			label, do := text.Of("rental.do."+next), func() {
				r.act(event.TypeRentalStatusUpdated, map[string]any{"rental_id": number, "status": next, "previous_status": e.Fields.Text("status")})
			}
			press := do
			if next == "cancelled" {
				press = func() { r.confirm(label, text.Of("rental.cancel", "#"+id), "", func(string) { do() }) }
			}
			actions = append(actions, r.action(event.TypeRentalStatusUpdated, subject, "rental-"+id+"-"+next, e.Seq, label, press))
		}
	}
	version := uint64(0)
	if e != nil {
		version = e.Seq
	}
	return append(actions, r.action(event.TypePaymentReceived, subject, "pay-"+id, version, text.Of("rental.pay"), func() {
		fixed := about.With("payment_method", json.RawMessage(`"bank_transfer"`)).With("status", json.RawMessage(`"completed"`))
		if e != nil && e.Fields.Has("currency") {
			fixed = fixed.With("currency", e.Fields.Get("currency"))
		}
		r.ask(text.Of("rental.pay"), text.Of("rental.pay.send"), event.TypePaymentReceived, fixed, "rental_id")
	}))
}

// rental is the page /rentals/{id}.
func (r *Root) rental() app.UI {
	id := r.id()
	var e *projection.Entity
	for _, other := range r.byType(event.TypeRentalStatusUpdated, false) {
		if other.Fields.Text("rental_id") == id {
			e = other
		}
	}
	rows := facts(e, "status", "customer", "expected_end_date", "equipment_ids", "total_amount", "notes")
	rows = append(rows, facts(r.overdue()[id], "days_overdue", "reason", "customer_phone", "amount_outstanding")...)
	title := text.Of("rental.title", "#"+id)
	if number := fieldOf(e, "rental_number"); number != "" {
		title = text.Of("rental.title", number)
	}
	return r.timeline(title, rows, r.rentalActions(id, e)...)
}
