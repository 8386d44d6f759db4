//go:build !js

package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"nhooyr.io/websocket" // prescribed, though deprecated; only this file imports it

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// maxMessage is the size limit of a message that the broker sends, in bytes, unless a line
// is longer. Between two messages the broker can send the pong that a peer waits for.
const maxMessage = 16 << 10

// A socket is one WebSocket.
type socket struct {
	api   *API
	conn  *websocket.Conn
	meter *meteredConn
	peer  Peer
}

// handleGetWS is GET /api/ws. It streams events over a WebSocket, and answers its calls. A
// client that has no cookie and no bearer token authenticates by the first message.
func (a *API) handleGetWS(w http.ResponseWriter, r *http.Request) {
	f, after, err := a.CheckUpgrade(w, r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	if keys := r.Header.Values("Sec-WebSocket-Key"); len(keys) != 1 || !isSocketKey(keys[0]) {
		a.Refuse(w, r, invalidParameter("Sec-WebSocket-Key", "16 bytes in base64, once"))
		return
	}
	log := requestLog(r).With("path", r.URL.Path)
	peer := Peer{Address: a.clientAddress(r), Log: func() *slog.Logger { return log }}
	if peer.Credential, err = a.Authority.CredentialOf(r); err == nil {
		peer.Principal, err = a.Authority.AuthenticateCredential(r.Context(), peer.Credential)
	}
	unauthenticated := errors.Is(err, identity.ErrNotSignedIn)
	if err != nil && !unauthenticated {
		a.logRefusal(r, err)
		a.Refuse(w, r, err)
		return
	}
	principal := &peer.Principal
	if unauthenticated {
		principal = nil
	}
	slot, err := a.acquireSlot(peer.Address, principal)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	a.hijacked.Add(1) // before the HTTP server forgets this connection
	s := a.accept(w, r, peer)
	if s == nil {
		slot.release()
		a.hijacked.Done()
		return
	}
	logRequest := takeEnd(w)
	// The WebSocket goes on in a goroutine of its own, because the stack of this one and the
	// request take more memory than a quiet WebSocket.
	go func() {
		defer a.hijacked.Done()
		defer logRequest()
		defer slot.release()
		s.run(unauthenticated, slot, f, after)
	}()
}

// run serves a WebSocket until its end.
func (s *socket) run(unauthenticated bool, slot *slot, f filter.Filter, after *wire.Cursor) {
	defer s.conn.CloseNow()
	defer s.recoverPanic()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Shutdown also ends a WebSocket that waits for its peer to answer the goodbye. CloseNow
	// would wait for the end of the library's Close, which takes five seconds if it began to
	// read before listen did.
	defer context.AfterFunc(s.api.abort, func() { cancel(); _ = s.meter.Close() })()
	if unauthenticated {
		err := s.authenticate(ctx)
		if err == nil {
			err = slot.countPrincipal(s.peer.Principal)
		}
		if err != nil {
			s.refuse(ctx, err)
			return
		}
	}
	if err := s.serve(ctx, cancel, f, after); err != nil {
		s.refuse(ctx, err)
	}
}

// accept completes the handshake. It returns nil if that fails: the library has answered
// the request then.
func (a *API) accept(w http.ResponseWriter, r *http.Request, peer Peer) *socket {
	out := &meteredWriter{ResponseWriter: w}
	conn, err := websocket.Accept(out, r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // CheckUpgrade has checked the origin
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil
	}
	conn.SetReadLimit(MaxCallBytes)
	return &socket{a, conn, out.conn, peer}
}

// isSocketKey reports whether the WebSocket library accepts a key. The broker checks it
// first, because the library would answer without a problem document.
func isSocketKey(key string) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	return err == nil && len(raw) == 16
}

// authenticate waits for the first message, which must be the call "auth", and sets the
// principal of the peer. It refuses a peer that sends nothing within timeouts.auth.
func (s *socket) authenticate(ctx context.Context) error {
	// This is a timer and not a deadline of ctx, because with a deadline the library would
	// close the WebSocket without an answer.
	late := time.AfterFunc(s.api.timeouts.auth, func() { s.refuse(ctx, identity.ErrNotSignedIn) })
	call, err := s.read(ctx)
	if !late.Stop() {
		return context.DeadlineExceeded // the timer has refused it
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
	s.peer.Credential = identity.TokenCredential(call.Token)
	s.peer.Principal, err = s.api.Authority.AuthenticateCredential(ctx, s.peer.Credential)
	return err
}

// serve streams events and answers calls until either side ends the WebSocket. The
// goroutine that calls serve writes the stream; serve starts one that reads calls, and waits
// for its end. An error means that no stream has begun.
func (s *socket) serve(ctx context.Context, cancel context.CancelFunc, f filter.Filter, after *wire.Cursor) error {
	request := hub.Request{Filter: f, After: after, Format: wire.JSON, Abort: cancel}
	reader, err := s.api.subscribe(ctx, s.peer, request, func() {})
	if err != nil {
		return err
	}
	defer reader.Leave()
	var listener sync.WaitGroup
	listener.Go(func() {
		defer cancel()
		defer s.recoverPanic()
		s.listen(ctx, reader)
	})
	watch := s.watchPeer(ctx, cancel)
	err = reader.Pump(ctx, func(frames []byte) error {
		return writeAll(func(message []byte) error { return s.write(ctx, message) }, frames, maxMessage)
	})
	var closed *hub.ClosedError
	if errors.As(err, &closed) && closed.Bye.Reason != wire.ByeSlow {
		s.close(websocket.StatusCode(closed.Bye.Reason.CloseCode()), string(closed.Bye.Reason))
	}
	cancel()
	watch.Stop()
	_ = s.conn.CloseNow()
	listener.Wait()
	return nil
}

// recoverPanic logs a panic of a goroutine of the WebSocket, which defers it. So a fault of
// the code ends this WebSocket and nothing else.
func (s *socket) recoverPanic() {
	if v := recover(); v != nil {
		s.peer.Log().Error("panic", "value", v, "stack", string(debug.Stack()))
	}
}

// write sends frames as one message within timeouts.write.
func (s *socket) write(ctx context.Context, frames []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.api.timeouts.write)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, frames)
}

// close sends a close frame and closes the WebSocket.
func (s *socket) close(code websocket.StatusCode, reason string) {
	_ = s.conn.Close(code, reason) // fails if the peer has left
}

// refuse tells the peer why the broker closes a WebSocket on which no stream has begun.
func (s *socket) refuse(ctx context.Context, err error) {
	if errors.Is(err, errLeft) || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return // the peer has left, or has been refused before
	}
	p := s.api.problemFor(s.peer.Log(), err)
	if s.write(ctx, wire.AppendJSON(nil, wire.NewRefused("", p))) == nil {
		s.close(websocket.StatusCode(wire.RefusalCloseCode(p.Status)), p.Code)
	}
}

// minProgress is the number of bytes that a peer must receive between two checks to count
// as slow and not as gone. It is larger than heartbeats and pings, because a proxy still
// receives these for a peer that has left.
const minProgress = 4 << 10

// watchPeer calls gone when the peer is gone: since the last ping it has sent nothing, not
// even a pong, and has received fewer than minProgress bytes. watchPeer does not ping a peer
// that still receives, because the ping would wait behind the data. A goroutine must read
// the WebSocket meanwhile, so that pongs are counted. The caller must cancel ctx, and then
// stop the timer.
func (s *socket) watchPeer(ctx context.Context, gone func()) *time.Timer {
	var watch *time.Timer
	pinged := false
	written, read := s.meter.bytesWritten.Load(), s.meter.bytesRead.Load()
	ready := make(chan struct{}) // closed when watch is set
	watch = time.AfterFunc(s.api.timeouts.ping, func() {
		<-ready
		busy, silent := s.meter.bytesWritten.Load()-written >= minProgress, s.meter.bytesRead.Load() == read
		if pinged && !busy && silent {
			gone()
			return
		}
		written, read = s.meter.bytesWritten.Load(), s.meter.bytesRead.Load()
		if pinged = !busy; pinged {
			s.meter.ping() // the next check sees whether the peer has answered
		}
		if ctx.Err() == nil {
			watch.Reset(s.api.timeouts.ping)
		}
	})
	close(ready)
	return watch
}

// errLeft is the error of a peer that ended or broke its WebSocket before it
// authenticated.
var errLeft = errors.New("httpapi: the peer has left")

// errNotText is the error of a binary message.
var errNotText = errors.New("httpapi: a binary message")

// read returns the next call. It closes the WebSocket if the message is not text in UTF-8,
// or if the peer has sent too many control frames. The error is wire.ErrCall for a message
// that is not a call; after any other error the caller must not read again.
func (s *socket) read(ctx context.Context) (wire.Call, error) {
	kind, raw, err := s.conn.Read(ctx)
	if errors.Is(err, errFlood) {
		s.peer.Log().Info("a WebSocket sent too many control frames", "address", s.peer.Address)
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

// listen reads calls and answers them, one after the other, until the WebSocket ends.
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
