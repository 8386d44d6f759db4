package pages

import (
	"context"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// subjectPage is the timeline of one subject, newest first.
type subjectPage struct {
	of      string
	events  []store.Received
	before  wire.Cursor
	busy    bool
	failed  string
	arrived bool // the broker has answered
}

// arrive loads the subject of the address.
func (s *subjectPage) arrive(r *Root) {
	kind := map[string]string{"rental": "rental/", "unit": "equipment/"}[r.find().key]
	*s = subjectPage{of: kind + r.id()}
	s.load(r)
}

func (s *subjectPage) load(r *Root) {
	of, before := s.of, s.before
	s.busy, s.failed = true, ""
	var found []store.Received
	var rest wire.Cursor
	r.do(func(ctx context.Context) (err error) {
		found, rest, err = read(ctx, r.Live, wanted{Filter: filter.Filter{Subjects: []string{of}}}, before, historyRows)
		return err
	}, func(err error) {
		if of != s.of {
			return
		}
		if s.busy = false; err != nil {
			s.failed = live.Explain(err)
			return
		}
		if before == (wire.Cursor{}) {
			s.events = nil
		}
		s.events, s.before, s.arrived = append(s.events, found...), rest, true
	})
}

// rows are the events of the subject: those loaded, and what has come since.
func (s *subjectPage) rows(r *Root) (rows []store.Received) {
	for _, e := range r.state.View.Events {
		if e.Subject == s.of && (len(s.events) == 0 || newer(e.Cursor, s.events[0].Cursor)) {
			rows = append(rows, e)
		}
	}
	return append(rows, s.events...)
}

// missing tells that the page is of a subject that is not there, or not for
// this user.
func (r *Root) missing() bool {
	p := r.find()
	if p == nil || p.menu || r.state.Phase != live.SignedIn {
		return false
	}
	return r.subject.arrived && len(r.subject.rows(r)) == 0 && len(r.entitiesOf(r.subject.of)) == 0
}

// entitiesOf are the last states of a subject's things.
func (r *Root) entitiesOf(subject string) (all []*projection.Entity) {
	for _, e := range r.state.Entities {
		if eventOf(e).Subject == subject {
			all = append(all, e)
		}
	}
	return all
}

// timeline is a subject's page: what it is now, what may be done, and all that
// has happened.
func (r *Root) timeline(title string, facts []fact, actions ...app.UI) app.UI {
	s := &r.subject
	rows := s.rows(r)
	if len(rows) == 0 && len(facts) == 0 && !s.busy { // offline, of something that this browser knows nothing of
		return r.page(title, ui.El("section", "card", nothingKnown()))
	}
	feed := ui.Feed{Events: rows, Grant: r.state.User.Grant(), Now: r.now, Open: r.showEvent}
	return r.page(title,
		ui.El("div", "columns", ui.Card("feed-card", "timeline", text.Of("timeline"), ui.Slot(s.failed != "", func() app.UI {
			return ui.El("div", "banner", ui.TextEl("span", "banner-text", text.Of("timeline.local", s.failed)),
				ui.Button("button button-small", text.Of("retry")).OnClick(func(app.Context, app.Event) { s.load(r) }))
		}),
			ui.If(s.busy && len(rows) == 0, waitingRows).Else(feed.All),
			ui.El("div", "more-rows", ui.If(s.before != (wire.Cursor{}), func() app.UI {
				return ui.Button("button", text.Of("events.older")).Attr("disabled", s.busy).OnClick(func(app.Context, app.Event) { s.load(r) })
			}))).Aria("busy", s.busy),
			ui.Card("aside-card", "now", text.Of("timeline.now"), ui.El("dl", "facts", ui.Each(len(facts), func(i int) app.UI {
				return ui.El("div", "", ui.TextEl("dt", "", facts[i].name), ui.El("dd", "", facts[i].value))
			})),
				ui.El("div", "buttons").Body(actions...)).DataSet("item", s.of).TabIndex(-1),
		))
}

// A fact is a field of a last state. What names other things leads to them.
type fact struct {
	name  string
	value app.UI
}

// facts are the fields of a last state that are there, by their names.
func facts(e *projection.Entity, names ...string) (rows []fact) {
	for _, name := range names {
		if e != nil && e.Fields.Has(name) {
			value, page := app.Text(ui.FieldText(e.Type, e.Fields, name)), map[string]string{"equipment_ids": "/equipment/", "rental_id": "/rentals/"}[name]
			if page != "" {
				ids := strings.Split(strings.Trim(string(e.Fields.Get(name)), "[]"), ",")
				value = ui.Each(len(ids), func(i int) app.UI { return ui.Link("fact-link", page+ids[i], "#"+ids[i]) })
			}
			rows = append(rows, fact{text.Label(name), value})
		}
	}
	return rows
}

// byType are the last states of a type, and only those that are open where
// wanted.
func (r *Root) byType(t event.Type, open bool) (all []*projection.Entity) {
	for _, e := range r.state.Entities {
		if e.Type == t && (!open || e.Closed.IsZero()) {
			all = append(all, e)
		}
	}
	return all
}
