package access

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/snd-rental/yardline/shared/event"
)

// Redact returns e with the fields that the grant may see. ok is false when the
// grant may not see the event at all. The caller must then give nothing of it to the
// reader. Redact does not change e.
func Redact(g Grant, e event.Event) (redacted event.Event, ok bool) {
	if redacted, ok := RedactForRoles(g.Roles, e); ok {
		return redacted, true
	}
	return RedactForPerson(g, e)
}

// RedactForRoles is like [Redact], but looks at the roles alone. Its result is the
// same for all readers with these roles.
func RedactForRoles(roles []Role, e event.Event) (redacted event.Event, ok bool) {
	rule := Table[e.Type]
	if rule.ByAudience && inAudience(roles, e.Data) {
		return e, true
	}
	var visibilities []Visibility
	for _, r := range roles {
		if v, found := rule.Roles[r]; found && !(v.OnlyRuns && e.Data.Has("employee_id")) {
			visibilities = append(visibilities, v)
		}
	}
	return apply(visibilities, e)
}

// RedactForPerson is like [Redact], but looks at the person alone: the employee that
// the event is about, or the user that started its job. It ignores the roles, except
// that a service is not a user.
func RedactForPerson(g Grant, e event.Event) (redacted event.Event, ok bool) {
	rule := Table[e.Type]
	var visibilities []Visibility
	if rule.Employee != nil && g.Employee != 0 && e.Data.Int("employee_id") == g.Employee {
		visibilities = append(visibilities, *rule.Employee)
	}
	if rule.Starter != nil && !g.HasRole(Service) && e.Data.Has("started_by") && e.Data.Text("started_by") == g.User {
		visibilities = append(visibilities, *rule.Starter)
	}
	return apply(visibilities, e)
}

// PersonKeysOfEvent returns a key for each person that e is about. [RedactForPerson]
// shows e only to grants that have one of these keys in [PersonKeysOfGrant], so a
// hub finds these few connections without looking at all others.
func PersonKeysOfEvent(e event.Event) []string {
	rule := Table[e.Type]
	var keys []string
	if rule.Employee != nil && e.Data.Has("employee_id") {
		keys = append(keys, "employee:"+e.Data.Text("employee_id"))
	}
	if rule.Starter != nil && e.Data.Has("started_by") {
		keys = append(keys, "user:"+e.Data.Text("started_by"))
	}
	return keys
}

// PersonKeysOfGrant returns the keys by which [PersonKeysOfEvent] names the person of
// the grant.
func PersonKeysOfGrant(g Grant) []string {
	var keys []string
	if g.Employee != 0 {
		keys = append(keys, "employee:"+strconv.FormatInt(g.Employee, 10))
	}
	if !g.HasRole(Service) {
		keys = append(keys, "user:"+g.User)
	}
	return keys
}

// CanPublish reports whether the grant may publish events of the type.
func CanPublish(g Grant, t event.Type) bool {
	if !t.Known() {
		return false
	}
	return g.HasRole(Service) || g.HasRole(Admin) || slices.ContainsFunc(Table[t].Publishers, g.HasRole)
}

// CanSee reports whether any event of the type may be visible to the grant.
func CanSee(g Grant, t event.Type) bool {
	rule := Table[t]
	switch {
	case slices.ContainsFunc(g.Roles, func(r Role) bool { _, found := rule.Roles[r]; return found }):
		return true
	case rule.Employee != nil && g.Employee != 0, rule.Starter != nil && !g.HasRole(Service):
		return true
	}
	return rule.ByAudience && inAudience(g.Roles, nil)
}

// CanSeeFigure reports whether a role of the grant sees the figure of the dashboard.
func CanSeeFigure(g Grant, figure string) bool {
	return slices.ContainsFunc(FigureRoles[figure], g.HasRole)
}

// CanSeeField reports whether a role of the grant shows the field of the type's
// events.
func CanSeeField(g Grant, t event.Type, name string) bool {
	return slices.ContainsFunc(g.Roles, func(r Role) bool {
		v, found := Table[t].Roles[r]
		return found && v.Shows(t, name)
	})
}

// inAudience reports whether the payload's audience includes one of the roles. A
// payload without an audience is for every reader. A service reads nothing, so
// the role Service alone is in no audience.
func inAudience(roles []Role, data event.Object) bool {
	if !data.Has("audience") {
		return !slices.Contains(roles, Service) || len(roles) > 1
	}
	var names []Role
	if json.Unmarshal(data.Get("audience"), &names) != nil {
		return false
	}
	return slices.ContainsFunc(names, func(r Role) bool { return slices.Contains(roles, r) })
}

// apply returns e with the fields that at least one of the visibilities shows. Its
// second result is false when there is no visibility.
func apply(visibilities []Visibility, e event.Event) (event.Event, bool) {
	if len(visibilities) == 0 {
		return event.Event{}, false
	}
	data := make(event.Object, 0, len(e.Data))
	for _, f := range e.Data {
		if slices.ContainsFunc(visibilities, func(v Visibility) bool { return v.Shows(e.Type, f.Name) }) {
			data = append(data, f)
		}
	}
	e.Data = data
	showsActor := func(v Visibility) bool { return v.ShowsActor }
	if e.Module() == event.ModuleEmployee && !slices.ContainsFunc(visibilities, showsActor) {
		e.Actor = ""
	}
	return e, true
}

// Shows reports whether v shows the field of the type's payload. It never shows a
// field that the vocabulary does not declare.
func (v Visibility) Shows(t event.Type, name string) bool {
	spec, declared := event.Spec(t, name)
	if !declared || slices.Contains(v.HiddenFields, name) || slices.Contains(v.HiddenClasses, spec.Class) {
		return false
	}
	return v.OnlyFields == nil || slices.Contains(v.OnlyFields, name)
}
