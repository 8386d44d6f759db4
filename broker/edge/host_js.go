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

	mu      sync.Mutex                    // guards all below
	streams map[string]context.CancelFunc // of the open streams, by connection
	alarm   time.Time                     // when it wakes us; zero: it does not
}

var _ hub.Groups = (*host)(nil)

func newHost(object js.Value) *host {
	h := &host{object: object, streams: map[string]context.CancelFunc{}}
	if due := object.Get("due"); due.Type() == js.TypeNumber { // an earlier program has asked for it
		h.alarm = time.UnixMilli(int64(due.Float()))
	}
	return h
}

// open starts a stream, which is the body of an answer. gone is called when
// its reader has gone.
func (h *host) open(id string, gone context.CancelFunc) js.Value {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[id] = gone
	return h.object.Call("open", id)
}

// lost is told by the object that a stream's reader has gone. It is false
// where it is no stream.
func (h *host) lost(id string) bool {
	h.mu.Lock()
	gone := h.streams[id]
	h.mu.Unlock()
	if gone != nil {
		gone()
	}
	return gone != nil
}

// accept makes the WebSocket of a connection. What is attached to it outlives
// the program.
func (h *host) accept(id string, a attachment) { h.object.Call("accept", id, h.text(a)) }

// attach replaces what is attached.
func (h *host) attach(id string, a attachment) { h.object.Call("attach", id, h.text(a)) }

func (*host) text(a attachment) string {
	raw, _ := json.Marshal(a) // strings, numbers and a time always marshal
	return string(raw)
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

// send writes whole frames to one connection. It is false where that is gone.
func (h *host) send(id string, frames []byte) bool {
	return h.object.Call("send", id, bytesOf(frames)).Bool()
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
