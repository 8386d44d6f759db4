package access

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/snd-rental/yardline/shared/event"
)

// View is e as the grant may see it. ok is false where it may not be seen at
// all; then nothing of it may reach the reader.
func View(g Grant, e event.Event) (seen event.Event, ok bool) {
	if seen, ok := RoleView(g.Roles, e); ok {
		return seen, true
	}
	return PersonView(g, e)
}

// RoleView is e as the roles show it, the same for everybody who has them.
func RoleView(roles []Role, e event.Event) (seen event.Event, ok bool) {
	rule := Table[e.Type]
	if rule.Audience && inAudience(roles, e.Data) {
		return e, true
	}
	var sights []Sight
	for _, r := range roles {
		if s, found := rule.Roles[r]; found && !(s.Runs && e.Data.Has("employee_id")) {
			sights = append(sights, s)
		}
	}
	return apply(sights, e)
}

// PersonView is e as the person of the grant may see it, whatever the roles.
func PersonView(g Grant, e event.Event) (seen event.Event, ok bool) {
	rule := Table[e.Type]
	var sights []Sight
	if rule.Self != nil && g.Employee != 0 && e.Data.Int("employee_id") == g.Employee {
		sights = append(sights, *rule.Self)
	}
	if rule.Starter != nil && !g.Has(Service) && e.Data.Has("started_by") && e.Data.Text("started_by") == g.User {
		sights = append(sights, *rule.Starter)
	}
	return apply(sights, e)
}

// Persons names whom e is about in person, as PersonKeys does for a grant.
// It is how a hub finds the few connections that PersonView may serve.
func Persons(e event.Event) []string {
	rule := Table[e.Type]
	var keys []string
	if rule.Self != nil && e.Data.Has("employee_id") {
		keys = append(keys, "employee:"+e.Data.Text("employee_id"))
	}
	if rule.Starter != nil && e.Data.Has("started_by") {
		keys = append(keys, "user:"+e.Data.Text("started_by"))
	}
	return keys
}

// PersonKeys are the keys under which events about the grant's person come.
func PersonKeys(g Grant) []string {
	var keys []string
	if g.Employee != 0 {
		keys = append(keys, "employee:"+strconv.FormatInt(g.Employee, 10))
	}
	if !g.Has(Service) {
		keys = append(keys, "user:"+g.User)
	}
	return keys
}

// MayPublish tells whether the grant may publish a type.
func MayPublish(g Grant, t event.Type) bool {
	if !t.Known() {
		return false
	}
	return g.Has(Service) || g.Has(Admin) || slices.ContainsFunc(Table[t].Publish, g.Has)
}

// MaySee tells whether an event of a type may ever be visible to the grant.
func MaySee(g Grant, t event.Type) bool {
	rule := Table[t]
	switch {
	case slices.ContainsFunc(g.Roles, func(r Role) bool { _, found := rule.Roles[r]; return found }):
		return true
	case rule.Self != nil && g.Employee != 0, rule.Starter != nil && !g.Has(Service):
		return true
	}
	return rule.Audience && inAudience(g.Roles, nil)
}

// SeesFigure tells whether the grant may see a figure.
func SeesFigure(g Grant, figure string) bool { return slices.ContainsFunc(Figures[figure], g.Has) }

// SeesField tells whether the grant's roles show a field of every event of a
// type.
func SeesField(g Grant, t event.Type, name string) bool {
	return slices.ContainsFunc(g.Roles, func(r Role) bool {
		s, found := Table[t].Roles[r]
		return found && s.Shows(t, name)
	})
}

func inAudience(roles []Role, o event.Object) bool {
	if !o.Has("audience") {
		return !slices.Contains(roles, Service) || len(roles) > 1
	}
	var names []Role
	if json.Unmarshal(o.Get("audience"), &names) != nil {
		return false
	}
	return slices.ContainsFunc(names, func(r Role) bool { return slices.Contains(roles, r) })
}

// apply leaves out of e what none of the sights shows.
func apply(sights []Sight, e event.Event) (event.Event, bool) {
	if len(sights) == 0 {
		return event.Event{}, false
	}
	data := make(event.Object, 0, len(e.Data))
	for _, f := range e.Data {
		if slices.ContainsFunc(sights, func(s Sight) bool { return s.Shows(e.Type, f.Name) }) {
			data = append(data, f)
		}
	}
	e.Data = data
	if e.Module() == event.ModuleEmployee && !slices.ContainsFunc(sights, func(s Sight) bool { return s.Actor }) {
		e.Actor = ""
	}
	return e, true
}

// Shows tells whether a sight includes a field. A field that the vocabulary
// does not declare is never shown.
func (s Sight) Shows(t event.Type, name string) bool {
	spec, declared := event.Spec(t, name)
	if !declared || slices.Contains(s.Except, name) || slices.Contains(s.Without, spec.Class) {
		return false
	}
	return s.Only == nil || slices.Contains(s.Only, name)
}
