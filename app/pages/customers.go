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

// customersPage is the page /customers: the customers with open or overdue rentals, and the syncs with other systems.
type customersPage struct {
	basicPage
	board board
}

func (p *customersPage) forget() { *p = customersPage{} }

func (p *customersPage) render(h *host) app.UI {
	parts := boardParts("customers", "all", "late", "syncs")
	customers := customersOf(h)
	for _, c := range customers {
		card := c.card()
		addCard(parts, "all", card)
		if c.overdue > 0 {
			addCard(parts, "late", card)
		}
	}
	for _, e := range h.newestEntities(event.TypeSyncProgress) {
		addCard(parts, "syncs", syncCard(e, h.now))
	}
	if len(customers) == 0 && isAdmin(h.grant()) { // for an administrator without customers, only the syncs remain
		parts = parts[2:]
	}
	start := h.button(action{
		typ:     event.TypeSyncProgress,
		subject: syncSubject,
		scope:   "sync",
		label:   text.Of("sync.start"),
		press:   func() { startSync(h, "customers") },
	})
	return h.frame(text.Of("page.customers"),
		ui.El("div", "buttons", start),
		p.board.render(h, "customers", parts))
}

// A customer has open or overdue rentals. The name identifies a customer, because events carry no id.
type customer struct {
	name    string
	out     int                    // the number of rentals that are with the customer
	overdue int                    // the number of overdue rentals
	owes    map[string]event.Money // the outstanding amounts by currency
	phone   string                 // of the last overdue rental that has one; "" for none
	rental  string                 // the id of the last overdue rental; "" for none
}

// customersOf returns the customers with open or overdue rentals. Those with the most overdue rentals come first.
func customersOf(h *host) (all []*customer) {
	byName := map[string]*customer{}
	customerOf := func(name string) *customer {
		if byName[name] == nil {
			byName[name] = &customer{name: name, owes: map[string]event.Money{}}
		}
		return byName[name]
	}
	for _, e := range h.entities(event.TypeRentalStatusUpdated, true) {
		name := e.Fields.Text("customer")
		if name == "" {
			continue
		}
		c := customerOf(name)
		if projection.IsWithCustomer(e.Fields.Text("status")) {
			c.out++
		}
	}
	overdue := overdueRentals(h)
	for _, id := range slices.Sorted(maps.Keys(overdue)) {
		o := overdue[id].Fields
		name := o.Text("customer")
		if name == "" {
			continue
		}
		c := customerOf(name)
		c.overdue++
		c.phone, c.rental = cmp.Or(o.Text("customer_phone"), c.phone), id
		if m, ok := o.Money("amount_outstanding"); ok {
			currency := cmp.Or(o.Text("currency"), h.state.View.Currency)
			c.owes[currency] = c.owes[currency].Plus(m)
		}
	}
	for _, c := range byName {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *customer) int {
		return cmp.Or(cmp.Compare(b.overdue, a.overdue), cmp.Compare(a.name, b.name))
	})
	return all
}

// card renders the card of the customer.
func (c *customer) card() app.UI {
	item := ui.Item{ID: c.name, Title: c.name, State: text.Count("customers.out", c.out)}
	if c.overdue > 0 {
		item.State, item.Tone = text.Count("customers.overdue", c.overdue), "error"
		item.Link = "/rentals/" + c.rental
	}
	if c.phone != "" {
		item.Facts = append(item.Facts, ui.TextFact(text.Label("customer_phone"), c.phone))
	}
	for _, currency := range slices.Sorted(maps.Keys(c.owes)) {
		amount := text.Money(c.owes[currency], currency)
		item.Facts = append(item.Facts, ui.TextFact(text.Label("amount_outstanding"), amount))
	}
	return item.Card()
}

func syncCard(e *projection.Entity, now time.Time) app.UI {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	facts := []ui.Fact{
		ui.TextFact(text.Label("progress"), text.Percent(int(o.Number("progress")))),
		ui.TextFact(text.Of("sync.when"), text.Relative(e.Time, now)),
	}
	return ui.Item{
		ID:    e.Key,
		Title: text.Of("sync.of", text.Label(event.ValueOrDefault(e.Type, o, "entity"))),
		State: text.Label(status),
		Tone:  tones[status],
		Facts: append(facts, textFacts(e, "current", "total", "error")...),
	}.Card()
}

// syncSubject stands for all syncs in host.publishedAt, because each sync has a subject of its own.
const syncSubject = "start"

// startSync publishes an event that asks the rental system to start a sync.
func startSync(h *host, entity string) {
	id, err := uuid.NewV7()
	if err != nil {
		panic(err) // there is no source of randomness
	}
	data := map[string]any{"sync_id": id.String(), "entity": entity, "status": "queued", "progress": 0}
	if number, err := strconv.ParseInt(h.state.User.ID, 10, 64); err == nil && number > 0 {
		data["started_by"] = number
	}
	h.publish(event.TypeSyncProgress, data)
	h.publishedAt[syncSubject] = time.Now()
}
