//go:build !js

//lint:file-ignore SA1019 the module is given; it is imported here alone, so that moving to its successor is one line

package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// maxMessage is how many bytes of frames one message holds, unless a line is
// longer. The pong that a peer waits for goes out between two messages, and the
// library gives it five seconds.
const maxMessage = 16 << 10

// A socket is one WebSocket, GET /api/ws.
type socket struct {
	api   *API
	conn  *websocket.Conn
	meter *meteredConn
	peer  Peer
}

// socket is GET /api/ws.
func (a *API) socket(w http.ResponseWriter, r *http.Request) {
	f, after, err := a.CheckUpgrade(w, r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	if keys := r.Header.Values("Sec-WebSocket-Key"); len(keys) != 1 || !isSocketKey(keys[0]) {
		a.Refuse(w, r, badParameter("Sec-WebSocket-Key", "16 bytes in base64, once"))
		return
	}
	peer := Peer{Address: a.address(r), Reauthenticate: a.again(r), Log: requestLog(r).With("path", r.URL.Path)}
	peer.Principal, err = peer.Reauthenticate()
	anonymous := errors.Is(err, identity.ErrNotSignedIn) // it may say so in its first message
	if err != nil && !anonymous {
		a.logRefusal(r, err)
		a.Refuse(w, r, err)
		return
	}
	known := &peer.Principal
	if anonymous {
		known = nil
	}
	place, err := a.admit(peer.Address, known)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	defer place.leave()
	a.sockets.Add(1) // before the server forgets this connection
	defer a.sockets.Done()
	out := &meteringWriter{ResponseWriter: w}
	conn, err := websocket.Accept(out, r, &websocket.AcceptOptions{
		Subprotocols: []string{wire.Subprotocol}, InsecureSkipVerify: true, // mayUpgrade knows the origins
		CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has answered
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.cut, func() { cancel(); _ = conn.CloseNow() })() // a goodbye that waits is broken off
	conn.SetReadLimit(MaxCallBytes)
	s := &socket{a, conn, out.conn, peer}
	if anonymous {
		if err = s.introduce(ctx); err == nil {
			err = place.name(s.peer.Principal)
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

// isSocketKey tells whether the WebSocket library accepts a key. The broker checks
// it first, because the library would answer without a problem document.
func isSocketKey(key string) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	return err == nil && len(raw) == 16
}

// introduce waits for the first message, which says who it is.
func (s *socket) introduce(ctx context.Context) error {
	// Not by a deadline of ctx, with which the library closes without a word.
	late := time.AfterFunc(s.api.patience.auth, func() { s.turnAway(ctx, identity.ErrNotSignedIn) })
	call, err := s.read(ctx)
	if !late.Stop() {
		return context.DeadlineExceeded // it has been turned away
	}
	if err != nil && !errors.Is(err, wire.ErrCall) {
		return errLeft
	}
	if err != nil {
		return err
	}
	if call.Call != wire.CallAuth {
		return identity.ErrNotSignedIn
	}
	s.peer.Reauthenticate = func() (identity.Principal, error) { return s.api.Authority.Verify(call.Token) }
	s.peer.Principal, err = s.peer.Reauthenticate()
	return err
}

// serve streams and answers calls until either side ends. An error means that
// it did not begin.
func (s *socket) serve(ctx context.Context, cancel context.CancelFunc, f filter.Filter, after *wire.Cursor) error {
	reader, err := s.api.read(ctx, s.peer, hub.Request{Filter: f, After: after, Format: wire.JSON, Abort: cancel}, func() {})
	if err != nil {
		return err
	}
	defer reader.Leave()
	ended := make(chan struct{}, 2) // the two below
	for _, do := range []func(){func() { s.listen(ctx, reader) }, func() { s.ping(ctx) }} {
		go func() {
			defer func() { ended <- struct{}{} }()
			defer cancel()
			defer s.survive()
			do()
		}()
	}
	err = reader.Pump(ctx, func(frames []byte) error {
		return writeAll(func(message []byte) error { return s.write(ctx, message) }, frames, maxMessage)
	})
	var closed *hub.ClosedError
	if errors.As(err, &closed) && closed.Bye.Reason != wire.ByeSlow {
		s.close(websocket.StatusCode(closed.Bye.Reason.CloseCode()), string(closed.Bye.Reason))
	}
	cancel()
	_ = s.conn.CloseNow()
	<-ended
	<-ended
	return nil
}

// survive ends the WebSocket, and no more, where the code is at fault.
func (s *socket) survive() {
	if v := recover(); v != nil {
		s.peer.Log.Error("panic", "value", v, "stack", string(debug.Stack()))
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
	if errors.Is(err, errLeft) || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return // it has gone by itself, or was turned away
	}
	p := s.api.problem(s.peer.Log, err)
	if s.write(ctx, wire.AppendJSON(nil, wire.NewRefused("", p))) == nil {
		s.close(websocket.StatusCode(wire.RefusalCloseCode(p.Status)), p.Code)
	}
}

// signOfLife is the number of bytes that a peer must receive between two checks
// to count as slow and not as gone. Heartbeats and pings are fewer bytes, because
// a proxy still receives them for a peer that has left.
const signOfLife = 4 << 10

// ping ends the WebSocket of a peer that is gone: since the last ping the peer has
// sent nothing, not even a pong, and has received fewer than signOfLife bytes. ping
// does not ping a peer that still receives, because the ping would wait behind the
// data. ping
// needs somebody who reads.
func (s *socket) ping(ctx context.Context) {
	tick := time.NewTicker(s.api.patience.ping)
	defer tick.Stop()
	pinged := false
	taken, heard := s.meter.taken.Load(), s.meter.heard.Load()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		busy, silent := s.meter.taken.Load()-taken >= signOfLife, s.meter.heard.Load() == heard
		if pinged && !busy && silent {
			return
		}
		taken, heard = s.meter.taken.Load(), s.meter.heard.Load()
		if pinged = !busy; pinged {
			s.meter.ping() // whether the peer answers is seen at the next look
		}
	}
}

// errLeft is the error of a peer that ended or broke its WebSocket before it
// authenticated.
var errLeft = errors.New("httpapi: the peer has left")

var errNotText = errors.New("httpapi: a binary message")

// read returns the next call. What is no text in UTF-8 ends the WebSocket.
func (s *socket) read(ctx context.Context) (wire.Call, error) {
	kind, raw, err := s.conn.Read(ctx)
	if errors.Is(err, errFlood) {
		s.peer.Log.Info("a WebSocket sent too many control frames", "address", s.peer.Address)
		s.close(websocket.StatusPolicyViolation, "too many control frames")
	}
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
func (s *socket) listen(ctx context.Context, reader *Reader) {
	for {
		call, err := s.read(ctx)
		if err != nil && !errors.Is(err, wire.ErrCall) {
			return
		}
		answer := reader.HandleCall(ctx, call, err)
		if ctx.Err() != nil || answer != nil && s.write(ctx, answer) != nil {
			return
		}
	}
}
