package hub

import (
	"context"
	"errors"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// A HistoryRequest asks for a page of the past: what follows After, or what
// comes before Before, or without both the newest.
type HistoryRequest struct {
	Grant  access.Grant
	Filter filter.Filter
	After  *wire.Cursor // the zero Cursor: from the oldest kept
	Before *wire.Cursor
	Limit  int           // of events, at least 1
	Wait   time.Duration // with After: how long to wait where nothing follows yet
}

// A HistoryPage is part of the past as its reader may see it, oldest first.
type HistoryPage struct {
	Events   []event.Event `json:"events"`
	Gap      *wire.Gap     `json:"gap,omitempty"` // before the first event; take a new snapshot
	Previous wire.Cursor   `json:"previous"`      // pass as before for what came earlier
	Next     wire.Cursor   `json:"next"`          // pass as after for what follows
	Head     wire.Cursor   `json:"head"`
}

// maxHistoryReads bounds how many pages of the log one request may read: what
// a reader may not see is passed over, and the page says how far it came.
const maxHistoryReads = 8

// History returns a page. The error is that of the log or of ctx.
func (h *Hub) History(ctx context.Context, r HistoryRequest) (HistoryPage, error) {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return HistoryPage{}, err
	}
	epoch := h.config.Log.Epoch()
	page := HistoryPage{Events: []event.Event{}, Head: wire.Cursor{Epoch: epoch, Seq: bounds.Last}}
	if r.After == nil {
		before := bounds.Last + 1
		if r.Before != nil && r.Before.Epoch != epoch {
			page.Gap = &wire.Gap{From: *r.Before, To: page.Head} // a place in another log
		} else if r.Before != nil {
			before = min(before, r.Before.Seq)
		}
		err := h.readBackwards(ctx, r, before, &page)
		return page, err
	}
	start, gap := resolveStart(r.After, bounds, epoch)
	h.warnAhead(r.After, bounds.Last)
	if page.Gap = gap; gap != nil {
		h.config.Observer.Gap()
		start = gap.To
	}
	page.Previous = wire.Cursor{Epoch: epoch, Seq: start.Seq + 1}
	page.Next = start
	if r.Wait > 0 {
		defer h.countPoll(r.Grant)()
	}
	wait, cancel := context.WithTimeout(ctx, r.Wait)
	defer cancel()
	for {
		wake := h.wake.wait()
		err := h.readForwards(ctx, r, &page)
		page.Head.Seq = max(page.Head.Seq, page.Next.Seq)
		if err != nil || len(page.Events) > 0 || page.Gap != nil || r.Wait == 0 {
			return page, err
		}
		if !h.awaitVisible(wait, wake, r, page.Next.Seq) {
			return page, ctx.Err()
		}
	}
}

// readOn reads forwards from page.Next.
func (h *Hub) readForwards(ctx context.Context, r HistoryRequest, page *HistoryPage) error {
	for range maxHistoryReads {
		p, err := h.config.Log.Read(ctx, page.Next.Seq, r.Limit-len(page.Events), selection(r.Filter))
		if errors.Is(err, eventlog.ErrGone) {
			return nil // purged meanwhile: the next request is told of the gap
		}
		if err != nil {
			return err
		}
		for _, record := range p.Records {
			if e, ok := h.visibleRecord(r, record); ok {
				page.Events = append(page.Events, e)
			}
		}
		page.Next.Seq = p.Through
		if len(page.Events) == r.Limit || len(p.Records) == 0 {
			return nil
		}
	}
	return nil
}

// readBack reads backwards from a place.
func (h *Hub) readBackwards(ctx context.Context, r HistoryRequest, before uint64, page *HistoryPage) error {
	epoch := page.Head.Epoch
	page.Next = wire.Cursor{Epoch: epoch, Seq: max(before, 1) - 1}
	page.Previous = wire.Cursor{Epoch: epoch, Seq: before}
	for range maxHistoryReads {
		records, from, err := eventlog.ReadBefore(ctx, h.config.Log, page.Previous.Seq, r.Limit-len(page.Events), selection(r.Filter))
		if errors.Is(err, eventlog.ErrGone) {
			return nil // nothing earlier is kept
		}
		if err != nil {
			return err
		}
		var seen []event.Event
		for _, record := range records {
			if e, ok := h.visibleRecord(r, record); ok {
				seen = append(seen, e)
			}
		}
		if len(seen) > 0 {
			page.Events = append(seen, page.Events...)
		}
		page.Previous.Seq = from + 1
		if len(page.Events) == r.Limit || len(records) == 0 {
			break
		}
	}
	return nil
}

// see is a record as the reader may see it.
func (h *Hub) visibleRecord(r HistoryRequest, record eventlog.Record) (event.Event, bool) {
	e, err := Decode(record, h.config.Log.Epoch())
	if err != nil {
		return event.Event{}, false
	}
	seen, ok := visible(r.Grant, r.Filter, e)
	if ok {
		h.delivered.Add(1)
	}
	return seen, ok
}

// awaitSeen waits until the ring holds something after a place that the
// reader may see. It is false when ctx ends first, or the hub drains.
func (h *Hub) awaitVisible(ctx context.Context, wake <-chan struct{}, r HistoryRequest, after uint64) bool {
	for {
		select {
		case <-wake:
		case <-ctx.Done():
			return false
		}
		wake = h.wake.wait()
		h.mu.Lock()
		draining, ring, head := h.draining, h.ring, h.state.Cursor.Seq
		h.mu.Unlock()
		if draining {
			return false
		}
		for i := len(ring) - 1; i >= 0 && ring[i].seq > after; i-- {
			if _, ok := visible(r.Grant, r.Filter, ring[i].event); ok {
				return true
			}
		}
		if len(ring) == 0 || ring[0].seq > after+1 {
			return true // it reaches further back than the ring
		}
		after = max(after, head)
	}
}

// selection is what the log can select by itself of a filter.
func selection(f filter.Filter) eventlog.Selection {
	return eventlog.Selection{Types: f.Types, Subjects: f.Subjects}
}
