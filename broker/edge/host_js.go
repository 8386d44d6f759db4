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

// host is the Go side of the Durable Object in worker.mjs. The object holds the connections,
// each of which has a name. It is safe for concurrent use.
type host struct {
	object js.Value // the Tenant in worker.mjs

	mu       sync.Mutex                    // guards all below
	streams  map[string]*stream            // the open streams, by the name of the connection
	requests map[string]context.CancelFunc // requests without a whole answer yet, by requestHeader
	alarm    time.Time                     // the time of the next alarm; zero means none
}

// stream is a connection that answers a request.
type stream struct {
	cancel  context.CancelFunc // called when the reader has gone
	drained chan struct{}      // has an element when there is room for more bytes
}

var _ hub.Groups = (*host)(nil)

// newHost returns the host of an object.
func newHost(object js.Value) *host {
	h := &host{object: object, streams: map[string]*stream{}, requests: map[string]context.CancelFunc{}}
	if due := object.Get("due"); due.Type() == js.TypeNumber { // An earlier program has asked for an alarm.
		h.alarm = time.UnixMilli(int64(due.Float()))
	}
	return h
}

// beginRequest registers a request, so that requestAborted can cancel it. The caller must call
// end when the answer is whole.
func (h *host) beginRequest(id string, cancel context.CancelFunc) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests[id] = cancel
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.requests, id)
	}
}

// requestAborted cancels a request whose client has gone. It does nothing if the answer is
// whole. worker.mjs calls it.
func (h *host) requestAborted(id string) {
	h.mu.Lock()
	cancel := h.requests[id]
	h.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// openStream opens a stream and returns it as the body of an answer. readerGone calls cancel.
func (h *host) openStream(id string, cancel context.CancelFunc) js.Value {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[id] = &stream{cancel, make(chan struct{}, 1)}
	return h.object.Call("openStream", id)
}

// stream returns an open stream, or nil.
func (h *host) stream(id string) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams[id]
}

// readerGone cancels the request of a stream whose reader has gone. It returns false if the
// connection is not a stream.
func (h *host) readerGone(id string) bool {
	s := h.stream(id)
	if s != nil {
		s.cancel()
	}
	return s != nil
}

// streamDrained lets the writer of a stream go on. worker.mjs calls it when the stream has room
// again.
func (h *host) streamDrained(id string) {
	if s := h.stream(id); s != nil {
		select {
		case s.drained <- struct{}{}:
		default: // the writer has not read the last signal yet
		}
	}
}

// acceptWebSocket makes the WebSocket of a connection. The attachment outlives the program.
func (h *host) acceptWebSocket(id, attachment string) error {
	return h.callMethod("acceptWebSocket", id, attachment)
}

// setAttachment replaces the attachment of a WebSocket.
func (h *host) setAttachment(id, attachment string) error {
	return h.callMethod("setAttachment", id, attachment)
}

// callMethod calls a method of the object, and returns an exception as an error.
func (h *host) callMethod(method string, args ...any) (err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok {
			err = thrown
		}
	}()
	h.object.Call(method, args...)
	return nil
}

// webSockets returns the attachments of the WebSockets that an earlier program has left open,
// by the names of the connections. It closes those whose attachment it cannot read.
func (h *host) webSockets() map[string]attachment {
	all := map[string]attachment{}
	list := h.object.Call("webSockets")
	for i := range list.Length() {
		var a attachment
		id := list.Index(i).Index(0).String()
		if err := json.Unmarshal([]byte(list.Index(i).Index(1).String()), &a); err != nil {
			// Another version of the program has written the attachment.
			h.close(id, wire.ByeRetry.CloseCode(), string(wire.ByeRetry))
			continue
		}
		all[id] = a
	}
	return all
}

// Results of the method send of the object, see worker.mjs.
const (
	readerHasGone   = 0
	readerHasEnough = 2 // a reader that catches up should get more only when its stream is drained
)

// send sends whole frames to one connection. It returns false if the reader has gone.
func (h *host) send(id string, frames []byte) bool { return h.sendFrames(id, frames) != readerHasGone }

// sendFrames calls the method send of the object and returns its result.
func (h *host) sendFrames(id string, frames []byte) int {
	return h.object.Call("send", id, bytesOf(frames)).Int()
}

// sendAndWait is like send, for a stream that catches up. While enough bytes wait for the reader,
// it blocks until the stream is drained. It returns false when ctx ends first, or when the reader
// has gone.
func (h *host) sendAndWait(ctx context.Context, id string, frames []byte) bool {
	result := h.sendFrames(id, frames)
	s := h.stream(id)
	if result == readerHasEnough && s != nil {
		select {
		case <-s.drained:
		case <-ctx.Done():
			return false
		}
	}
	return result != readerHasGone
}

// close ends a connection. The code and the reason are for a WebSocket.
func (h *host) close(id string, code int, reason string) {
	h.mu.Lock()
	delete(h.streams, id)
	h.mu.Unlock()
	h.object.Call("close", id, code, reason)
}

// requestAlarm asks for an alarm at a time, unless one comes earlier. A zero time asks for none.
func (h *host) requestAlarm(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at.IsZero() || !h.alarm.IsZero() && !at.Before(h.alarm) {
		return
	}
	h.alarm = at
	h.object.Get("ctx").Get("storage").Call("setAlarm", at.UnixMilli())
}

// alarmFired notes that the alarm has come, so that requestAlarm asks for the next one.
func (h *host) alarmFired() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alarm = time.Time{}
}

// hasStreams tells whether a stream is open.
func (h *host) hasStreams() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams) > 0
}

// Join implements hub.Groups.
func (h *host) Join(view, reader string) { h.object.Call("join", view, reader) }

// Leave implements hub.Groups.
func (h *host) Leave(view, reader string) { h.object.Call("leave", view, reader) }

// Write implements hub.Groups.
func (h *host) Write(view string, frames []byte) { h.object.Call("writeToView", view, bytesOf(frames)) }

// Send implements hub.Groups.
func (h *host) Send(reader string, frames []byte) { h.send(reader, frames) }
