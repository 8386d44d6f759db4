package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// A specimen is a stored event with every field filled.
type specimen struct {
	event.Event
	markers map[string]string // by field: a text that occurs nowhere else
}

// specimens fill events from the declared fields.
type specimens struct {
	*testing.T
	n int
}

// value makes a valid value of a field, and its marker where it can be told
// from all others.
func (s *specimens) value(f event.FieldSpec) (value any, marker string) {
	s.n++
	unique := 9_012_000_000 + s.n
	number := fmt.Sprint(unique)
	switch f.Kind {
	case event.KindBool:
		return true, ""
	case event.KindInt:
		if f.Max != nil {
			return int(*f.Max) - 1, ""
		}
		return unique, number
	case event.KindNumber:
		if f.Step != 0 {
			return f.Step, ""
		}
		return json.Number("7." + number), number
	case event.KindMoney:
		return json.Number(number + ".37"), number
	case event.KindTime:
		past := time.Unix(int64(unique)-8_000_000_000, 0).UTC()
		return past, past.Format(time.RFC3339)[:19]
	case event.KindIntList:
		return []int{unique}, number
	case event.KindTextList:
		return nil, ""
	case event.KindRef:
		return "ref-" + number, number
	}
	if len(f.Enum) > 0 {
		return f.Enum[len(f.Enum)-1], ""
	}
	switch f.Format {
	case "date":
		return "2031-01-" + fmt.Sprintf("%02d", 1+s.n%28), ""
	case "month":
		return "2031-01", ""
	case "week":
		return "2031-W09", ""
	case "currency":
		return "CHF", ""
	case "phone":
		return "+" + number, number
	}
	return "/" + number, number // a path too
}

// make fills an event; change replaces values, nil leaves a field out.
func (s *specimens) make(t event.Type, change map[string]any) specimen {
	s.Helper()
	data, markers := map[string]any{}, map[string]string{}
	for _, f := range event.Fields(t) {
		value, marker := s.value(f)
		if replaced, ok := change[f.Name]; ok {
			value, marker = replaced, ""
		}
		if value == nil {
			continue
		}
		data[f.Name] = value
		if marker != "" {
			markers[f.Name] = marker
		}
	}
	e, err := event.New(t, data)
	require.NoError(s, err)
	e.ID, e.Time = fmt.Sprintf("specimen-%d", s.n), time.Now()
	return specimen{e, markers}
}

const (
	selfEmployee = 456
	starterUser  = 7
)

// all are specimens of everything that the table tells apart.
func (s *specimens) all() (all []specimen) {
	for _, t := range event.Types {
		rule := access.Table[t]
		change := map[string]any{}
		switch t {
		case event.TypeTimesheetUpdated:
			change["period"], change["hours_worked"], change["overtime_hours"] = nil, 7.25, 1.75
		case event.TypeLeaveRequestUpdated:
			change["start_date"], change["end_date"] = "2031-01-01", "2031-02-02"
		case event.TypeSystemNotification:
			all = append(all, s.make(t, map[string]any{"audience": []access.Role{access.HR}}), s.make(t, map[string]any{"audience": []access.Role{access.Yard, access.Manager}}))
		case event.TypePayrollProcessed: // a run
			all = append(all, s.make(t, map[string]any{"employee_id": nil, "amount": nil}))
		}
		all = append(all, s.make(t, change))
		with := func(name string, value int) {
			c := maps.Clone(change)
			c[name] = value
			all = append(all, s.make(t, c))
		}
		if rule.Employee != nil {
			with("employee_id", selfEmployee)
		}
		if rule.Starter != nil {
			with("started_by", starterUser)
		}
	}
	return all
}

// shown are the fields of an event that the table shows to a grant, read off
// the table row by row; nil where the event itself is hidden.
func shown(g access.Grant, e event.Event) map[string]bool {
	rule := access.Table[e.Type]
	var visibilities []access.Visibility
	for role, visibility := range rule.Roles {
		if g.HasRole(role) && (!visibility.OnlyRuns || !e.Data.Has("employee_id")) {
			visibilities = append(visibilities, visibility)
		}
	}
	if rule.ByAudience && !g.HasRole(access.Service) && (!e.Data.Has("audience") || slices.ContainsFunc(g.Roles, func(r access.Role) bool { return strings.Contains(e.Data.Text("audience"), `"`+string(r)+`"`) })) {
		visibilities = append(visibilities, access.Visibility{ShowsActor: true})
	}
	if rule.Employee != nil && g.Employee != 0 && e.Data.Int("employee_id") == g.Employee {
		visibilities = append(visibilities, *rule.Employee)
	}
	if rule.Starter != nil && !g.HasRole(access.Service) && e.Data.Text("started_by") == g.User {
		visibilities = append(visibilities, *rule.Starter)
	}
	if len(visibilities) == 0 {
		return nil
	}
	fields := map[string]bool{}
	for _, f := range e.Data {
		if slices.ContainsFunc(visibilities, func(s access.Visibility) bool { return s.Shows(e.Type, f.Name) }) {
			fields[f.Name] = true
		}
	}
	if e.Module() != event.ModuleEmployee || slices.ContainsFunc(visibilities, func(s access.Visibility) bool { return s.ShowsActor }) {
		fields["actor"] = true
	}
	return fields
}

// An outlet is a way out: it returns all that a reader is given, as text, and
// the events in it.
type outlet func(s *surface, bearer string, last wire.Cursor) (text string, events []event.Event)

// outlets are the ways out that deliver events, by route. What is no outlet
// must say nothing of any event; see silent.
var outlets = map[string]map[string]outlet{
	"GET /api/sse": {"stream": func(s *surface, bearer string, last wire.Cursor) (text string, events []event.Event) {
		r, err := http.NewRequest("GET", s.url+"/api/sse?after=oldest", nil)
		require.NoError(s, err)
		r.Header.Set("Authorization", strings.TrimPrefix(bearer, "Authorization: "))
		answer, err := s.client.Do(r)
		require.NoError(s, err)
		defer answer.Body.Close()
		var d wire.Decoder
		buffer := make([]byte, 4096)
		for done := false; !done; {
			n, err := answer.Body.Read(buffer)
			require.NoError(s, err)
			text += string(buffer[:n])
			require.NoError(s, d.Feed(buffer[:n], func(m wire.Message) {
				f, err := wire.ParseMessage(m)
				require.NoError(s, err)
				if e, ok := f.(*wire.Event); ok {
					events = append(events, e.Event)
				}
				done = done || f.ReachedCursor() == last
			}))
		}
		return text, events
	}},
	"GET /api/ws": {"socket": func(s *surface, bearer string, last wire.Cursor) (text string, events []event.Event) {
		c := s.socket("/api/ws?after=oldest", bearer)
		for {
			f, err := c.next()
			require.NoError(s, err)
			text += string(wire.AppendJSON(nil, f))
			if e, ok := f.(*wire.Event); ok {
				events = append(events, e.Event)
			}
			if f.ReachedCursor() == last {
				return text, events
			}
		}
	}},
	"GET /api/events": {
		"long poll": func(s *surface, bearer string, _ wire.Cursor) (string, []event.Event) {
			return pageOf(s, "/api/events?after=oldest&wait=1&limit=1000", bearer)
		},
		"history": func(s *surface, bearer string, _ wire.Cursor) (string, []event.Event) {
			return pageOf(s, "/api/events?limit=1000", bearer)
		},
		"by subject": func(s *surface, bearer string, _ wire.Cursor) (string, []event.Event) {
			kinds := strings.Join(event.SubjectKinds, "/*,") + "/*"
			return pageOf(s, "/api/events?limit=1000&subjects="+kinds, bearer)
		},
	},
	"GET /api/snapshot": {"snapshot": func(s *surface, bearer string, _ wire.Cursor) (text string, events []event.Event) {
		_, text = s.send("GET", "/api/snapshot", "", bearer)
		return text, nil
	}},
}

func pageOf(s *surface, path, bearer string) (string, []event.Event) {
	_, text := s.send("GET", path, "", bearer)
	var page struct{ Events []event.Event }
	require.NoError(s, json.Unmarshal([]byte(text), &page))
	return text, page.Events
}

// silent calls what is no outlet in a way that could make it talk: the answers
// must hold nothing of any event.
func silent(s *surface, r route, bearer string, all []specimen) string {
	path := strings.NewReplacer("{id}", "c-nobody", "{type}", string(event.Types[0])).Replace(r.path)
	var said strings.Builder
	if r.path == "/embed/v1/status.events" { // it does not end
		return firstFrame(s, path, bearer)
	}
	say := func(method, path, body string, headers ...string) {
		_, text := s.send(method, path, body, append(headers, bearer)...)
		said.WriteString(text)
	}
	say(r.method, path, "{}", isJSON)
	say(r.method, path+"?after=k-1&types=x", "", isJSON)
	if r.method == "POST" && r.path == "/api/sse" {
		for _, one := range all {
			// The same id with other content, another owner of the same thing, and
			// something that has moved: each is refused without a word of it.
			body := fmt.Sprintf(`{"type":%q,"id":%q,"source":"/s","data":{"rental_id":1,"days_overdue":1}}`, one.Type, one.ID)
			say("POST", "/api/sse", body, isJSON)
			stolen := one.Data
			for _, owner := range []string{"employee_id", "started_by"} {
				if stolen.Has(owner) {
					stolen = stolen.With(owner, json.RawMessage("123"))
				}
			}
			raw := string(event.Event{ID: "x" + one.ID, Type: one.Type, Source: "/s", Severity: event.Info, Data: onlyKeys(stolen), Time: time.Now()}.AppendJSON(nil))
			say("POST", "/api/sse", raw, isJSON, "If-Entity-Cursor: k-0")
		}
	}
	return said.String()
}

// firstFrame is how a stream begins.
func firstFrame(s *surface, path, bearer string) string {
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", s.url+path, nil)
	require.NoError(s, err)
	name, value, _ := strings.Cut(bearer, ": ")
	request.Header.Set(name, value)
	answer, err := s.client.Do(request)
	require.NoError(s, err)
	defer answer.Body.Close()
	frame := make([]byte, 4096)
	n, err := answer.Body.Read(frame)
	require.NoError(s, err)
	return string(frame[:n])
}

// onlyKeys are the fields without which nothing is valid, and those that name
// the thing.
func onlyKeys(data event.Object) (keys event.Object) {
	for _, f := range data {
		if strings.HasSuffix(f.Name, "_id") || slices.Contains([]string{"period", "status", "date", "start_date", "end_date", "progress", "amount", "started_by", "days_overdue", "payment_method"}, f.Name) {
			keys = append(keys, f)
		}
	}
	return keys
}

// TestVisibility holds each row of the visibility table on each path out, for
// every role alone, the employee concerned, the starter, a service and
// somebody without a role. A route that is not known here must be silent.
func TestVisibility(t *testing.T) {
	s := newSurfaceOn(t, memlog.New("k", time.Hour), func(_ string, c *Config) { c.Limits.PublishRate = 1e6; c.Limits.PerCredential = 1e6 })
	all := (&specimens{T: t}).all()
	var last wire.Cursor
	service := s.bearer(access.Service)
	for _, one := range all {
		answer, text := s.send("POST", "/api/sse", string(one.AppendJSON(nil)), service, isJSON)
		require.Equal(t, 201, answer.StatusCode, text)
		var receipt struct{ Cursor wire.Cursor }
		require.NoError(t, json.Unmarshal([]byte(text), &receipt))
		last = receipt.Cursor
	}
	grants := map[string]access.Grant{
		"self": {User: "8", Employee: selfEmployee}, "starter": {User: fmt.Sprint(starterUser)}, "nobody": {User: "10", Employee: 1},
	}
	for _, role := range access.Roles {
		grants[string(role)] = access.Grant{User: "9", Roles: []access.Role{role}}
	}
	bearers := map[string]string{}
	for who, g := range grants {
		token, err := s.tokens.Create(g, time.Hour)
		require.NoError(t, err)
		bearers[who] = "Authorization: Bearer " + token
		for _, r := range s.api.routes {
			for way, read := range outlets[r.method+" "+r.path] {
				text, events := read(s, bearers[who], last)
				holds(t, who+" by "+way, g, all, text, events, way == "snapshot")
			}
		}
	}
	for _, r := range s.api.routes { // last: they may store something
		if outlets[r.method+" "+r.path] != nil {
			continue
		}
		for who, bearer := range bearers {
			said := silent(s, r, bearer, all)
			for _, one := range all {
				for field, marker := range one.markers {
					require.NotContains(t, said, marker, "%s %s tells %s the %s of %s", r.method, r.path, who, field, one.Type)
				}
			}
		}
	}
}

// holds compares what a reader was given with what the table shows to them.
func holds(t *testing.T, where string, g access.Grant, all []specimen, text string, events []event.Event, state bool) {
	t.Helper()
	given := map[string]event.Event{}
	for _, e := range events {
		given[e.ID] = e
	}
	for _, one := range all {
		fields := shown(g, one.Event)
		for name, marker := range one.markers {
			if !fields[name] {
				require.NotContains(t, text, marker, "%s: %s of %s", where, name, one.Type)
			}
		}
		if state {
			continue
		}
		e, ok := given[one.ID]
		require.Equal(t, fields != nil, ok, "%s: %s %s", where, one.Type, one.Data)
		if !ok {
			continue
		}
		require.Equal(t, fields["actor"], e.Actor != "", "%s: the actor of %s", where, one.Type)
		delete(fields, "actor")
		got := map[string]bool{}
		for _, f := range e.Data {
			got[f.Name] = true
			require.Equal(t, string(one.Data.Get(f.Name)), string(f.Raw))
		}
		require.Equal(t, fields, got, "%s: %s", where, one.Type)
	}
}
