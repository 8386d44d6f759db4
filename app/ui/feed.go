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
	Grant  access.Grant      // the rights of the user
	Now    time.Time         // the time that relative times count from
	Max    int               // the most rows; 0 means all
	Open   func(event.Event) // shows the details of an event; nil makes rows that are no buttons
	Empty  func() app.UI     // the place of a list without rows; nil shows a general sentence
}

// A Row is one row of a feed.
type Row struct {
	store.Received
	Times int // the number of events of the same machine or sync that the row stands for
}

// Collapse returns the rows of a collapsed feed. It keeps only the newest position of each machine and the newest
// progress of each sync. The history shows the others.
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

// Collapsed renders the feed with one row for each machine and each sync.
func (f Feed) Collapsed() app.UI { return f.list(Collapse(f.Events)) }

// All renders the feed with a row for every event.
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
	severity := string(r.Severity)
	needsAttention := r.Severity == event.Warning || r.Severity == event.Error
	icon := El("span", "").
		Class("row-icon", "icon-"+string(r.Module())).
		Aria("hidden", "true")
	details := El("p", "row-meta",
		TextEl("span", "", text.Label(string(r.Type))),
		TextEl("span", "row-subject", r.Subject),
		If(needsAttention, func() app.UI {
			return TextEl("span", "", text.Label(severity)).Class("chip", "chip-"+severity)
		}),
		If(r.Times > 1, func() app.UI { return TextEl("span", "chip", text.Of("feed.times", text.Number(r.Times))) }))
	at := TextEl("time", "row-time", rowTime(r.Time, f.Now)).
		Attr("datetime", r.Time.UTC().Format(time.RFC3339))
	return El("li", "",
		icon,
		El("div", "row-main",
			f.rowText(r),
			details),
		at,
	).
		Class("row", "severity-"+severity).
		DataSet("event", r.ID).
		DataSet("type", string(r.Type)).
		DataSet("cursor", r.Cursor)
}

// rowText returns the sentence of a row. It is a button if the feed opens details.
func (f Feed) rowText(r Row) app.UI {
	_, ofUser := access.RedactForPerson(f.Grant, r.Event)
	words := Describe(r.Event, ofUser)
	if f.Open == nil {
		return TextEl("p", "row-text", words)
	}
	open := onEvent(func() { f.Open(r.Event) })
	return Button("row-text row-open", words).OnClick(open, app.EventScope(r.Cursor))
}

// rowTime returns the time of day for a recent event and the day for an older one.
func rowTime(t, now time.Time) string {
	if now.Sub(t) < 20*time.Hour {
		return text.Clock(t)
	}
	return text.When(t, now)
}
