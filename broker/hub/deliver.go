package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// Decode returns the event of a record. Old logs may hold events with times in
// the future. Decode replaces a time that is far later than the time when the
// log stored the record by the time of the record.
func Decode(r eventlog.Record, epoch string) (event.Event, error) {
	e, ok := r.Value.(event.Event) // this hub has published the event
	if !ok {
		if !json.Valid(r.Body) {
			return e, fmt.Errorf("hub: record %d is not JSON", r.Seq)
		}
		if err := e.UnmarshalJSON(r.Body); err != nil {
			return e, fmt.Errorf("hub: record %d: %w", r.Seq, err)
		}
	}
	e.Cursor = wire.Cursor{Epoch: epoch, Seq: r.Seq}.String()
	return e.ClampTimes(r.Stored), nil
}

// handle adds a record to the ring, the state and the views. The goroutine
// that runs Run or Follow calls it for every record, in the order of the log.
func (h *Hub) handle(r eventlog.Record) {
	at := wire.Cursor{Epoch: h.config.Log.Epoch(), Seq: r.Seq}
	e, err := Decode(r, at.Epoch)
	if err != nil {
		// Only a foreign writer can store such a record. The hub delivers
		// nothing for it, but moves past its sequence.
		h.config.Logger.Error("unreadable record", "seq", r.Seq, "error", err)
	}
	h.received.Add(1)
	h.config.Observer.Received(e.Type)
	item := &recentEvent{seq: r.Seq, event: e, isNew: true}
	views := h.currentViews()
	matching := h.encode(item, views)
	h.mu.Lock()
	h.state.Apply(e, at)
	old := h.addRecentLocked(item)
	if !h.areCurrentLocked(views) {
		matching = viewsFor(h.viewListLocked(), e)
	}
	toWake := h.deliverLocked(item, matching, at, r.Stored)
	h.mu.Unlock()
	h.markDelivered(item)
	h.dropFrames(old)
	for _, v := range toWake {
		v.wake.notify()
	}
	h.wake.notify()
	h.seqWaiters.reach(r.Seq)
	h.callWatchers()
}

// currentViews returns the views. The caller must not change the slice.
func (h *Hub) currentViews() []*View {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.viewListLocked()
}

// viewListLocked returns the views. The caller must hold h.mu, and must not
// change the slice.
func (h *Hub) viewListLocked() []*View {
	if h.viewList == nil && len(h.views) > 0 {
		h.viewList = slices.Collect(maps.Values(h.views))
	}
	return h.viewList
}

// areCurrentLocked reports whether no view came or went since currentViews
// returned the slice. The caller must hold h.mu.
func (h *Hub) areCurrentLocked(views []*View) bool {
	now := h.viewListLocked()
	return len(now) == len(views) && (len(now) == 0 || &now[0] == &views[0])
}

// viewsFor returns the views whose filter selects an event.
func viewsFor(views []*View, e event.Event) []*View {
	matching := make([]*View, 0, len(views))
	for _, v := range views {
		if v.filter.Match(e) {
			matching = append(matching, v)
		}
	}
	return matching
}

// encode encodes an event for all views that select it, and returns these. It
// works without the lock, so that the hub does not wait for it.
func (h *Hub) encode(item *recentEvent, views []*View) []*View {
	matching := viewsFor(views, item.event)
	for _, v := range matching {
		h.frameFor(item, v.audience)
	}
	return matching
}

// deliverLocked writes an event to the matching views and to the persons that
// may see it, and returns the views whose readers the caller must wake. The
// caller must hold h.mu.
func (h *Hub) deliverLocked(
	item *recentEvent, matching []*View, at wire.Cursor, stored time.Time,
) (toWake []*View) {
	for _, v := range matching {
		frame := h.frameFor(item, v.audience)
		if frame == nil {
			continue
		}
		v.newestStored.Store(stored.UnixNano())
		if h.appendLocked(v, frame) {
			toWake = append(toWake, v)
		} else {
			h.config.Observer.Delivered(time.Since(stored))
		}
		h.delivered.Add(int64(v.memberCount))
	}
	for _, person := range access.PersonKeysOfEvent(item.event) {
		for s := range h.persons[person] {
			if h.frameFor(item, s.audience) != nil || !s.view.filter.Match(item.event) {
				continue // the person's roles show it already, or the filter hides it
			}
			if v := h.deliverToPersonLocked(s, item.event, at); v != nil {
				toWake = append(toWake, v)
			}
		}
	}
	return toWake
}

// deliverToPersonLocked writes an event to one subscriber, if the subscriber
// may see it as a person. It returns the view whose readers the caller must
// wake, or nil. The caller must hold h.mu.
func (h *Hub) deliverToPersonLocked(s *Subscriber, e event.Event, at wire.Cursor) *View {
	redacted, ok := access.RedactForPerson(s.grant, e)
	if !ok {
		return nil
	}
	h.delivered.Add(1)
	frame := s.format.Append(nil, &wire.Event{Cursor: at, Event: redacted})
	if h.config.Groups != nil {
		h.config.Groups.Send(s.ID, frame)
		return nil
	}
	s.splice(frame)
	s.wakePoller()
	return s.view
}

// appendLocked adds frames to a view. It returns true when the caller must
// wake the view's readers. The caller must hold h.mu.
func (h *Hub) appendLocked(v *View, frames []byte) (wake bool) {
	if h.config.Groups != nil {
		h.config.Groups.Write(v.key, frames)
		return false
	}
	v.append(frames)
	return true
}

// runHeartbeats writes heartbeats to the views, and closes subscribers that
// lag, until ctx ends.
func (h *Hub) runHeartbeats(ctx context.Context) {
	heartbeats := time.NewTicker(h.config.Heartbeat)
	defer heartbeats.Stop()
	lagChecks := time.NewTicker(time.Second)
	defer lagChecks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-lagChecks.C:
			h.closeLagging()
		case <-heartbeats.C:
			h.Heartbeat(wire.SSE, wire.JSON)
		}
	}
}

// Heartbeat sends a heartbeat to every subscriber of the formats. It tells the
// clients up to which cursor they have received everything. Run calls Heartbeat
// by itself; after Follow the caller must call it.
func (h *Hub) Heartbeat(formats ...wire.Format) {
	h.mu.Lock()
	heartbeat := &wire.Heartbeat{Cursor: h.state.Cursor}
	frames := map[wire.Format][]byte{
		wire.SSE:  wire.AppendSSE(nil, heartbeat),
		wire.JSON: wire.AppendJSON(nil, heartbeat),
	}
	toWake := make([]*View, 0, len(h.views))
	for _, v := range h.views {
		if format := v.audience.format; slices.Contains(formats, format) && h.appendLocked(v, frames[format]) {
			toWake = append(toWake, v)
		}
	}
	h.mu.Unlock()
	for _, v := range toWake {
		v.wake.notify()
	}
	for _, format := range formats {
		h.heartbeats[format].count.Add(1)
		h.heartbeats[format].notify()
	}
	h.callWatchers()
}

// heartbeats is the series of heartbeats of a format.
type heartbeats struct {
	signal              // notified at each heartbeat
	count  atomic.Int64 // number of heartbeats so far
}
