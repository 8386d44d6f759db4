package edge

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"syscall/js"
	"time"

	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// socketHeader tells worker.mjs which WebSocket an answer opens.
const socketHeader = "Yardline-Socket"

// waitingCalls is how many messages of a WebSocket may wait; one that sends
// more at once is closed.
const waitingCalls = 128

// Close codes of RFC 6455, section 7.4.1, and ours for a 429.
const (
	closeUnsupported = 1003
	closeNotUTF8     = 1007
	closeTooLarge    = 1009
)

// maxPast is how many bytes of the past a WebSocket is sent before it is asked
// to come back for the rest: the runtime does not say how much waits for one.
const maxPast = 16 << 20

// A socket is one WebSocket. Its two goroutines end with it.
type socket struct {
	*httpapi.Reader
	host   *host
	attach attachment
	calls  chan string
	cancel context.CancelFunc
}

// socket is GET /api/ws.
func (o *object) socket(w http.ResponseWriter, r *http.Request) {
	f, after, err := o.api.CheckUpgrade(w, r)
	if err != nil {
		o.api.Refuse(w, r, err)
		return
	}
	p, err := o.authority.Authenticate(r)
	if err != nil {
		o.api.Refuse(w, r, err)
		return
	}
	a := attachment{Principal: p, Address: r.RemoteAddr, Filter: f.Key()}
	attached, err := a.text()
	if err != nil {
		o.api.Refuse(w, r, err)
		return
	}
	reader, err := o.api.Open(r, p, hub.Request{Filter: f, After: after, Format: wire.JSON, Heartbeat: socketBeat})
	if err != nil {
		o.api.Refuse(w, r, err)
		return
	}
	if err := o.host.accept(reader.ID, attached); err != nil {
		reader.Leave()
		o.host.close(reader.ID, wire.ByeRetry.CloseCode(), string(wire.ByeRetry))
		o.api.Refuse(w, r, err)
		return
	}
	w.Header().Set(socketHeader, reader.ID)
	w.Header().Set("Sec-WebSocket-Protocol", wire.Subprotocol)
	o.run(reader, a)
}

// run serves a WebSocket until either side ends it.
func (o *object) run(reader *httpapi.Reader, a attachment) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &socket{Reader: reader, host: o.host, attach: a, calls: make(chan string, waitingCalls), cancel: cancel}
	o.mu.Lock()
	o.sockets[reader.ID] = s
	o.mu.Unlock()
	go s.survive(func() { s.listen(ctx) })
	go func() {
		s.survive(func() { s.pump(ctx) })
		cancel()
		o.mu.Lock()
		delete(o.sockets, reader.ID)
		o.mu.Unlock()
		reader.Leave()
	}()
}

// survive ends the WebSocket, and no more, where the code is at fault.
func (s *socket) survive(do func()) {
	defer s.cancel()
	defer func() {
		if v := recover(); v != nil {
			s.Log().Error("panic", "value", v, "stack", string(debug.Stack()))
		}
	}()
	do()
}

func (s *socket) pump(ctx context.Context) {
	past, last := 0, time.Now()
	err := s.Pump(ctx, func(frames []byte) error {
		now := time.Now()
		if now.Sub(last) > time.Second { // it had caught up
			past = 0
		}
		last = now
		if past += len(frames); past > maxPast || !s.host.send(s.ID, frames) {
			return os.ErrClosed // it comes back, and goes on from its cursor
		}
		time.Sleep(time.Millisecond) // a turn of the event loop, in which what was sent goes out
		return nil
	})
	bye := wire.ByeRetry
	var closed *hub.ClosedError
	if errors.As(err, &closed) {
		bye = closed.Bye.Reason
	}
	s.host.close(s.ID, bye.CloseCode(), string(bye))
}

// listen answers calls, one after the other.
func (s *socket) listen(ctx context.Context) {
	for {
		select {
		case text := <-s.calls:
			s.take(ctx, text)
		case <-ctx.Done():
			return
		}
	}
}

func (s *socket) take(ctx context.Context, text string) {
	call, err := wire.ParseCall([]byte(text))
	if errors.Is(err, wire.ErrUTF8) {
		s.host.close(s.ID, closeNotUTF8, "not valid UTF-8")
		return
	}
	attach := s.attach
	attached := ""
	if err == nil && call.Call == wire.CallFilter {
		attach.Filter = call.Filter
		attached, err = attach.text()
	}
	if answer := s.HandleCall(ctx, call, err); answer != nil {
		s.host.send(s.ID, answer)
	} else if attached != "" {
		if err := s.host.attach(s.ID, attached); err != nil {
			panic(err) // it would wake with another filter: the WebSocket ends
		}
		s.attach = attach
	}
}

// message is called by worker.mjs for each that arrives. It does not wait.
func (o *object) message(id string, message js.Value) {
	o.mu.Lock()
	s := o.sockets[id]
	o.mu.Unlock()
	if s == nil {
		return // it is on its way out
	}
	if message.Type() != js.TypeString {
		o.host.close(id, closeUnsupported, "text messages only")
		return
	}
	text := message.String()
	if len(text) > httpapi.MaxCallBytes {
		o.host.close(id, closeTooLarge, "the message is too large")
		return
	}
	o.host.wake(time.Now().Add(saveEvery))
	select {
	case s.calls <- text:
	default:
		o.host.close(id, wire.RefusalCloseCode(http.StatusTooManyRequests), problem.CodeTooManyCalls)
	}
}

// gone is called by worker.mjs when a connection has ended.
func (o *object) gone(id string) {
	if o.host.lost(id) {
		return
	}
	o.mu.Lock()
	s := o.sockets[id]
	o.mu.Unlock()
	if s != nil {
		s.cancel()
	}
}
