package hub

import (
	"context"
	"errors"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// catchUpPage is the number of records that one step of catchUp reads.
const catchUpPage = 256

// catchUpBytes is the size at which one step of catchUp ends, in bytes. It is
// small because the bytes stay in memory while they wait for a slow reader.
const catchUpBytes = 16 << 10

// catchUp returns the frames of the next events after the cursor, from the ring.
// At the head the subscriber joins its view. A subscriber whose filter names
// subjects never joins a view: catchUp serves it until it leaves. idle is true
// when there was nothing to read. The error is ErrBehindRing.
func (s *Subscriber) catchUp() (frames []byte, idle bool, err error) {
	recent, err := s.nextRecent()
	if len(recent) == 0 || err != nil {
		return nil, true, err
	}
	hidden := 0 // events since the last visible one
	for _, item := range recent {
		before := len(frames)
		frames = s.appendRecent(frames, item)
		s.cursor.Seq = item.seq
		if hidden++; len(frames) > before {
			hidden = 0
		}
		if len(frames) >= catchUpBytes {
			break
		}
	}
	if hidden > 1 {
		// The heartbeat lets a client that is cut off resume after the events
		// that it may not see.
		frames = s.format.Append(frames, &wire.Heartbeat{Cursor: s.cursor})
	}
	return frames, false, nil
}

// nextRecent returns events of the ring after the cursor. At the head it joins
// the view, unless the filter names subjects, and returns none.
func (s *Subscriber) nextRecent() ([]*recentEvent, error) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	head := h.state.Cursor.Seq
	if s.cursor.Seq == head && len(s.filter.Subjects) == 0 {
		h.joinViewLocked(s)
	}
	if s.cursor.Seq >= head { // greater while the hub is behind the log
		return nil, nil
	}
	if len(h.ring) == 0 || s.cursor.Seq+1 < h.ring[0].seq {
		return nil, ErrBehindRing
	}
	// The events may be read without the lock: the hub appends to the ring or
	// replaces it, but never changes an element.
	items := h.ring[s.cursor.Seq+1-h.ring[0].seq:]
	return items[:min(catchUpPage, len(items))], nil
}

// appendRecent appends the frame of a recent event as the subscriber may see it,
// if it may see the event at all.
func (s *Subscriber) appendRecent(frames []byte, r *recentEvent) []byte {
	if !s.filter.Match(r.event) {
		return frames
	}
	frame := s.hub.frameFor(r, s.audience)
	if frame == nil {
		return s.appendVisible(frames, r.event, r.seq)
	}
	s.hub.delivered.Add(1)
	s.replayed++
	return append(frames, frame...)
}

// ReadLog returns a page of the log as the next bytes of the stream. It ends with
// a heartbeat, so that a client that is cut off resumes after the page, even when
// it may see nothing of it. When the records were purged, ReadLog returns a gap
// instead. ReadLog waits while other subscribers read the log. The error is that
// of ctx or of the log.
func (s *Subscriber) ReadLog(ctx context.Context) ([]byte, error) {
	frames, err := s.readLog(ctx)
	return s.encodeOwn(frames), err
}

// readLog is ReadLog without the encoding.
func (s *Subscriber) readLog(ctx context.Context) ([]byte, error) {
	h := s.hub
	select {
	case h.readTokens <- struct{}{}:
		defer func() { <-h.readTokens }()
	case <-s.done:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p, err := h.config.Log.Read(ctx, s.cursor.Seq, catchUpPage, selection(s.filter))
	if errors.Is(err, eventlog.ErrGone) {
		b, err := h.config.Log.Bounds(ctx)
		if err != nil {
			return nil, err
		}
		h.oldest.Store(b.First)
		gap := &wire.Gap{From: s.cursor, To: wire.Cursor{Epoch: s.cursor.Epoch, Seq: b.First - 1}}
		s.cursor = gap.To
		h.config.Observer.Gap()
		return s.format.Append(nil, gap), nil
	}
	if err != nil {
		return nil, err
	}
	var frames []byte
	for _, r := range p.Records {
		e, err := Decode(r, s.cursor.Epoch)
		if err != nil {
			h.config.Logger.Error("unreadable record", "seq", r.Seq, "error", err)
			continue
		}
		frames = s.appendVisible(frames, e, r.Seq)
	}
	s.cursor.Seq = p.Through
	return s.format.Append(frames, &wire.Heartbeat{Cursor: s.cursor}), nil
}

// appendVisible appends the frame of an event as the subscriber may see it, if
// it may see the event at all.
func (s *Subscriber) appendVisible(frames []byte, e event.Event, seq uint64) []byte {
	redacted, ok := visible(s.grant, s.filter, e)
	if !ok {
		return frames
	}
	s.hub.delivered.Add(1)
	s.replayed++
	cursor := wire.Cursor{Epoch: s.cursor.Epoch, Seq: seq}
	return s.format.Append(frames, &wire.Event{Cursor: cursor, Event: redacted})
}

// visible returns an event as a reader with a grant and a filter may see it. ok
// is false when the filter does not select the event or the grant hides it.
func visible(g access.Grant, f filter.Filter, e event.Event) (redacted event.Event, ok bool) {
	if !f.Match(e) {
		return event.Event{}, false
	}
	return access.Redact(g, e)
}
