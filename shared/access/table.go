package access

import "github.com/snd-rental/yardline/shared/event"

// A Sight is which fields of a type's payload a reader is given: all, less
// the classes and names of Without, or only the names of Only.
type Sight struct {
	Without []event.Class
	Except  []string
	Only    []string
	Runs    bool // only events without an employee: payroll runs, not payslips
	Actor   bool // sees the actor of an employee type
}

// A Rule is who may read and publish a type.
type Rule struct {
	Roles    map[Role]Sight
	Audience bool   // the roles are those that the event names; all where it names none
	Self     *Sight // the employee whom the event is about
	Starter  *Sight // the user who started it
	Publish  []Role // beside Service and Admin
}

var (
	whole     = Sight{Actor: true}
	noFinance = Sight{Without: []event.Class{event.Finance}}
	noMoney   = Sight{Without: []event.Class{event.Finance, event.Customer}}
)

// Table is the visibility table of the vocabulary.
var Table = map[event.Type]Rule{
	event.TypeRentalStatusUpdated: {
		Roles:   map[Role]Sight{Dispatcher: whole, Yard: noMoney, Manager: whole, Admin: noMoney},
		Publish: []Role{Manager, Dispatcher},
	},
	event.TypePaymentReceived: {
		Roles:   map[Role]Sight{Dispatcher: noFinance, Manager: whole, Admin: noFinance},
		Publish: []Role{Manager, Dispatcher},
	},
	event.TypeMaintenanceRequired: {
		Roles:   map[Role]Sight{Dispatcher: whole, Yard: noFinance, Manager: whole, Admin: noFinance},
		Publish: []Role{Manager, Dispatcher, Yard},
	},
	event.TypeRentalOverdue: {
		Roles:   map[Role]Sight{Dispatcher: whole, Yard: noMoney, Manager: whole, Admin: noMoney},
		Publish: []Role{Manager, Dispatcher},
	},
	event.TypeEquipmentLocationUpdated: {
		Roles: map[Role]Sight{Dispatcher: whole, Yard: {Without: []event.Class{event.Location}}, Manager: whole,
			Admin: {Without: []event.Class{event.Location}}},
		Publish: []Role{Manager, Dispatcher, Yard},
	},
	event.TypeTimesheetUpdated: {
		Roles:   map[Role]Sight{HR: whole, Manager: whole},
		Self:    &whole,
		Publish: []Role{HR},
	},
	event.TypePayrollProcessed: {
		Roles: map[Role]Sight{HR: whole, Manager: {Except: []string{"amount", "currency", "total_net"}, Runs: true, Actor: true}},
		// A payslip that carries figures of its run does not show them to its employee.
		Self:    &Sight{Except: []string{"total_net", "employee_count", "processed_count", "failed_count"}, Actor: true},
		Publish: []Role{HR},
	},
	event.TypeLeaveRequestUpdated: {
		Roles: map[Role]Sight{
			Dispatcher: {Only: []string{"leave_request_id", "employee_id", "employee_name", "start_date", "end_date", "status"}},
			HR:         whole,
			Manager:    {Except: []string{"leave_type", "reason"}, Actor: true},
		},
		Self:    &whole,
		Publish: []Role{HR},
	},
	event.TypeSystemNotification: {
		Roles:    map[Role]Sight{Admin: whole},
		Audience: true,
	},
	event.TypeSyncProgress: {
		Roles:   map[Role]Sight{Admin: whole},
		Starter: &whole,
	},
}

// Sights are all the ways in which a type is seen by somebody.
func Sights(t event.Type) []Sight {
	rule := Table[t]
	var all []Sight
	for _, r := range Roles {
		if s, found := rule.Roles[r]; found {
			all = append(all, s)
		}
	}
	if rule.Audience {
		all = append(all, whole)
	}
	for _, s := range []*Sight{rule.Self, rule.Starter} {
		if s != nil {
			all = append(all, *s)
		}
	}
	return all
}

// Figures says which roles see a figure of the dashboard. Who started a sync
// sees its state too.
var Figures = map[string][]Role{
	"active_rentals":     {Dispatcher, Yard, Manager},
	"overdue_rentals":    {Dispatcher, Yard, Manager},
	"due_today":          {Dispatcher, Yard, Manager},
	"utilisation_pct":    {Dispatcher, Manager},
	"equipment_down":     {Dispatcher, Yard, Manager},
	"revenue_today":      {Manager},
	"overdue_exposure":   {Manager},
	"stale_locations":    {Dispatcher, Manager},
	"timesheets_pending": {HR, Manager},
	"leave_pending":      {HR, Manager},
	"absent_today":       {HR, Manager, Dispatcher},
	"payroll_run_state":  {HR},
	"sync_state":         {Admin},
}
