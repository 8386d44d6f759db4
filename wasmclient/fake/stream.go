package fake

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// heartbeat is the interval of heartbeats on a quiet stream.
const heartbeat = 15 * time.Second

// Stream implements port.Transport.
func (b *Broker) Stream(ctx context.Context, r port.Request, handle func([]byte) error) (port.Response, error) {
	s, answer, err := b.openStream(r)
	if s == nil {
		return answer, err
	}
	defer b.closeStream(s)
	for {
		frames, grown := b.nextFrames(s)
		if len(frames) > 0 {
			if err := handle(frames); err != nil {
				return port.Response{Status: 200}, err
			}
		}
		select {
		case <-grown:
		case <-time.After(heartbeat):
			b.mu.Lock()
			if s.at.Epoch == b.epoch {
				place := wire.Cursor{Epoch: b.epoch, Seq: uint64(s.next)}
				s.pending = wire.AppendSSE(nil, &wire.Heartbeat{Cursor: place})
			}
			b.mu.Unlock()
		case <-s.cut:
			b.mu.Lock()
			farewell := b.farewell
			b.mu.Unlock()
			if err := handle(farewell); err != nil {
				return port.Response{Status: 200}, err
			}
			return port.Response{Status: 200, ContentType: "text/event-stream"}, nil
		case <-ctx.Done():
			return port.Response{}, ctx.Err()
		}
	}
}

// stream is an open stream. Only the goroutine of Broker.Stream uses it.
type stream struct {
	cut     chan struct{} // closed to end the stream
	filter  filter.Filter
	at      wire.Cursor // the place at which the stream began, or went on in another log
	next    int         // the index in Broker.events of the next event
	pending []byte      // frames to send before the next event
}

// openStream opens a stream whose first frame is a hello. If it returns no stream, it returns the answer.
func (b *Broker) openStream(r port.Request) (*stream, port.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, port.Response{}, errors.New("fake: down")
	}
	if b.refusal != nil {
		return nil, *b.refusal, nil
	}
	s := &stream{cut: make(chan struct{})}
	b.streams[s.cut] = true
	b.opened++
	var err error
	if s.at, s.filter, err = b.subscription(r.Path); err != nil {
		return nil, *Refusal(400, problem.CodeInvalidFilter), nil
	}
	b.filters = append(b.filters, s.filter.Key())
	head := b.headLocked()
	if s.at == (wire.Cursor{}) {
		s.at = head
	}
	s.next = int(s.at.Seq)
	s.pending = wire.AppendSSE(nil, &wire.Hello{
		Start:     s.at,
		Head:      head,
		Heartbeat: heartbeat,
		Retry:     time.Second,
		Grant:     b.grant.ID(),
	})
	return s, port.Response{}, nil
}

func (b *Broker) closeStream(s *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, s.cut)
}

// nextFrames returns the frames that a stream has not sent yet, and a channel that is closed when there
// are more events.
func (b *Broker) nextFrames(s *stream) (frames []byte, grown chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	frames, s.pending = s.pending, nil
	if s.at.Epoch != b.epoch { // the log was replaced, before the stream began or since
		frames = wire.AppendSSE(frames, &wire.Gap{From: s.at, To: b.headLocked()})
		s.at, s.next = b.headLocked(), len(b.events)
	}
	for ; s.next < len(b.events); s.next++ {
		// The present grant is that of the stream, because Regrant cuts the streams.
		if redacted, ok := access.Redact(b.grant, b.events[s.next]); ok && s.filter.Match(redacted) {
			place := wire.Cursor{Epoch: b.epoch, Seq: uint64(s.next + 1)}
			frames = wire.AppendSSE(frames, &wire.Event{Cursor: place, Event: redacted})
		}
	}
	return frames, b.grown
}

// subscription returns the start and the filter of a request for a stream.
func (b *Broker) subscription(path string) (at wire.Cursor, f filter.Filter, err error) {
	u, err := url.Parse(path)
	if err != nil {
		return at, f, err
	}
	if f, err = filter.Parse(u.Query()); err != nil {
		return at, f, err
	}
	if u.Query().Get("after") == "oldest" {
		return wire.Cursor{Epoch: b.epoch}, f, nil
	}
	at, err = wire.ParseCursor(u.Query().Get("after"))
	return at, f, err
}

// Socket implements port.Transport. This broker has no WebSockets.
func (b *Broker) Socket(context.Context, string, func([]byte) error) error {
	return port.ErrNoUpgrade
}
