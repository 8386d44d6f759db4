package pages

import (
	"net/url"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// page is one of the app's pages.
type page struct {
	pattern string // its path, or a path with one {id}
	key     string // of its icon and of its texts
	menu    bool   // it is in the navigation
	open    func(access.Grant) bool
	render  func(*Root) app.UI
}

func everybody(access.Grant) bool { return true }

// reads tells who may see events of a type, by role.
func reads(types ...event.Type) func(access.Grant) bool {
	return func(g access.Grant) bool {
		return slices.ContainsFunc(types, func(t event.Type) bool {
			return slices.ContainsFunc(g.Roles, func(role access.Role) bool { _, sees := access.Table[t].Roles[role]; return sees })
		})
	}
}

// readable are the types of which a reader may be told something.
func readable(g access.Grant) []event.Type {
	return slices.DeleteFunc(slices.Clone(event.Types), func(t event.Type) bool {
		rule := access.Table[t]
		return !rule.ByAudience && !reads(t)(g) && (rule.Employee == nil || g.Employee == 0) && (rule.Starter == nil || !access.CanPublish(g, t))
	})
}

func readsPeople(g access.Grant) bool {
	return g.Employee != 0 || reads(event.TypeTimesheetUpdated, event.TypeLeaveRequestUpdated)(g)
}

func readsCustomers(g access.Grant) bool {
	return g.HasRole(access.Admin) || access.CanSeeField(g, event.TypeRentalStatusUpdated, "customer")
}

func isAdmin(g access.Grant) bool { return g.HasRole(access.Admin) }

// sitemap has all pages, in the order of the navigation. The pages refer to it,
// so it is set by init.
var sitemap []page

func init() {
	sitemap = []page{
		{"/", "dashboard", true, everybody, (*Root).dashboard},
		{"/events", "events", true, everybody, (*Root).history},
		{"/rentals", "rentals", true, reads(event.TypeRentalStatusUpdated), (*Root).rentals},
		{"/rentals/{id}", "rental", false, reads(event.TypeRentalStatusUpdated), (*Root).rental},
		{"/equipment", "equipment", true, reads(event.TypeMaintenanceRequired), (*Root).equipment},
		{"/equipment/{id}", "unit", false, reads(event.TypeMaintenanceRequired), (*Root).unit},
		{"/employees", "employees", true, readsPeople, (*Root).employees},
		{"/customers", "customers", true, readsCustomers, (*Root).customers},
		{"/notifications", "notifications", true, everybody, (*Root).notifications},
		{"/outbox", "outbox", true, everybody, (*Root).outboxPage},
		{"/sse-test", "test", true, everybody, (*Root).sseTest},
		{"/admin", "admin", true, isAdmin, (*Root).admin},
		{"/settings", "settings", true, everybody, (*Root).settings},
	}
}

// find is the page of a path, nil where there is none, or none for this user:
// the two read the same.
func (r *Root) find() *page {
	for i := range sitemap {
		if _, ok := match(sitemap[i].pattern, r.path); ok && sitemap[i].open(r.state.User.Grant()) {
			return &sitemap[i]
		}
	}
	return nil
}

// match tells whether a path is one of a pattern, and what stands for {id}.
func match(pattern, path string) (id string, ok bool) {
	head, variable := strings.CutSuffix(pattern, "{id}")
	if !variable {
		return "", path == pattern
	}
	id, ok = strings.CutPrefix(path, head)
	if !ok || id == "" || strings.Contains(id, "/") {
		return "", false
	}
	id, err := url.PathUnescape(id)
	return id, err == nil
}

// navigate goes to an address of the app. It gives go-app the whole address, as links do: go-app takes a path alone for
// another address than the one that is shown, and adds to the history.
func navigate(ctx app.Context, address string) {
	to, err := app.Window().URL().Parse(address)
	if err != nil {
		return // not one of the app's
	}
	ctx.NavigateTo(to)
}

// id is what stands for {id} in the path.
func (r *Root) id() string {
	if p := r.find(); p != nil {
		id, _ := match(p.pattern, r.path)
		return id
	}
	return ""
}
