package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	var e event.Event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return e, fmt.Errorf("hub: record %d: %w", r.Seq, err)
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
	h.ids.add(r)
	h.mu.Lock()
	h.state.Apply(e, at)
	h.ring = append(h.ring, ringItem{r.Seq, e})
	if len(h.ring) >= 2*h.config.Ring {
		h.ring = append([]ringItem(nil), h.ring[len(h.ring)-h.config.Ring:]...)
	}
	toWake := h.deliverLocked(e, at, r.Stored)
	h.mu.Unlock()
	for _, v := range toWake {
		v.wake.notify()
	}
	h.wake.notify()
}

// deliverLocked writes an event to the views and persons that may see it, and
// returns the views whose readers the caller must wake. The caller must hold
// h.mu.
func (h *Hub) deliverLocked(e event.Event, at wire.Cursor, stored time.Time) (toWake []*view) {
	// Views of one audience share the frame, so the hub encodes it once. A nil
	// frame means that the audience may not see the event.
	frames := map[string][]byte{}
	for _, v := range h.views {
		if !v.filter.Match(e) {
			continue
		}
		frame, known := frames[v.audience]
		if !known {
			if redacted, ok := access.RedactForRoles(v.roles, e); ok {
				frame = v.format.Append(nil, &wire.Event{Cursor: at, Event: redacted})
			}
			frames[v.audience] = frame
		}
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
	for _, person := range access.PersonKeysOfEvent(e) {
		for s := range h.persons[person] {
			if frames[s.view.audience] != nil || !s.view.filter.Match(e) {
				continue // the person's roles show it already, or the filter hides it
			}
			if v := h.deliverToPersonLocked(s, e, at); v != nil {
				toWake = append(toWake, v)
			}
		}
	}
	return toWake
}

// deliverToPersonLocked writes an event to one subscriber, if the subscriber
// may see it as a person. It returns the view whose readers the caller must
// wake, or nil. The caller must hold h.mu.
func (h *Hub) deliverToPersonLocked(s *Subscriber, e event.Event, at wire.Cursor) *view {
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
	return s.view
}

// appendLocked adds frames to a view. It returns true when the caller must
// wake the view's readers. The caller must hold h.mu.
func (h *Hub) appendLocked(v *view, frames []byte) (wake bool) {
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
			h.CloseWhere(wire.ByeSlow, (*Subscriber).isLagging)
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
	toWake := make([]*view, 0, len(h.views))
	for _, v := range h.views {
		if slices.Contains(formats, v.format) && h.appendLocked(v, frames[v.format]) {
			toWake = append(toWake, v)
		}
	}
	h.mu.Unlock()
	for _, v := range toWake {
		v.wake.notify()
	}
	for _, format := range formats {
		h.heartbeats[format].notify()
	}
}
