package demo

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// A Company is the state of the demo. It is not safe for concurrent use; the
// same seed and times give the same events.
type Company struct {
	r       *rand.Rand
	now     time.Time
	n       int64  // numbers rentals, payments and cases
	id      string // of events: the start of each
	sent    int
	fleet   []*machine
	rentals []*rental
	sheets  []*sheet
	leaves  []*leave
	sync    *sync
	run     int64 // payslips of the payroll run under way, 0 for none
	events  []event.Event

	currency string // of amounts; "" names none, so that they are in the installation's
}

type machine struct {
	id        int64
	name      string
	rental    *rental
	broken    string // the open case, "" for none
	lat, lng  float64
	place     string
	batteries int64
}

type rental struct {
	id       int64
	number   string
	customer string
	status   string
	machine  *machine
	site     site
	amount   event.Money
	paid     bool
	end      time.Time
	overdue  int64
}

type sheet struct {
	id     int64
	worker worker
	date   string
	hours  float64
	status string
}

type leave struct {
	id         int64
	worker     worker
	start, end string
	kind       string
	status     string
}

type sync struct {
	id       string
	entity   string
	progress int64
}

type worker struct {
	id   int64
	name string
}

type site struct {
	name     string
	lat, lng float64
}

var (
	machines = []string{"Excavator XC-200", "Excavator XC-350", "Wheel loader L-90", "Mobile crane LTM-50", "Scissor lift S-12", "Boom lift B-26",
		"Telehandler TH-7", "Roller R-12", "Dumper D-9", "Generator G-100", "Compressor K-7", "Mini excavator MX-18"}
	customers = []string{"Müller Bau GmbH", "Northgate Builders", "Hafen Logistik", "Brandt & Söhne", "City Works", "Oakfield Homes", "Steinweg AG", "Lindner Tiefbau"}
	sites     = []site{{"Site Mitte", 52.5200, 13.4050}, {"Harbour West", 52.5365, 13.3430}, {"Airport Ring", 52.3667, 13.5033}, {"Oakfield Park", 52.4870, 13.4250}}
	depot     = site{"Main yard", 52.4750, 13.3650}
	workers   = []worker{{456, "Sam Field"}, {457, "Dana Ruiz"}, {458, "Piotr Nowak"}, {459, "Aylin Demir"}, {460, "Tom Becker"}}
	faults    = []string{"Engine maintenance due", "Hydraulic leak", "Battery does not hold charge", "Tyre damaged", "Safety inspection due", "Oil pressure low"}
)

// FleetSize is the number of machines that the company rents out.
var FleetSize = len(machines)

// NewCompany is a company before its first event. Its amounts are whole units
// of the currency; "" leaves it to the installation.
func NewCompany(seed uint64, now time.Time, currency string) *Company {
	c := &Company{r: rand.New(rand.NewPCG(seed, 1)), now: now.UTC(), currency: currency}
	// Numbers go on from the clock, so that a company that starts again on
	// the same log does not take up the old one's cases.
	c.n = now.Unix() % 1_000_000
	c.id = "demo-" + strconv.FormatInt(now.UnixMilli(), 36)
	for i, name := range machines {
		c.fleet = append(c.fleet, &machine{id: int64(i + 1), name: name, lat: depot.lat, lng: depot.lng, place: depot.name, batteries: 60 + c.r.Int64N(40)})
	}
	return c
}

func (c *Company) number() int64 {
	c.n++
	return c.n
}

func pick[T any](c *Company, from []T) T { return from[c.r.IntN(len(from))] }

// emit notes an event. Everything here is valid: a test holds it.
func (c *Company) emit(t event.Type, data map[string]any) {
	if _, priced := event.Spec(t, "currency"); priced && c.currency != "" {
		data["currency"] = c.currency
	}
	e, err := event.New(t, data)
	if err != nil {
		panic(err)
	}
	e.Source = "/demo"
	c.sent++
	e.ID = fmt.Sprintf("%s-%d", c.id, c.sent)
	e.Time = c.now.Truncate(time.Millisecond)
	c.events = append(c.events, e)
}

// OpeningDay returns the events that set the scene.
func (c *Company) OpeningDay() []event.Event {
	c.events = nil
	for range 5 {
		c.book()
	}
	for range 3 {
		for _, r := range c.rentals {
			if r.status != "active" {
				c.advance(r)
			}
		}
	}
	c.fall(c.rentals[0])
	c.pay(c.rentals[1])
	c.breakdown()
	c.timesheet()
	c.emit(event.TypeSystemNotification, map[string]any{"title": "Good morning", "message": "The demo company is open: everything you see is made up.", "level": "info", "category": "general"})
	return c.events
}

// Step returns what happens next, at least one event.
func (c *Company) Step(now time.Time) []event.Event {
	c.now, c.events = now.UTC(), nil
	for len(c.events) == 0 {
		switch n := c.r.IntN(100); {
		case n < 34:
			c.ping()
		case n < 60:
			c.workRentals()
		case n < 70:
			c.pay(pick(c, c.rentals))
		case n < 78:
			c.timesheet()
		case n < 85:
			c.breakdown()
		case n < 89:
			c.requestLeave()
		case n < 96:
			c.syncing()
		case n < 98:
			c.payroll()
		default:
			c.notice()
		}
	}
	return c.events
}

// workRentals moves a rental on, lets one fall overdue, or books a new one.
func (c *Company) workRentals() {
	if len(c.rentals) < 4 || len(c.rentals) < len(c.fleet)-3 && c.r.IntN(4) == 0 {
		c.book()
		return
	}
	r := pick(c, c.rentals)
	if r.status == "active" && c.r.IntN(4) == 0 {
		c.fall(r)
		return
	}
	c.proceed(r)
}

func (c *Company) book() {
	for _, i := range c.r.Perm(len(c.fleet)) {
		m := c.fleet[i]
		if m.rental != nil || m.broken != "" {
			continue
		}
		id := c.number()
		r := &rental{id: id, number: fmt.Sprintf("R-%d", id%100000), customer: pick(c, customers), machine: m, site: pick(c, sites),
			amount: 100 * event.MoneyUnit * event.Money(2+c.r.Int64N(60)), end: c.now.AddDate(0, 0, 1+c.r.IntN(14))}
		m.rental = r
		c.rentals = append(c.rentals, r)
		c.become(r, "reserved")
		return
	}
}

var nextStatus = map[string]string{"reserved": "pending_delivery", "pending_delivery": "active", "active": "off_rent", "off_rent": "pending_return",
	"pending_return": "returned", "returned": "completed"}

// proceed takes a rental on, or now and then calls it off.
func (c *Company) proceed(r *rental) {
	if r.status == "reserved" && c.r.IntN(15) == 0 {
		c.become(r, "cancelled")
		c.drop(r)
		return
	}
	c.advance(r)
}

func (c *Company) advance(r *rental) {
	c.become(r, nextStatus[r.status])
	switch r.status {
	case "active":
		c.move(r.machine, r.site, "entered_site")
	case "pending_return":
		c.move(r.machine, r.site, "left_site")
	case "returned":
		c.move(r.machine, depot, "entered_site")
	case "completed":
		if !r.paid {
			c.pay(r)
		}
		c.drop(r)
	}
}

func (c *Company) become(r *rental, status string) {
	data := map[string]any{"rental_id": r.id, "status": status, "rental_number": r.number, "customer": r.customer, "equipment_ids": []int64{r.machine.id},
		"expected_end_date": r.end.Format(time.DateOnly), "total_amount": r.amount}
	if r.status != "" {
		data["previous_status"] = r.status
	}
	if status == "completed" {
		data["notes"] = "Equipment returned in good condition"
	}
	r.status = status
	c.emit(event.TypeRentalStatusUpdated, data)
}

func (c *Company) drop(r *rental) {
	r.machine.rental = nil
	for i := range c.rentals {
		if c.rentals[i] == r {
			c.rentals = append(c.rentals[:i], c.rentals[i+1:]...)
			return
		}
	}
}

// fall makes a rental overdue, or more so.
func (c *Company) fall(r *rental) {
	r.overdue++
	r.end = c.now.AddDate(0, 0, -int(r.overdue))
	c.emit(event.TypeRentalOverdue, map[string]any{"rental_id": r.id, "days_overdue": r.overdue, "customer": r.customer, "customer_phone": "+4930555" + fmt.Sprint(1000+r.id%9000),
		"expected_end_date": r.end.Format(time.DateOnly), "equipment_ids": []int64{r.machine.id},
		"amount_outstanding": r.amount / 10})
}

func (c *Company) pay(r *rental) {
	if r.paid || r.status == "reserved" {
		return
	}
	status := "completed"
	if c.r.IntN(12) == 0 {
		status = "failed"
	} else {
		r.paid = true
	}
	id := c.number()
	c.emit(event.TypePaymentReceived, map[string]any{"payment_id": id, "rental_id": r.id, "amount": r.amount,
		"status":         status,
		"payment_method": pick(c, []string{"credit_card", "bank_transfer", "online"}), "invoice_number": fmt.Sprintf("INV-%d", id%100000), "balance_due": 0})
}
