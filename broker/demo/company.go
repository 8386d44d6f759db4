package demo

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// Company is the state of the made-up company. The same seed and times give the same
// events. It is not safe for concurrent use.
type Company struct {
	random   *rand.Rand
	now      time.Time     // of the current step
	last     int64         // the last number of a rental, payment, time sheet or other case
	idPrefix string        // begins the ids of the events
	sent     int           // number of events so far, for their ids
	events   []event.Event // of the current step

	fleet    []*machine
	rentals  []*rental // that have not ended
	sheets   []*sheet  // time sheets that are not decided, the oldest first
	leaves   []*leave  // requests for leave that are not decided, the oldest first
	sync     *syncRun  // nil while no sync runs
	payslips int64     // number of payslips of the payroll run so far; 0 while none runs

	currency string // of amounts; "" names none, so that they are in the installation's
}

// machine is one unit of the fleet.
type machine struct {
	id       int64
	name     string
	rental   *rental // nil while it is not rented out
	fault    string  // of the open maintenance case; "" for none
	lat, lng float64 // in degrees
	place    string
	battery  int64 // in percent
}

// rental is one machine rented out to one site.
type rental struct {
	id       int64
	number   string
	customer string
	status   string
	machine  *machine
	site     site
	amount   event.Money
	paid     bool
	end      time.Time // expected
	overdue  int64     // in days
}

// sheet is a time sheet of one worker for one day.
type sheet struct {
	id     int64
	worker worker
	date   string
	hours  float64
	status string
}

// leave is a request for leave.
type leave struct {
	id         int64
	worker     worker
	start, end string
	kind       string
	status     string
}

// syncRun is one run of the sync with the accounting system.
type syncRun struct {
	id       string
	entity   string
	progress int64 // in percent
}

// worker is an employee.
type worker struct {
	id   int64
	name string
}

// site is a place where machines are.
type site struct {
	name     string
	lat, lng float64
}

var (
	machines = []string{
		"Excavator XC-200", "Excavator XC-350", "Wheel loader L-90", "Mobile crane LTM-50",
		"Scissor lift S-12", "Boom lift B-26", "Telehandler TH-7", "Roller R-12",
		"Dumper D-9", "Generator G-100", "Compressor K-7", "Mini excavator MX-18",
	}
	customers = []string{
		"Müller Bau GmbH", "Northgate Builders", "Hafen Logistik", "Brandt & Söhne",
		"City Works", "Oakfield Homes", "Steinweg AG", "Lindner Tiefbau",
	}
	sites = []site{
		{"Site Mitte", 52.5200, 13.4050},
		{"Harbour West", 52.5365, 13.3430},
		{"Airport Ring", 52.3667, 13.5033},
		{"Oakfield Park", 52.4870, 13.4250},
	}
	depot   = site{"Main yard", 52.4750, 13.3650}
	workers = []worker{
		{456, "Sam Field"}, {457, "Dana Ruiz"}, {458, "Piotr Nowak"}, {459, "Aylin Demir"}, {460, "Tom Becker"},
	}
	faults = []string{
		"Engine maintenance due", "Hydraulic leak", "Battery does not hold charge",
		"Tyre damaged", "Safety inspection due", "Oil pressure low",
	}
)

// FleetSize is the number of machines that the company rents out.
var FleetSize = len(machines)

// NewCompany returns a company before its first event. Its amounts are whole units of the
// currency. An empty currency leaves the currency to the installation.
func NewCompany(seed uint64, now time.Time, currency string) *Company {
	c := &Company{random: rand.New(rand.NewPCG(seed, 1)), now: now.UTC(), currency: currency}
	// Numbers and ids begin at the time. A company that starts later on the same log thus
	// does not use the numbers of the earlier one.
	c.last = now.Unix() % 1_000_000
	c.idPrefix = "demo-" + strconv.FormatInt(now.UnixMilli(), 36)
	for i, name := range machines {
		c.fleet = append(c.fleet, &machine{
			id:      int64(i + 1),
			name:    name,
			lat:     depot.lat,
			lng:     depot.lng,
			place:   depot.name,
			battery: 60 + c.random.Int64N(40),
		})
	}
	return c
}

// nextNumber returns the number of a new case.
func (c *Company) nextNumber() int64 {
	c.last++
	return c.last
}

// pick returns a random item.
func pick[T any](c *Company, from []T) T { return from[c.random.IntN(len(from))] }

// emit adds an event to the current step. It panics if the event is not valid; a test
// shows that all are.
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
	e.ID = fmt.Sprintf("%s-%d", c.idPrefix, c.sent)
	e.Time = c.now.Truncate(time.Millisecond)
	c.events = append(c.events, e)
}

// OpeningDay returns the events of a busy day: some rentals are active, one is overdue,
// one is paid.
func (c *Company) OpeningDay() []event.Event {
	c.events = nil
	for range 5 {
		c.bookRental()
	}
	for range 3 {
		for _, r := range c.rentals {
			if r.status != "active" {
				c.advanceRental(r)
			}
		}
	}
	c.makeOverdue(c.rentals[0])
	c.payRental(c.rentals[1])
	c.advanceMaintenance()
	c.advanceTimesheets()
	c.emit(event.TypeSystemNotification, map[string]any{
		"title":    "Good morning",
		"message":  "The demo company is open: everything you see is made up.",
		"level":    "info",
		"category": "general",
	})
	return c.events
}

// Step returns the next events of the company, at least one. Their time is now.
func (c *Company) Step(now time.Time) []event.Event {
	c.now, c.events = now.UTC(), nil
	for len(c.events) == 0 {
		switch n := c.random.IntN(100); {
		case n < 34:
			c.reportLocation()
		case n < 60:
			c.workRentals()
		case n < 70:
			c.payRental(pick(c, c.rentals))
		case n < 78:
			c.advanceTimesheets()
		case n < 85:
			c.advanceMaintenance()
		case n < 89:
			c.advanceLeave()
		case n < 96:
			c.advanceSync()
		case n < 98:
			c.advancePayroll()
		default:
			c.sendNotice()
		}
	}
	return c.events
}

// workRentals advances a rental, makes one overdue, or books a new one.
func (c *Company) workRentals() {
	if len(c.rentals) < 4 || len(c.rentals) < len(c.fleet)-3 && c.random.IntN(4) == 0 {
		c.bookRental()
		return
	}
	r := pick(c, c.rentals)
	if r.status == "active" && c.random.IntN(4) == 0 {
		c.makeOverdue(r)
		return
	}
	c.advanceOrCancel(r)
}

// bookRental reserves a free machine for a customer. It does nothing if none is free.
func (c *Company) bookRental() {
	for _, i := range c.random.Perm(len(c.fleet)) {
		m := c.fleet[i]
		if m.rental != nil || m.fault != "" {
			continue
		}
		id := c.nextNumber()
		r := &rental{
			id:       id,
			number:   fmt.Sprintf("R-%d", id%100000),
			customer: pick(c, customers),
			machine:  m,
			site:     pick(c, sites),
			amount:   100 * event.MoneyUnit * event.Money(2+c.random.Int64N(60)),
			end:      c.now.AddDate(0, 0, 1+c.random.IntN(14)),
		}
		m.rental = r
		c.rentals = append(c.rentals, r)
		c.setStatus(r, "reserved")
		return
	}
}

// nextStatus has the status after each status of a rental.
var nextStatus = map[string]string{
	"reserved":         "pending_delivery",
	"pending_delivery": "active",
	"active":           "off_rent",
	"off_rent":         "pending_return",
	"pending_return":   "returned",
	"returned":         "completed",
}

// advanceOrCancel advances a rental. Now and then it cancels a reserved one instead.
func (c *Company) advanceOrCancel(r *rental) {
	if r.status == "reserved" && c.random.IntN(15) == 0 {
		c.setStatus(r, "cancelled")
		c.endRental(r)
		return
	}
	c.advanceRental(r)
}

// advanceRental gives a rental its next status, and emits the location or payment that
// follows from it.
func (c *Company) advanceRental(r *rental) {
	c.setStatus(r, nextStatus[r.status])
	switch r.status {
	case "active":
		c.moveMachine(r.machine, r.site, "entered_site")
	case "pending_return":
		c.moveMachine(r.machine, r.site, "left_site")
	case "returned":
		c.moveMachine(r.machine, depot, "entered_site")
	case "completed":
		if !r.paid {
			c.payRental(r)
		}
		c.endRental(r)
	}
}

// setStatus gives a rental a status.
func (c *Company) setStatus(r *rental, status string) {
	data := map[string]any{
		"rental_id":         r.id,
		"status":            status,
		"rental_number":     r.number,
		"customer":          r.customer,
		"equipment_ids":     []int64{r.machine.id},
		"expected_end_date": r.end.Format(time.DateOnly),
		"total_amount":      r.amount,
	}
	if r.status != "" {
		data["previous_status"] = r.status
	}
	if status == "completed" {
		data["notes"] = "Equipment returned in good condition"
	}
	r.status = status
	c.emit(event.TypeRentalStatusUpdated, data)
}

// endRental frees the machine of a rental and forgets the rental.
func (c *Company) endRental(r *rental) {
	r.machine.rental = nil
	for i := range c.rentals {
		if c.rentals[i] == r {
			c.rentals = append(c.rentals[:i], c.rentals[i+1:]...)
			return
		}
	}
}

// makeOverdue makes a rental overdue by one more day.
func (c *Company) makeOverdue(r *rental) {
	r.overdue++
	r.end = c.now.AddDate(0, 0, -int(r.overdue))
	c.emit(event.TypeRentalOverdue, map[string]any{
		"rental_id":          r.id,
		"days_overdue":       r.overdue,
		"customer":           r.customer,
		"customer_phone":     "+4930555" + fmt.Sprint(1000+r.id%9000),
		"expected_end_date":  r.end.Format(time.DateOnly),
		"equipment_ids":      []int64{r.machine.id},
		"amount_outstanding": r.amount / 10,
	})
}

// payRental emits a payment for a rental, of which a few fail. It does nothing for a
// rental that is paid or only reserved.
func (c *Company) payRental(r *rental) {
	if r.paid || r.status == "reserved" {
		return
	}
	status := "completed"
	if c.random.IntN(12) == 0 {
		status = "failed"
	} else {
		r.paid = true
	}
	id := c.nextNumber()
	c.emit(event.TypePaymentReceived, map[string]any{
		"payment_id":     id,
		"rental_id":      r.id,
		"amount":         r.amount,
		"status":         status,
		"payment_method": pick(c, []string{"credit_card", "bank_transfer", "online"}),
		"invoice_number": fmt.Sprintf("INV-%d", id%100000),
		"balance_due":    0,
	})
}
