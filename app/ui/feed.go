package ui

import (
	"maps"
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/store"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// A Feed is a list of events, newest first.
type Feed struct {
	Events []store.Received
	Grant  access.Grant
	Now    time.Time
	Max    int               // rows; 0: all
	Open   func(event.Event) // shows the details of one; nil: rows are no buttons
	Empty  func() app.UI     // in place of a list without rows
}

// A Row is an event of a feed, with how many of the same unit or job it stands
// for.
type Row struct {
	store.Received
	Times int
}

// Collapse leaves one row for each machine that moves and each sync that runs:
// the newest. The others are in the history.
func Collapse(events []store.Received) []Row {
	rows, at := make([]Row, 0, len(events)), map[string]int{}
	for _, e := range events {
		if e.Type == event.TypeEquipmentLocationUpdated || e.Type == event.TypeSyncProgress {
			if i, found := at[e.Subject]; found {
				rows[i].Times++
				continue
			}
			at[e.Subject] = len(rows)
		}
		rows = append(rows, Row{e, 1})
	}
	return rows
}

// Collapsed is the feed with one row a unit.
func (f Feed) Collapsed() app.UI { return f.list(Collapse(f.Events)) }

// All is the feed with a row for every event.
func (f Feed) All() app.UI {
	rows := make([]Row, len(f.Events))
	for i, e := range f.Events {
		rows[i] = Row{e, 1}
	}
	return f.list(rows)
}

func (f Feed) list(rows []Row) app.UI {
	if f.Max > 0 && len(rows) > f.Max {
		rows = rows[:f.Max]
	}
	if len(rows) == 0 {
		if f.Empty != nil {
			return f.Empty()
		}
		return Empty(text.Of("feed.empty"), text.Of("feed.empty.text"))
	}
	return El("ol", "feed", Each(len(rows), func(i int) app.UI { return f.row(rows[i]) }))
}

func (f Feed) row(r Row) app.UI {
	_, self := access.RedactForPerson(f.Grant, r.Event)
	line := app.UI(Line("p", "row-text", Describe(r.Event, self)))
	if f.Open != nil {
		line = Button("row-text row-open", Describe(r.Event, self)).OnClick(on(func() { f.Open(r.Event) }), app.EventScope(r.Cursor))
	}
	return El("li", "", El("span", "").Class("row-icon", "icon-"+string(r.Module())).Aria("hidden", "true"),
		El("div", "row-main", line,
			El("p", "row-meta", Line("span", "", text.Label(string(r.Type))), Line("span", "row-subject", r.Subject),
				If(r.Severity == event.Warning || r.Severity == event.Error, func() app.UI {
					return Line("span", "", text.Label(string(r.Severity))).Class("chip", "chip-"+string(r.Severity))
				}),
				If(r.Times > 1, func() app.UI { return Line("span", "chip", text.Of("feed.times", text.Number(r.Times))) }),
			),
		),
		Line("time", "row-time", rowTime(r.Time, f.Now)).Attr("datetime", r.Time.UTC().Format(time.RFC3339)),
	).Class("row", "severity-"+string(r.Severity)).DataSet("event", r.ID).DataSet("type", string(r.Type)).DataSet("cursor", r.Cursor)
}

// rowTime is the clock of today's events, and the day of older ones.
func rowTime(t, now time.Time) string {
	if now.Sub(t) < 20*time.Hour {
		return text.Clock(t)
	}
	return text.When(t, now)
}

// Empty says that there is nothing, and what would be here.
func Empty(title, words string) app.UI {
	return El("div", "empty", Line("p", "empty-title", title), Line("p", "", words))
}
