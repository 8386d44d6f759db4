package pages

import (
	"context"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// A timeline is all events of one subject, newest first. The pages of a rental and of a machine embed it.
type timeline struct {
	subject  string           // such as "rental/7"
	events   []store.Received // the events that the broker has sent
	older    wire.Cursor      // older events are before this cursor; zero if there are none
	loading  bool             // a request for events runs
	problem  string           // why the last request failed; "" if it did not
	answered bool             // the broker has answered for this subject
}

func (t *timeline) forget() { *t = timeline{} }

// arriveAs handles an arrival at the page with a key, whose present subject is given.
func (t *timeline) arriveAs(h *host, a arrival, key, subject string) {
	switch a {
	case pageOpened:
		t.open(h, subject)
	case brokerReachable:
		if t.problem != "" && h.isOpen(key) {
			t.open(h, subject)
		}
	}
}

// open loads the events of a subject.
func (t *timeline) open(h *host, subject string) {
	*t = timeline{subject: subject}
	t.load(h)
}

// load asks the broker for historyRows older events.
func (t *timeline) load(h *host) {
	subject, before := t.subject, t.older
	t.loading, t.problem = true, ""
	bySubject := historyFilter{Filter: filter.Filter{Subjects: []string{subject}}}
	var found []store.Received
	var older wire.Cursor
	h.request(func(ctx context.Context) (err error) {
		found, older, err = readOlder(ctx, h.live, bySubject, before, historyRows)
		return err
	}, func(err error) {
		if subject != t.subject {
			return
		}
		t.loading = false
		if err != nil {
			t.problem = live.Explain(err)
			return
		}
		if before == (wire.Cursor{}) {
			t.events = nil
		}
		t.events, t.older, t.answered = append(t.events, found...), older, true
	})
}

// rows returns the events to show: the loaded ones, and before them those that have come since.
func (t *timeline) rows(h *host) (rows []store.Received) {
	for _, e := range h.state.View.Events {
		if e.Subject == t.subject && (len(t.events) == 0 || isNewer(e.Cursor, t.events[0].Cursor)) {
			rows = append(rows, e)
		}
	}
	return append(rows, t.events...)
}

// isMissing implements subjectPage.
func (t *timeline) isMissing(h *host) bool {
	return t.answered && len(t.rows(h)) == 0 && !hasEntity(h.state.Entities, t.subject)
}

// hasEntity reports whether one of the entities belongs to a subject.
func hasEntity(entities []*projection.Entity, subject string) bool {
	for _, e := range entities {
		if lastEvent(e).Subject == subject {
			return true
		}
	}
	return false
}

// page renders the page of the subject: its present state with the actions, and everything that has happened.
func (t *timeline) page(h *host, title string, facts []ui.Fact, actions []app.UI) app.UI {
	rows := t.rows(h)
	if len(rows) == 0 && len(facts) == 0 && !t.loading { // the browser is offline and knows nothing of the subject
		return h.frame(title, ui.El("section", "card", ui.NothingKnown()))
	}
	present := ui.Card("aside-card", "now", text.Of("timeline.now"),
		ui.Facts("facts", facts),
		ui.El("div", "buttons").Body(actions...),
	).
		DataSet("item", t.subject).
		TabIndex(-1)
	columns := ui.El("div", "columns", t.list(h, rows), present)
	return h.frame(title, columns)
}

func (t *timeline) list(h *host, rows []store.Received) app.UI {
	feed := ui.Feed{Events: rows, Grant: h.grant(), Now: h.now, Open: h.showEvent}
	problem := ui.Slot(t.problem != "", func() app.UI {
		retry := ui.SmallButton(text.Of("retry"), func() { t.load(h) })
		return ui.Banner("banner", text.Of("timeline.local", t.problem), retry)
	})
	older := ui.El("div", "more-rows", ui.If(t.older != (wire.Cursor{}), func() app.UI {
		return ui.Button("button", text.Of("events.older")).
			Attr("disabled", t.loading).
			OnClick(func(app.Context, app.Event) { t.load(h) })
	}))
	return ui.Card("feed-card", "timeline", text.Of("timeline"),
		problem,
		ui.If(t.loading && len(rows) == 0, ui.SkeletonRows).Else(feed.All),
		older,
	).Aria("busy", t.loading)
}

// linkedFields maps the fields that hold ids of other things to the paths of the pages of these things.
var linkedFields = map[string]string{"equipment_ids": "/equipment/", "rental_id": "/rentals/"}

// factsOf returns the named fields of an entity as facts. It leaves out the fields that the entity lacks. The entity
// may be nil.
func factsOf(e *projection.Entity, names ...string) (facts []ui.Fact) {
	for _, name := range names {
		if e == nil || !e.Fields.Has(name) {
			continue
		}
		value := app.UI(app.Text(ui.FieldText(e.Type, e.Fields, name)))
		if path := linkedFields[name]; path != "" {
			ids := strings.Split(strings.Trim(string(e.Fields.Get(name)), "[]"), ",")
			value = ui.Each(len(ids), func(i int) app.UI { return ui.Link("fact-link", path+ids[i], "#"+ids[i]) })
		}
		facts = append(facts, ui.Fact{Name: app.Text(text.Label(name)), Value: value})
	}
	return facts
}

// textFacts is like factsOf without links, for a card of a board.
func textFacts(e *projection.Entity, names ...string) (facts []ui.Fact) {
	for _, name := range names {
		if e.Fields.Has(name) {
			facts = append(facts, ui.TextFact(text.Label(name), ui.FieldText(e.Type, e.Fields, name)))
		}
	}
	return facts
}
