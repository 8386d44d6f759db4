package edge

import (
	"context"
	"encoding/json"
	"sync"
	"syscall/js"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/wire"
)

// A host is the Durable Object around the program: it holds the connections,
// which have names here. It is safe for concurrent use.
type host struct {
	object js.Value

	mu       sync.Mutex                    // guards all below
	streams  map[string]*stream            // the open ones, by connection
	requests map[string]context.CancelFunc // requests without a whole answer yet, by requestHeader
	alarm    time.Time                     // the time of the next alarm; zero means none
}

// A stream is a connection that answers a request.
type stream struct {
	gone    context.CancelFunc // its reader has
	drained chan struct{}      // holds one where there is room again
}

var _ hub.Groups = (*host)(nil)

func newHost(object js.Value) *host {
	h := &host{object: object, streams: map[string]*stream{}, requests: map[string]context.CancelFunc{}}
	if due := object.Get("due"); due.Type() == js.TypeNumber { // an earlier program has asked for it
		h.alarm = time.UnixMilli(int64(due.Float()))
	}
	return h
}

// began registers a request, whose context abandoned cancels. The caller must
// call the function that it returns when the answer is whole.
func (h *host) began(id string, cancel context.CancelFunc) (ended func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests[id] = cancel
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.requests, id)
	}
}

// abandoned is called by worker.mjs when the client of a request has gone. A
// request that was answered meanwhile is ignored.
func (h *host) abandoned(id string) {
	h.mu.Lock()
	cancel := h.requests[id]
	h.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// open starts a stream, which is the body of an answer. gone is called when
// its reader has gone.
func (h *host) open(id string, gone context.CancelFunc) js.Value {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[id] = &stream{gone, make(chan struct{}, 1)}
	return h.object.Call("open", id)
}

func (h *host) stream(id string) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams[id]
}

// lost is told by the object that a stream's reader has gone. It is false
// where it is no stream.
func (h *host) lost(id string) bool {
	s := h.stream(id)
	if s != nil {
		s.gone()
	}
	return s != nil
}

// drained is told by the object that a stream has room again.
func (h *host) drained(id string) {
	if s := h.stream(id); s != nil {
		select {
		case s.drained <- struct{}{}:
		default: // it knows
		}
	}
}

// accept makes the WebSocket of a connection. What is attached to it outlives
// the program.
func (h *host) accept(id, attached string) error { return h.try("accept", id, attached) }

// attach replaces what is attached.
func (h *host) attach(id, attached string) error { return h.try("attach", id, attached) }

// try turns what the object throws into an error.
func (h *host) try(method string, args ...any) (err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok {
			err = thrown
		}
	}()
	h.object.Call(method, args...)
	return nil
}

// sockets are the WebSockets that were open before the program was.
func (h *host) sockets() map[string]attachment {
	all := map[string]attachment{}
	list := h.object.Call("sockets")
	for i := range list.Length() {
		var a attachment
		id := list.Index(i).Index(0).String()
		if err := json.Unmarshal([]byte(list.Index(i).Index(1).String()), &a); err != nil {
			h.close(id, wire.ByeRetry.CloseCode(), string(wire.ByeRetry)) // of another version of us
			continue
		}
		all[id] = a
	}
	return all
}

// What the object answers for frames that it is given.
const (
	sentNowhere = 0 // the connection is gone
	sentEnough  = 2 // wait until it is drained before more of the past is sent
)

// send writes whole frames to one connection. It is false where that is gone.
func (h *host) send(id string, frames []byte) bool { return h.give(id, frames) != sentNowhere }

func (h *host) give(id string, frames []byte) int {
	return h.object.Call("send", id, bytesOf(frames)).Int()
}

// sendPast is send for a stream that catches up: it waits while the reader has
// enough.
func (h *host) sendPast(ctx context.Context, id string, frames []byte) bool {
	answer := h.give(id, frames)
	s := h.stream(id)
	if answer == sentEnough && s != nil {
		select {
		case <-s.drained:
		case <-ctx.Done():
			return false
		}
	}
	return answer != sentNowhere
}

// close ends a connection; the code is for a WebSocket.
func (h *host) close(id string, code int, reason string) {
	h.mu.Lock()
	delete(h.streams, id)
	h.mu.Unlock()
	h.object.Call("close", id, code, reason)
}

// wake asks for an alarm at a time, if none comes earlier.
func (h *host) wake(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at.IsZero() || !h.alarm.IsZero() && !at.Before(h.alarm) {
		return
	}
	h.alarm = at
	h.object.Get("ctx").Get("storage").Call("setAlarm", at.UnixMilli())
}

// woken tells that the alarm has come.
func (h *host) woken() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alarm = time.Time{}
}

// streaming tells whether a stream is open.
func (h *host) streaming() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams) > 0
}

// Join implements hub.Groups.
func (h *host) Join(view, reader string) { h.object.Call("join", view, reader) }

// Leave implements hub.Groups.
func (h *host) Leave(view, reader string) { h.object.Call("leave", view, reader) }

// Write implements hub.Groups.
func (h *host) Write(view string, frames []byte) { h.object.Call("write", view, bytesOf(frames)) }

// Send implements hub.Groups.
func (h *host) Send(reader string, frames []byte) { h.send(reader, frames) }
