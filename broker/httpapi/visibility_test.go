package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
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

// visibleFields returns the fields of an event that the visibility table shows to a
// grant, read row by row. nil means that the event is hidden.
func visibleFields(g access.Grant, e event.Event) map[string]bool {
	rule := access.Table[e.Type]
	var visibilities []access.Visibility
	for role, visibility := range rule.Roles {
		if g.HasRole(role) && (!visibility.OnlyRuns || !e.Data.Has("employee_id")) {
			visibilities = append(visibilities, visibility)
		}
	}
	inAudience := !e.Data.Has("audience") || slices.ContainsFunc(g.Roles, func(r access.Role) bool {
		return strings.Contains(e.Data.Text("audience"), `"`+string(r)+`"`)
	})
	if rule.ByAudience && !g.HasRole(access.Service) && inAudience {
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
	showsActor := func(v access.Visibility) bool { return v.ShowsActor }
	if e.Module() != event.ModuleEmployee || slices.ContainsFunc(visibilities, showsActor) {
		fields["actor"] = true
	}
	return fields
}

// An outlet is a way by which events leave the broker. It returns all text that a reader
// gets, and the events in it.
type outlet func(s *testBroker, bearer string, last wire.Cursor) (text string, events []event.Event)

// outlets has the ways by which events leave the broker, by route. All other routes must
// reveal nothing of any event; see probe.
var outlets = map[string]map[string]outlet{
	"GET /api/sse": {"stream": readStream},
	"GET /api/ws":  {"socket": readSocket},
	"GET /api/events": {
		"long poll": func(s *testBroker, bearer string, _ wire.Cursor) (string, []event.Event) {
			return pageOf(s, "/api/events?after=oldest&wait=1&limit=1000", bearer)
		},
		"history": func(s *testBroker, bearer string, _ wire.Cursor) (string, []event.Event) {
			return pageOf(s, "/api/events?limit=1000", bearer)
		},
		"by subject": func(s *testBroker, bearer string, _ wire.Cursor) (string, []event.Event) {
			kinds := strings.Join(event.SubjectKinds, "/*,") + "/*"
			return pageOf(s, "/api/events?limit=1000&subjects="+kinds, bearer)
		},
	},
	"GET /api/snapshot": {
		"snapshot": func(s *testBroker, bearer string, _ wire.Cursor) (string, []event.Event) {
			_, text := s.send("GET", "/api/snapshot", "", bearer)
			return text, nil
		},
	},
}

// readStream reads a stream from the oldest event to the cursor last.
func readStream(s *testBroker, bearer string, last wire.Cursor) (text string, events []event.Event) {
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
}

// readSocket reads a WebSocket from the oldest event to the cursor last.
func readSocket(s *testBroker, bearer string, last wire.Cursor) (text string, events []event.Event) {
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
}

// pageOf returns a page of history, as text and as events.
func pageOf(s *testBroker, path, bearer string) (string, []event.Event) {
	_, text := s.send("GET", path, "", bearer)
	var page struct{ Events []event.Event }
	require.NoError(s, json.Unmarshal([]byte(text), &page))
	return text, page.Events
}

// probe calls a route that is not an outlet in ways that could make it reveal an event,
// and returns all answers.
func probe(s *testBroker, r route, bearer string, all []sample) string {
	path := strings.NewReplacer("{id}", "c-nobody", "{type}", string(event.Types[0])).Replace(r.path)
	var answers strings.Builder
	if r.path == "/embed/v1/status.events" { // the stream does not end
		return firstFrame(s, path, bearer)
	}
	send := func(method, path, body string, headers ...string) {
		_, text := s.send(method, path, body, append(headers, bearer)...)
		answers.WriteString(text)
	}
	send(r.method, path, "{}", isJSON)
	send(r.method, path+"?after=k-1&types=x", "", isJSON)
	if r.method == "POST" && r.path == "/api/sse" {
		for _, one := range all {
			// The broker refuses the same id with other content, another owner of the same
			// entity, and an entity that has changed, and its refusals reveal nothing.
			const format = `{"type":%q,"id":%q,"source":"/s","data":{"rental_id":1,"days_overdue":1}}`
			body := fmt.Sprintf(format, one.Type, one.ID)
			send("POST", "/api/sse", body, isJSON)
			stolen := one.Data
			for _, owner := range []string{"employee_id", "started_by"} {
				if stolen.Has(owner) {
					stolen = stolen.With(owner, json.RawMessage("123"))
				}
			}
			raw := string(event.Event{
				ID:       "x" + one.ID,
				Type:     one.Type,
				Source:   "/s",
				Severity: event.Info,
				Data:     onlyKeys(stolen),
				Time:     time.Now(),
			}.AppendJSON(nil))
			send("POST", "/api/sse", raw, isJSON, "If-Entity-Cursor: k-0")
		}
	}
	return answers.String()
}

// firstFrame returns the first bytes of a stream.
func firstFrame(s *testBroker, path, bearer string) string {
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

// onlyKeys returns the required fields of an event, and those that name its entity.
func onlyKeys(data event.Object) (keys event.Object) {
	for _, f := range data {
		if strings.HasSuffix(f.Name, "_id") || slices.Contains([]string{"period", "status", "date", "start_date",
			"end_date", "progress", "amount", "started_by", "days_overdue", "payment_method"}, f.Name) {
			keys = append(keys, f)
		}
	}
	return keys
}

// Every outlet follows each row of the visibility table: for every role alone, the
// employee that an event is about, the starter, a service, and a user without a role.
// All other routes reveal nothing of any event.
func TestRoutesRevealOnlyWhatTheTableAllows(t *testing.T) {
	overBothWriters(t, testRoutesRevealOnlyWhatTheTableAllows)
}

func testRoutesRevealOnlyWhatTheTableAllows(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change, func(_ string, c *Config) {
		c.Limits.PublishRate = 1e6
		c.Limits.PerCredential = 1e6
	})
	all := (&sampleMaker{T: t}).all()
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
		"self":    {User: "8", Employee: selfEmployee},
		"starter": {User: fmt.Sprint(starterUser)},
		"nobody":  {User: "10", Employee: 1},
	}
	for _, role := range access.Roles {
		grants[string(role)] = access.Grant{User: "9", Roles: []access.Role{role}}
	}
	bearers := map[string]string{}
	for reader, g := range grants {
		token, err := s.tokens.Create(g, time.Hour)
		require.NoError(t, err)
		bearers[reader] = "Authorization: Bearer " + token
		for _, r := range s.api.routes {
			for name, read := range outlets[r.method+" "+r.path] {
				text, events := read(s, bearers[reader], last)
				checkVisibility(t, reader+" by "+name, g, all, text, events, name == "snapshot")
			}
		}
	}
	for _, r := range s.api.routes { // after the outlets, because these calls may store events
		if outlets[r.method+" "+r.path] != nil {
			continue
		}
		for reader, bearer := range bearers {
			answers := probe(s, r, bearer, all)
			for _, one := range all {
				for field, marker := range one.markers {
					require.NotContains(t, answers, marker,
						"%s %s tells %s the %s of %s", r.method, r.path, reader, field, one.Type)
				}
			}
		}
	}
}

// checkVisibility compares what a reader got with what the visibility table shows to its
// grant. state tells that text is a snapshot, which has no events.
func checkVisibility(
	t *testing.T, where string, g access.Grant, all []sample, text string, events []event.Event, state bool,
) {
	t.Helper()
	given := map[string]event.Event{}
	for _, e := range events {
		given[e.ID] = e
	}
	for _, one := range all {
		fields := visibleFields(g, one.Event)
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
