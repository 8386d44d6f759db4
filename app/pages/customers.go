package pages

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

// A customer is who rents, by name: events carry no customer's number.
type customer struct {
	name          string
	out, late     int
	owes          map[string]event.Money
	phone, rental string // of the last overdue rental
}

// customers is the page /customers: who rents and who is late, and the syncs
// with other systems.
func (r *Root) customers() app.UI {
	parts := []part{{key: "all"}, {key: "late"}, {key: "syncs"}}
	for _, c := range r.renting() {
		card := r.customerItem(c).card()
		parts[0].cards = append(parts[0].cards, card)
		if c.late > 0 {
			parts[1].cards = append(parts[1].cards, card)
		}
	}
	for _, e := range r.newest(event.TypeSyncProgress) {
		parts[2].cards = append(parts[2].cards, syncItem(e, r.now).card())
	}
	if len(parts[0].cards) == 0 && isAdmin(r.state.User.Grant()) { // who sees no customers
		parts = parts[2:]
	}
	return r.page(text.Of("page.customers"),
		ui.El("div", "buttons", r.action(event.TypeSyncProgress, "start", "sync", 0, text.Of("sync.start"), func() { r.startSync("customers") })),
		r.board("customers", parts))
}

func (r *Root) renting() (all []*customer) {
	of := map[string]*customer{}
	get := func(name string) *customer {
		if of[name] == nil {
			of[name] = &customer{name: name, owes: map[string]event.Money{}}
		}
		return of[name]
	}
	for _, e := range r.byType(event.TypeRentalStatusUpdated, false) {
		if name := e.Fields.Text("customer"); name != "" && e.Closed.IsZero() {
			if c := get(name); projection.IsWithCustomer(e.Fields.Text("status")) {
				c.out++
			}
		}
	}
	late := r.overdue()
	for _, id := range slices.Sorted(maps.Keys(late)) {
		e := late[id]
		name := e.Fields.Text("customer")
		if name == "" {
			continue
		}
		c := get(name)
		c.late++
		c.phone, c.rental = cmp.Or(e.Fields.Text("customer_phone"), c.phone), id
		if m, ok := e.Fields.Money("amount_outstanding"); ok {
			currency := cmp.Or(e.Fields.Text("currency"), r.state.View.Currency)
			c.owes[currency] = c.owes[currency].Plus(m)
		}
	}
	for _, c := range of {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *customer) int { return cmp.Or(cmp.Compare(b.late, a.late), cmp.Compare(a.name, b.name)) })
	return all
}

func (r *Root) customerItem(c *customer) item {
	i := item{id: c.name, title: c.name, chip: text.Count("customers.out", c.out)}
	if c.late > 0 {
		i.chip, i.tone = text.Count("customers.overdue", c.late), "error"
		i.href = "/rentals/" + c.rental
	}
	if c.phone != "" {
		i.lines = append(i.lines, line{text.Label("customer_phone"), c.phone})
	}
	for _, currency := range slices.Sorted(maps.Keys(c.owes)) {
		i.lines = append(i.lines, line{text.Label("amount_outstanding"), text.Money(c.owes[currency], currency)})
	}
	return i
}

func syncItem(e *projection.Entity, now time.Time) item {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	i := item{id: e.Key, title: text.Of("sync.of", text.Label(event.ValueOrDefault(e.Type, o, "entity"))), chip: text.Label(status), tone: tones[status],
		lines: []line{{text.Label("progress"), text.Percent(int(o.Number("progress")))}, {text.Of("sync.when"), text.Relative(e.Time, now)}}}
	for _, name := range []string{"current", "total", "error"} {
		if o.Has(name) {
			i.lines = append(i.lines, line{text.Label(name), ui.FieldText(e.Type, o, name)})
		}
	}
	return i
}

// startSync asks the rental system for one: the event is what it listens to.
func (r *Root) startSync(entity string) {
	id, err := uuid.NewV7()
	if err != nil {
		panic(err) // no randomness
	}
	data := map[string]any{"sync_id": id.String(), "entity": entity, "status": "queued", "progress": 0}
	if number, err := strconv.ParseInt(r.state.User.ID, 10, 64); err == nil && number > 0 {
		data["started_by"] = number
	}
	r.act(event.TypeSyncProgress, data)
	r.acting.pressed["start"] = time.Now() // each has a subject of its own
}
