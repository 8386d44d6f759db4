//lint:file-ignore SA1019 the module is given; it is imported here alone, so that moving to its successor is one line

package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// Limits of a WebSocket.
const (
	maxCall      = event.MaxEventBytes + 4<<10 // bytes of a message in: an event and what is around it
	pingEvery    = 20 * time.Second            // a peer that does not answer for as long is gone
	callsPerSec  = 50                          // of one WebSocket, beside the publish rate
	burstOfCalls = 100
)

// A socket is one WebSocket, GET /api/ws.
type socket struct {
	api     *API
	request *http.Request
	conn    *websocket.Conn
	address string
	log     *slog.Logger

	principal identity.Principal
	again     func() (identity.Principal, error)
	sub       *hub.Subscriber
	calls     *rate.Limiter
}

// socket is GET /api/ws.
func (a *API) socket(w http.ResponseWriter, r *http.Request) {
	f, after, err := a.mayUpgrade(w, r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	again := a.again(r)
	p, err := again()
	anonymous := errors.Is(err, identity.ErrNone) // it may say so in its first message
	if err != nil && !anonymous {
		a.refuse(w, r, err)
		return
	}
	known := &p
	if anonymous {
		known = nil
	}
	place, err := a.admit(r, known)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	defer place.leave()
	a.sockets.Add(1) // before the server forgets this connection
	defer a.sockets.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{wire.Subprotocol}, InsecureSkipVerify: true, // mayUpgrade knows the origins
		CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has answered
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.cut, func() { cancel(); _ = conn.CloseNow() })() // a goodbye that waits is broken off
	conn.SetReadLimit(maxCall)
	s := &socket{api: a, request: r, conn: conn, address: a.address(r), log: requestLog(r), principal: p, again: again,
		calls: rate.NewLimiter(callsPerSec, burstOfCalls)}
	if anonymous {
		if err = s.introduce(ctx); err == nil {
			err = place.name(s.principal)
		}
		if err != nil {
			s.turnAway(ctx, err)
			return
		}
	}
	if err := s.serve(ctx, cancel, f, after); err != nil {
		s.turnAway(ctx, err)
	}
}

// mayUpgrade holds the handshake to RFC 6455, section 4.2.1, and to the
// origins that may use the API: a browser sends the cookie with a WebSocket of
// any page.
func (a *API) mayUpgrade(w http.ResponseWriter, r *http.Request) (f filter.Filter, after *wire.Cursor, err error) {
	has := func(header, token string) bool {
		for part := range strings.SplitSeq(strings.Join(r.Header.Values(header), ","), ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
		return false
	}
	if r.ProtoMajor != 1 || !has("Connection", "upgrade") || !has("Upgrade", "websocket") || r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
		return f, nil, &Problem{Status: http.StatusUpgradeRequired, Code: "upgrade_required", Title: "This address is for WebSockets",
			Detail: "Open a WebSocket here, or read /api/sse. A proxy in between must pass on Upgrade and Connection."}
	}
	if !a.knownOrigin(r) {
		return f, nil, crossOrigin
	}
	if !has("Sec-WebSocket-Protocol", wire.Subprotocol) {
		return f, nil, &Problem{Status: http.StatusBadRequest, Code: "subprotocol_required", Title: "The subprotocol is missing",
			Detail: "Open the WebSocket with the subprotocol " + wire.Subprotocol + "."}
	}
	if a.Draining() {
		return f, nil, &hub.Closed{}
	}
	return asked(r)
}

// knownOrigin tells whether a request comes from no page, one of ours or one
// of an allowed origin.
func (a *API) knownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(a.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// introduce waits for the first message, which says who it is.
func (s *socket) introduce(ctx context.Context) error {
	// Not by a deadline of ctx, with which the library closes without a word.
	late := time.AfterFunc(s.api.patience.auth, func() { s.turnAway(ctx, identity.ErrNone) })
	call, err := s.read(ctx)
	if !late.Stop() {
		return context.DeadlineExceeded // it has been turned away
	}
	if err != nil {
		return err
	}
	if call.Call != wire.CallAuth {
		return identity.ErrNone
	}
	s.again = func() (identity.Principal, error) { return s.api.Authority.Verify(call.Token) }
	s.principal, err = s.again()
	return err
}

// serve streams and answers calls until either side ends. An error means that
// it did not begin.
func (s *socket) serve(ctx context.Context, cancel context.CancelFunc, f filter.Filter, after *wire.Cursor) error {
	sub, leave, err := s.api.subscribe(ctx, s.principal, s.again, hub.Request{Filter: f, After: after, Format: wire.JSON,
		Abort: cancel})
	if err != nil {
		return err
	}
	defer leave()
	s.sub = sub
	s.log = s.log.With("connection", sub.ID, "actor", s.principal.Grant.Actor())
	s.log.Debug("socket opened")
	ended := make(chan struct{}, 2) // the two below
	for _, do := range []func(context.Context){s.listen, s.ping} {
		go func() {
			defer func() { ended <- struct{}{} }()
			defer cancel()
			defer s.survive()
			do(ctx)
		}()
	}
	err = pump(ctx, sub, func(frames []byte) error { return s.write(ctx, frames) })
	var closed *hub.Closed
	if errors.As(err, &closed) && closed.Bye.Reason != wire.ByeSlow {
		s.close(websocket.StatusCode(closed.Bye.Reason.CloseCode()), string(closed.Bye.Reason))
	}
	cancel()
	_ = s.conn.CloseNow()
	<-ended
	<-ended
	closedLog(s.log, "socket closed", err)
	return nil
}

// survive ends the WebSocket, and no more, where the code is at fault.
func (s *socket) survive() {
	if v := recover(); v != nil {
		s.log.Error("panic", "path", "/api/ws", "value", v, "stack", string(debug.Stack()))
	}
}

func (s *socket) write(ctx context.Context, frames []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.api.patience.write)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, frames)
}

func (s *socket) close(code websocket.StatusCode, reason string) {
	_ = s.conn.Close(code, reason) // best effort: the peer may be gone
}

// turnAway says why a WebSocket is closed that has just been opened.
func (s *socket) turnAway(ctx context.Context, err error) {
	var ended websocket.CloseError
	if errors.As(err, &ended) || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return // it has gone by itself, or was turned away
	}
	p := s.api.problem(s.request, err)
	if s.write(ctx, wire.AppendJSON(nil, wire.Refused("", p))) == nil {
		s.close(websocket.StatusCode(wire.RefusedCode(p.Status)), p.Code)
	}
}

// ping finds out whether the peer is still there, however quiet it is. It
// needs somebody who reads.
func (s *socket) ping(ctx context.Context) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		within, cancel := context.WithTimeout(ctx, pingEvery)
		err := s.conn.Ping(within)
		cancel()
		if err != nil {
			return
		}
	}
}

var errNotText = errors.New("httpapi: a binary message")

// read returns the next call. What is no text in UTF-8 ends the WebSocket.
func (s *socket) read(ctx context.Context) (wire.Call, error) {
	kind, raw, err := s.conn.Read(ctx)
	if err != nil {
		return wire.Call{}, err
	}
	if kind != websocket.MessageText {
		s.close(websocket.StatusUnsupportedData, "text messages only")
		return wire.Call{}, errNotText
	}
	call, err := wire.ParseCall(raw)
	if errors.Is(err, wire.ErrUTF8) {
		s.close(websocket.StatusInvalidFramePayloadData, "not valid UTF-8")
	}
	return call, err
}

// listen answers calls until the WebSocket ends.
func (s *socket) listen(ctx context.Context) {
	for {
		call, err := s.read(ctx)
		if err != nil && !errors.Is(err, wire.ErrCall) {
			return
		}
		var answer *wire.Reply
		if !s.calls.Allow() {
			err = slowedDown(time.Second, "too_many_calls", "You call too fast", "Send fewer messages a second.")
		}
		if err == nil {
			answer, err = s.answer(ctx, call)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			answer = wire.Refused(call.Ref, s.api.problem(s.request, err))
		}
		if answer != nil && s.write(ctx, wire.AppendJSON(nil, answer)) != nil {
			return
		}
	}
}

// answer does what a call asks for. A change of the filter is answered in the
// stream, at its seam.
func (s *socket) answer(ctx context.Context, call wire.Call) (*wire.Reply, error) {
	switch call.Call {
	case wire.CallPing:
		return wire.Pong(call.Ref), nil
	case wire.CallFilter:
		f, err := filterOf(call.Filter)
		if err != nil {
			return nil, err
		}
		return nil, s.sub.Refilter(ctx, f, call.Ref)
	case wire.CallPublish:
		if len(call.Event) == 0 {
			return nil, event.Refuse("/event", "required", "an event")
		}
		if err := s.api.mayPublish(s.principal, s.address, 1); err != nil {
			return nil, err
		}
		if s.sub.Closed() {
			return nil, identity.ErrNone // the grant is over, even if the goodbye has not been taken yet
		}
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
		defer cancel()
		defer context.AfterFunc(s.api.cut, cancel)()
		receipt, err := s.api.Hub.Publish(within, s.principal.Grant, call.Event, hub.PublishOptions{Strict: call.Strict})
		if err != nil {
			return nil, err
		}
		return wire.Published(call.Ref, receipt), nil
	}
	return nil, &Problem{Status: http.StatusConflict, Code: "signed_in_already", Title: "This WebSocket knows who you are",
		Detail: "Send auth as the first message alone, where nothing else said who you are."}
}

// filterOf reads a filter in its query form.
func filterOf(text string) (filter.Filter, error) {
	q, err := url.ParseQuery(text)
	if err != nil {
		return filter.Filter{}, badParameter("filter", "a filter such as types=payment_received&severity=warning")
	}
	if err := onlyParameters(q, filter.Parameters...); err != nil {
		return filter.Filter{}, err
	}
	return filter.Parse(q)
}
