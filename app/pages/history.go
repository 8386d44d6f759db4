package pages

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// historyPage is the page /events: all events that match the filters of the address, newest first.
type historyPage struct {
	filter  historyFilter
	events  []store.Received // the events that the broker has sent, newest first
	older   wire.Cursor      // older events are before this cursor; zero if there are none
	loading bool             // a request for events runs
	local   bool             // the broker could not be reached, so that the page shows the last events of the browser
	problem string           // shown as an alert; "" for none
	note    string           // the sentence about missing events of an exported file; "" if none is missing
	saving  bool             // an export runs
	serial  int              // counts the addresses, so that answers for an earlier one are dropped
}

const (
	historyRows   = 100  // the rows that one press on Older adds
	maxReadPages  = 20   // the most requests of one call of readOlder
	maxPageEvents = 1000 // the most events of one request
)

func (p *historyPage) arrive(h *host, a arrival) {
	switch a {
	case pageOpened:
		p.open(h)
	case brokerReachable:
		if p.local && h.isOpen("events") {
			p.open(h)
		}
	}
}

func (p *historyPage) forget() { *p = historyPage{} }

// open loads the events for the filters of the address.
func (p *historyPage) open(h *host) {
	filter, err := parseHistoryFilter(h.query)
	*p = historyPage{filter: filter, serial: p.serial + 1}
	if err != nil {
		p.problem = text.Of("events.bad")
		return
	}
	p.load(h)
	query := h.query
	h.ctx.Defer(func(app.Context) { setFilterControls(query) })
}

// load asks the broker for historyRows older events.
func (p *historyPage) load(h *host) {
	p.loading, p.problem = true, ""
	filter, before, serial := p.filter, p.older, p.serial
	var found []store.Received
	var older wire.Cursor
	h.request(func(ctx context.Context) (err error) {
		found, older, err = readOlder(ctx, h.live, filter, before, historyRows)
		return err
	}, func(err error) {
		if serial != p.serial {
			return
		}
		p.loading = false
		switch {
		case err == nil:
			p.events, p.older = append(p.events, found...), older
		case len(p.events) == 0 && !isRefusal(err):
			p.local = true
		default:
			p.problem = live.Explain(err)
		}
	})
}

// isRefusal reports whether an error is a refusal of the broker, so that the broker was reached.
func isRefusal(err error) bool {
	var refused *wasmclient.Error
	return errors.As(err, &refused) && refused.FromBroker && refused.Status >= 400 && refused.Status < 500
}

// readOlder reads events before a cursor until it has found most that match, or until there are no more. It makes at
// most maxReadPages requests. older is the cursor at which the next call continues; it is zero if there are no older
// events.
func readOlder(
	ctx context.Context,
	l *live.Live,
	filter historyFilter,
	before wire.Cursor,
	most int,
) (found []store.Received, older wire.Cursor, err error) {
	for range maxReadPages {
		page, err := l.API().History(ctx, filter.Filter, before, min(most, maxPageEvents))
		if err != nil {
			return nil, wire.Cursor{}, err
		}
		for _, e := range slices.Backward(page.Events) {
			if filter.matches(e) {
				found = append(found, store.Received{Event: e, Received: e.Time, Replayed: true})
			}
		}
		before = page.Previous
		// A day more than the filter asks for, because the times of events may be a little out of order.
		passedStart := len(page.Events) > 0 && !filter.from.IsZero() &&
			page.Events[0].Time.Before(filter.from.Add(-24*time.Hour))
		passedGap := page.Gap != nil && page.Gap.To.Seq >= before.Seq
		if len(page.Events) == 0 || passedStart || passedGap {
			return found, wire.Cursor{}, nil
		}
		if len(found) >= most {
			break
		}
	}
	return found, before, nil
}

// rows returns the events to show: the loaded ones, and before them those that have come since.
func (p *historyPage) rows(h *host) (rows []store.Received) {
	loaded := map[string]bool{}
	for _, e := range p.events {
		loaded[e.Cursor] = true
	}
	for _, e := range h.state.View.Events {
		if !p.filter.matches(e.Event) || loaded[e.Cursor] {
			continue
		}
		nothingLoaded := len(p.events) == 0 && !p.loading
		newerThanLoaded := len(p.events) > 0 && isNewer(e.Cursor, p.events[0].Cursor)
		if p.local || nothingLoaded || newerThanLoaded {
			rows = append(rows, e)
		}
	}
	return append(rows, p.events...)
}

// isNewer reports whether cursor a is after cursor b in the same log.
func isNewer(a, b string) bool {
	x, errX := wire.ParseCursor(a)
	y, errY := wire.ParseCursor(b)
	return errX == nil && errY == nil && x.Epoch == y.Epoch && x.Seq > y.Seq
}

func (p *historyPage) render(h *host) app.UI {
	local := ui.Slot(p.local, func() app.UI {
		retry := ui.SmallButton(text.Of("retry"), func() { p.open(h) })
		return ui.Banner("banner", text.Of("events.local"), retry)
	})
	return h.frame(text.Of("page.events"),
		historyFilters(h),
		local,
		ui.Message("banner", "status", p.note),
		ui.Message("banner banner-denied", "alert", p.problem),
		p.list(h))
}

func (p *historyPage) list(h *host) app.UI {
	rows := p.rows(h)
	feed := ui.Feed{Events: rows, Grant: h.grant(), Now: h.now, Open: h.showEvent}
	feed.Empty = func() app.UI { return ui.Empty(text.Of("events.empty"), text.Of("events.empty.text")) }
	exportButton := func(kind string) app.UI {
		return ui.Button("button button-small", text.Of("events."+kind)).
			Attr("disabled", len(rows) == 0 || p.saving).
			ID("export-"+kind).
			OnClick(func(app.Context, app.Event) { p.export(h, kind) }, app.EventScope(kind))
	}
	exports := ui.El("div", "buttons", exportButton("json"), exportButton("csv"))
	older := ui.El("div", "more-rows", ui.If(p.older != (wire.Cursor{}), func() app.UI {
		return ui.Button("button", text.Of("events.older")).
			Attr("disabled", p.loading).
			ID("older").
			OnClick(func(app.Context, app.Event) { p.load(h) })
	}))
	title := text.Count("events.found", len(rows))
	return ui.HeadedCard("feed-card", "history", title, []app.UI{exports},
		ui.If(p.loading && len(rows) == 0, ui.SkeletonRows).Else(feed.All),
		older,
	).Aria("busy", p.loading)
}
