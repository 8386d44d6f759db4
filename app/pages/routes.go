package pages

import (
	"net/url"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// A route leads from a path to a page.
type route struct {
	pattern string                  // the path of the page, or a path that ends in {id}
	key     string                  // the key of the page, of its icon and of its texts
	inMenu  bool                    // the navigation has a link to the page
	allows  func(access.Grant) bool // reports whether a user may open the page
}

// routes has the routes of all pages in the order of the navigation.
var routes = []route{
	{"/", "dashboard", true, allowsEverybody},
	{"/events", "events", true, allowsEverybody},
	{"/rentals", "rentals", true, canReadAny(event.TypeRentalStatusUpdated)},
	{"/rentals/{id}", "rental", false, canReadAny(event.TypeRentalStatusUpdated)},
	{"/equipment", "equipment", true, canReadAny(event.TypeMaintenanceRequired)},
	{"/equipment/{id}", "unit", false, canReadAny(event.TypeMaintenanceRequired)},
	{"/employees", "employees", true, canReadEmployees},
	{"/customers", "customers", true, canReadCustomers},
	{"/notifications", "notifications", true, allowsEverybody},
	{"/outbox", "outbox", true, allowsEverybody},
	{"/sse-test", "test", true, allowsEverybody},
	{"/admin", "admin", true, isAdmin},
	{"/settings", "settings", true, allowsEverybody},
}

func allowsEverybody(access.Grant) bool { return true }

// canReadAny returns a function that reports whether a role of the user may read events of one of the types.
func canReadAny(types ...event.Type) func(access.Grant) bool {
	return func(g access.Grant) bool {
		return slices.ContainsFunc(types, func(t event.Type) bool {
			return slices.ContainsFunc(g.Roles, func(role access.Role) bool {
				_, canRead := access.Table[t].Roles[role]
				return canRead
			})
		})
	}
}

// readableTypes returns the types of which the user may receive an event.
func readableTypes(g access.Grant) []event.Type {
	return slices.DeleteFunc(slices.Clone(event.Types), func(t event.Type) bool {
		rule := access.Table[t]
		asEmployee := rule.Employee != nil && g.Employee != 0
		asStarter := rule.Starter != nil && access.CanPublish(g, t)
		return !rule.ByAudience && !canReadAny(t)(g) && !asEmployee && !asStarter
	})
}

func canReadEmployees(g access.Grant) bool {
	return g.Employee != 0 || canReadAny(event.TypeTimesheetUpdated, event.TypeLeaveRequestUpdated)(g)
}

func canReadCustomers(g access.Grant) bool {
	return g.HasRole(access.Admin) || access.CanSeeField(g, event.TypeRentalStatusUpdated, "customer")
}

func isAdmin(g access.Grant) bool { return g.HasRole(access.Admin) }

// findRoute returns the route of a path. It returns nil both for a path without a page and for a page that the user may
// not open, so that the user cannot tell the two apart.
func findRoute(path string, g access.Grant) *route {
	for i := range routes {
		if _, ok := matchPattern(routes[i].pattern, path); ok && routes[i].allows(g) {
			return &routes[i]
		}
	}
	return nil
}

// canOpen reports whether the user may open the page with a pattern.
func canOpen(pattern string, g access.Grant) bool {
	return slices.ContainsFunc(routes, func(r route) bool { return r.pattern == pattern && r.allows(g) })
}

// matchPattern reports whether a path matches a pattern. It returns the part of the path that stands for {id}.
func matchPattern(pattern, path string) (id string, ok bool) {
	head, hasID := strings.CutSuffix(pattern, "{id}")
	if !hasID {
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
		return // not an address of the app
	}
	ctx.NavigateTo(to)
}

// reload loads the page anew.
func reload() { app.Window().Get("location").Call("reload") }
