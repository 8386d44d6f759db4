package access

import "github.com/snd-rental/yardline/shared/event"

// A Visibility says which fields of a type's payload a reader is given. The zero
// Visibility shows every field that the vocabulary declares, but not the actor of
// an event about an employee.
type Visibility struct {
	// HiddenClasses hides all fields of these sensitivity classes.
	HiddenClasses []event.Class
	// HiddenFields hides the fields of these names.
	HiddenFields []string
	// OnlyFields hides all fields except those of these names. Nil disables it.
	OnlyFields []string
	// OnlyRuns hides events that name an employee: it shows payroll runs, and no
	// payslips.
	OnlyRuns bool
	// ShowsActor shows the actor of an event of the module employee. The actor of any
	// other event is always shown.
	ShowsActor bool
}

// A Rule says which principals may read and publish a type.
type Rule struct {
	// Roles maps each role that may read the type to the fields that it sees.
	Roles map[Role]Visibility
	// ByAudience shows the whole event to the roles in the event's field audience, and to
	// every reader when the event has no such field.
	ByAudience bool
	// Employee applies to the employee that the event is about, when no role of that
	// employee shows the event. Nil means that the employee sees nothing.
	Employee *Visibility
	// Starter applies to the user that started the event's job, when no role of that user
	// shows the event. Nil means that the user sees nothing.
	Starter *Visibility
	// Publishers are the roles that may publish the type, in addition to Service and
	// Admin, which may publish every type.
	Publishers []Role
}

var (
	everything                = Visibility{ShowsActor: true}
	withoutFinance            = Visibility{HiddenClasses: []event.Class{event.Finance}}
	withoutFinanceAndCustomer = Visibility{HiddenClasses: []event.Class{event.Finance, event.Customer}}
	withoutLocation           = Visibility{HiddenClasses: []event.Class{event.Location}}

	// payrollRuns shows payroll runs without amounts, and no payslips.
	payrollRuns = Visibility{
		HiddenFields: []string{"amount", "currency", "total_net"},
		OnlyRuns:     true,
		ShowsActor:   true,
	}
	// ownPayslip hides the figures of the run, in case a payslip carries them.
	ownPayslip = Visibility{
		HiddenFields: []string{"total_net", "employee_count", "processed_count", "failed_count"},
		ShowsActor:   true,
	}
	// absence shows which employee is away, and when, but not why.
	absence = Visibility{OnlyFields: []string{
		"leave_request_id", "employee_id", "employee_name", "start_date", "end_date", "status",
	}}
	leaveWithoutReason = Visibility{HiddenFields: []string{"leave_type", "reason"}, ShowsActor: true}
)

// Table is the visibility table of the vocabulary. It must not be changed.
var Table = map[event.Type]Rule{
	event.TypeRentalStatusUpdated: {
		Roles: map[Role]Visibility{
			Dispatcher: everything,
			Yard:       withoutFinanceAndCustomer,
			Manager:    everything,
			Admin:      withoutFinanceAndCustomer,
		},
		Publishers: []Role{Manager, Dispatcher},
	},
	event.TypePaymentReceived: {
		Roles: map[Role]Visibility{
			Dispatcher: withoutFinance,
			Manager:    everything,
			Admin:      withoutFinance,
		},
		Publishers: []Role{Manager, Dispatcher},
	},
	event.TypeMaintenanceRequired: {
		Roles: map[Role]Visibility{
			Dispatcher: everything,
			Yard:       withoutFinance,
			Manager:    everything,
			Admin:      withoutFinance,
		},
		Publishers: []Role{Manager, Dispatcher, Yard},
	},
	event.TypeRentalOverdue: {
		Roles: map[Role]Visibility{
			Dispatcher: everything,
			Yard:       withoutFinanceAndCustomer,
			Manager:    everything,
			Admin:      withoutFinanceAndCustomer,
		},
		Publishers: []Role{Manager, Dispatcher},
	},
	event.TypeEquipmentLocationUpdated: {
		Roles: map[Role]Visibility{
			Dispatcher: everything,
			Yard:       withoutLocation,
			Manager:    everything,
			Admin:      withoutLocation,
		},
		Publishers: []Role{Manager, Dispatcher, Yard},
	},
	event.TypeTimesheetUpdated: {
		Roles:      map[Role]Visibility{HR: everything, Manager: everything},
		Employee:   &everything,
		Publishers: []Role{HR},
	},
	event.TypePayrollProcessed: {
		Roles:      map[Role]Visibility{HR: everything, Manager: payrollRuns},
		Employee:   &ownPayslip,
		Publishers: []Role{HR},
	},
	event.TypeLeaveRequestUpdated: {
		Roles:      map[Role]Visibility{Dispatcher: absence, HR: everything, Manager: leaveWithoutReason},
		Employee:   &everything,
		Publishers: []Role{HR},
	},
	event.TypeSystemNotification: {
		Roles:      map[Role]Visibility{Admin: everything},
		ByAudience: true,
	},
	event.TypeSyncProgress: {
		Roles:   map[Role]Visibility{Admin: everything},
		Starter: &everything,
	},
}

// Visibilities returns every Visibility under which some reader sees events of the
// type.
func Visibilities(t event.Type) []Visibility {
	rule := Table[t]
	var all []Visibility
	for _, r := range Roles {
		if v, found := rule.Roles[r]; found {
			all = append(all, v)
		}
	}
	if rule.ByAudience {
		all = append(all, everything)
	}
	for _, v := range []*Visibility{rule.Employee, rule.Starter} {
		if v != nil {
			all = append(all, *v)
		}
	}
	return all
}

// FigureRoles maps each figure of the dashboard to the roles that see it. A user
// that started a sync sees sync_state too.
var FigureRoles = map[string][]Role{
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
