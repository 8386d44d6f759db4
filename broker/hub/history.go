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

// A HistoryRequest asks for a page of past events: those after After, or those
// before Before. Without both it asks for the newest events. With both, the hub
// ignores Before.
type HistoryRequest struct {
	// Grant is the access of the reader.
	Grant access.Grant
	// Filter selects events. The zero value selects all.
	Filter filter.Filter
	// After is the cursor that the page follows. The zero Cursor means the
	// oldest kept event. nil selects the page by Before.
	After *wire.Cursor
	// Before is the cursor that the page comes before. nil means the end of
	// the log.
	Before *wire.Cursor
	// Limit is the largest number of events of the page. It is at least 1.
	Limit int
	// Wait is the time that History waits for a first event after After. 0
	// disables waiting.
	Wait time.Duration
}

// A HistoryPage holds past events as the reader may see them.
type HistoryPage struct {
	// Events are the events, oldest first.
	Events []event.Event `json:"events"`
	// Gap describes the events before the first one that are missing. The
	// client must then load a new snapshot. nil means that none are missing.
	Gap *wire.Gap `json:"gap,omitempty"`
	// Previous is the value of before for the page before this one.
	Previous wire.Cursor `json:"previous"`
	// Next is the value of after for the page after this one.
	Next wire.Cursor `json:"next"`
	// Head is the cursor of the newest event in the log.
	Head wire.Cursor `json:"head"`
}

// maxHistoryReads is the number of pages of the log that one request may read.
// A reader may see so few events that a page is not full after all of them.
// Previous and Next then hold the place where the search stopped.
const maxHistoryReads = 8

// History returns a page of past events. The error is that of the log or of ctx.
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
			page.Gap = &wire.Gap{From: *r.Before, To: page.Head} // a cursor of another log
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

// readForwards adds the events after page.Next to the page, and moves page.Next.
func (h *Hub) readForwards(ctx context.Context, r HistoryRequest, page *HistoryPage) error {
	for range maxHistoryReads {
		p, err := h.config.Log.Read(ctx, page.Next.Seq, r.Limit-len(page.Events), selection(r.Filter))
		if errors.Is(err, eventlog.ErrGone) {
			return nil // purged in the meantime; the next request gets a gap
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

// readBackwards adds the events before a sequence to the page, and moves
// page.Previous.
func (h *Hub) readBackwards(ctx context.Context, r HistoryRequest, before uint64, page *HistoryPage) error {
	epoch := page.Head.Epoch
	page.Next = wire.Cursor{Epoch: epoch, Seq: max(before, 1) - 1}
	page.Previous = wire.Cursor{Epoch: epoch, Seq: before}
	for range maxHistoryReads {
		limit := r.Limit - len(page.Events)
		records, from, err := eventlog.ReadBefore(ctx, h.config.Log, page.Previous.Seq, limit, selection(r.Filter))
		if errors.Is(err, eventlog.ErrGone) {
			return nil // the log keeps no earlier records
		}
		if err != nil {
			return err
		}
		var found []event.Event
		for _, record := range records {
			if e, ok := h.visibleRecord(r, record); ok {
				found = append(found, e)
			}
		}
		if len(found) > 0 {
			page.Events = append(found, page.Events...)
		}
		page.Previous.Seq = from + 1
		if len(page.Events) == r.Limit || len(records) == 0 {
			break
		}
	}
	return nil
}

// visibleRecord returns the event of a record as the reader may see it. ok is
// false when the reader may not see it, or when the record is unreadable.
func (h *Hub) visibleRecord(r HistoryRequest, record eventlog.Record) (redacted event.Event, ok bool) {
	e, err := Decode(record, h.config.Log.Epoch())
	if err != nil {
		return event.Event{}, false
	}
	redacted, ok = visible(r.Grant, r.Filter, e)
	if ok {
		h.delivered.Add(1)
	}
	return redacted, ok
}

// awaitVisible waits until the hub has handled an event after a sequence that
// the reader may see. It returns false when ctx ends first, or when the hub
// drains. wake must be a channel of h.wake that the caller got before it read
// the log.
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
			return true // the ring lacks some of the events, so the caller must read the log
		}
		after = max(after, head)
	}
}

// selection returns the part of a filter that the log can apply by itself.
func selection(f filter.Filter) eventlog.Selection {
	return eventlog.Selection{Types: f.Types, Subjects: f.Subjects}
}
