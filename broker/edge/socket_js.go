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

// socketHeader has the name of the connection whose WebSocket an answer opens. worker.mjs reads
// it.
const socketHeader = "Yardline-Socket"

// maxWaitingCalls is how many messages of a WebSocket may wait to be handled. A WebSocket that
// has more is closed.
const maxWaitingCalls = 128

// Close codes of RFC 6455, section 7.4.1.
const (
	closeUnsupported = 1003
	closeNotUTF8     = 1007
	closeTooLarge    = 1009
)

// maxCatchUp is how many bytes a WebSocket gets while it catches up, before its client must
// reconnect for the rest. There is a limit because the runtime does not tell how many bytes wait
// for the client.
const maxCatchUp = 16 << 20

// socket is one WebSocket. Its two goroutines end with it.
type socket struct {
	*httpapi.Reader
	host       *host
	attachment attachment // only the goroutine of listen uses it
	calls      chan string
	cancel     context.CancelFunc // ends both goroutines
}

// socket handles GET /api/ws.
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
	encoded, err := a.encode()
	if err != nil {
		o.api.Refuse(w, r, err)
		return
	}
	request := hub.Request{Filter: f, After: after, Format: wire.JSON, Heartbeat: socketHeartbeatEvery}
	reader, err := o.api.Open(r, p, request)
	if err != nil {
		o.api.Refuse(w, r, err)
		return
	}
	if err := o.host.acceptWebSocket(reader.ID, encoded); err != nil {
		reader.Leave()
		o.host.close(reader.ID, wire.ByeRetry.CloseCode(), string(wire.ByeRetry))
		o.api.Refuse(w, r, err)
		return
	}
	w.Header().Set(socketHeader, reader.ID)
	w.Header().Set("Sec-WebSocket-Protocol", wire.Subprotocol)
	o.run(reader, a)
}

// run starts the goroutines that serve a WebSocket until either side ends it.
func (o *object) run(reader *httpapi.Reader, a attachment) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &socket{
		Reader:     reader,
		host:       o.host,
		attachment: a,
		calls:      make(chan string, maxWaitingCalls),
		cancel:     cancel,
	}
	o.mu.Lock()
	o.sockets[reader.ID] = s
	o.mu.Unlock()
	go s.recoverPanic(func() { s.listen(ctx) })
	go func() {
		s.recoverPanic(func() { s.pump(ctx) })
		cancel()
		o.mu.Lock()
		delete(o.sockets, reader.ID)
		o.mu.Unlock()
		reader.Leave()
	}()
}

// recoverPanic runs do and then ends the WebSocket. A panic ends only this WebSocket, not the
// program.
func (s *socket) recoverPanic(do func()) {
	defer s.cancel()
	defer func() {
		if v := recover(); v != nil {
			s.Log().Error("panic", "value", v, "stack", string(debug.Stack()))
		}
	}()
	do()
}

// pump sends the reader's frames until ctx or the subscription ends, and then closes the
// WebSocket.
func (s *socket) pump(ctx context.Context) {
	sent, last := 0, time.Now() // bytes without a pause of a second, and the time of the last frames
	err := s.Pump(ctx, func(frames []byte) error {
		now := time.Now()
		if now.Sub(last) > time.Second { // the reader had caught up
			sent = 0
		}
		last = now
		if sent += len(frames); sent > maxCatchUp || !s.host.send(s.ID, frames) {
			return os.ErrClosed // the client reconnects, and goes on from its cursor
		}
		time.Sleep(time.Millisecond) // lets the event loop of JavaScript send the frames
		return nil
	})
	bye := wire.ByeRetry
	var closed *hub.ClosedError
	if errors.As(err, &closed) {
		bye = closed.Bye.Reason
	}
	s.host.close(s.ID, bye.CloseCode(), string(bye))
}

// listen handles the messages of the client, one after the other.
func (s *socket) listen(ctx context.Context) {
	for {
		select {
		case text := <-s.calls:
			s.handle(ctx, text)
		case <-ctx.Done():
			return
		}
	}
}

// handle handles one message of the client.
func (s *socket) handle(ctx context.Context, text string) {
	call, err := wire.ParseCall([]byte(text))
	if errors.Is(err, wire.ErrUTF8) {
		s.host.close(s.ID, closeNotUTF8, "not valid UTF-8")
		return
	}
	changed := s.attachment
	encoded := "" // only of a call that changes the attachment
	if err == nil && call.Call == wire.CallFilter {
		changed.Filter = call.Filter
		encoded, err = changed.encode()
	}
	if answer := s.HandleCall(ctx, call, err); answer != nil {
		s.host.send(s.ID, answer)
	} else if encoded != "" {
		if err := s.host.setAttachment(s.ID, encoded); err != nil {
			panic(err) // ends the WebSocket, because a later program would use the old filter
		}
		s.attachment = changed
	}
}

// message queues a message of a client. It does not block. worker.mjs calls it.
func (o *object) message(id string, message js.Value) {
	o.mu.Lock()
	s := o.sockets[id]
	o.mu.Unlock()
	if s == nil {
		return // the WebSocket is being closed
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
	o.host.requestAlarm(time.Now().Add(saveEvery))
	select {
	case s.calls <- text:
	default:
		o.host.close(id, wire.RefusalCloseCode(http.StatusTooManyRequests), problem.CodeTooManyCalls)
	}
}

// readerGone ends a connection whose reader has gone. worker.mjs calls it.
func (o *object) readerGone(id string) {
	if o.host.readerGone(id) {
		return
	}
	o.mu.Lock()
	s := o.sockets[id]
	o.mu.Unlock()
	if s != nil {
		s.cancel()
	}
}
