package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Reader is an open stream or WebSocket, independent of the transport. It holds a
// subscription of the hub and a slot of the connection limits, and the API watches its
// grant.
//
// One goroutine may call [Reader.Pump], and another one [Reader.HandleCall]. The caller
// must call [Reader.Leave] once, after Pump has returned.
type Reader struct {
	*hub.Subscriber

	api         *API
	peer        Peer
	callLimiter *rate.Limiter
	leave       func() // gives the slot back
	watch       watchedConnection
}

// A Peer identifies the client of a stream or WebSocket.
type Peer struct {
	// Principal is the user or program that reads, with the credential that it used.
	Principal identity.Principal

	// Address is the address of the client, for the limits.
	Address string

	// Credential is what the client has authenticated by. The API authenticates it again
	// when the stream opens, and when users, roles or keys have changed.
	Credential identity.Credential

	// Log returns the logger of the connection. It is a function, because a logger takes
	// more memory than the rest of a quiet stream, and is rarely needed.
	Log func() *slog.Logger
}

// Open opens a stream or WebSocket for an HTTP request. It replaces the grant and the ID of
// the subscription: the grant is that of p, and the ID is that of [WithConnectionID]. The
// error is one that [API.Refuse] can answer with. Without an error the caller must call
// [Reader.Leave].
func (a *API) Open(r *http.Request, p identity.Principal, subscription hub.Request) (*Reader, error) {
	subscription.ID, _ = r.Context().Value(connectionKey{}).(string)
	credential, err := a.Authority.CredentialOf(r)
	if err != nil {
		return nil, err
	}
	peer := Peer{
		Principal:  p,
		Address:    a.clientAddress(r),
		Credential: credential,
		Log:        requestLoggerOf(r).logger,
	}
	return a.Adopt(r.Context(), peer, subscription)
}

// connectionKey is the key of a connection's id in the context of its request.
type connectionKey struct{}

// WithConnectionID returns a context that gives the connection of a request its id, in
// place of a random one. A caller with [hub.Groups] needs to know the id beforehand.
func WithConnectionID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, connectionKey{}, id)
}

// Adopt attaches a reader whose HTTP request has already ended. It is like [API.Open]
// otherwise.
func (a *API) Adopt(ctx context.Context, peer Peer, subscription hub.Request) (*Reader, error) {
	slot, err := a.acquireSlot(peer.Address, &peer.Principal)
	if err != nil {
		return nil, err
	}
	reader, err := a.subscribe(ctx, peer, subscription, slot.release)
	if err != nil {
		slot.release()
	}
	return reader, err
}

// subscribe opens a subscription that ends with the grant. [Reader.Leave] calls leave.
// When subscribe returns an error, it has not called leave.
func (a *API) subscribe(
	ctx context.Context, peer Peer, subscription hub.Request, leave func(),
) (*Reader, error) {
	subscription.Grant = peer.Principal.Grant
	sub, err := a.Hub.Subscribe(ctx, subscription)
	if err != nil {
		return nil, err
	}
	r := &Reader{Subscriber: sub, api: a, peer: peer, leave: leave}
	if subscription.Format == wire.JSON { // only WebSockets have calls
		r.callLimiter = rate.NewLimiter(callsPerSec, burstOfCalls)
	}
	r.watch.holder = r
	if err := a.grants.add(ctx, &r.watch, peer.Principal, peer.Credential); err != nil {
		sub.Leave()
		return nil, err
	}
	if a.Logger.Enabled(ctx, slog.LevelDebug) {
		r.Log().Debug("reader came", "format", subscription.Format)
	}
	return r, nil
}

// endGrant implements grantHolder.
func (r *Reader) endGrant(reason wire.Reason) {
	r.Close(wire.Bye{Reason: reason})
	// The grant is over, so the broker does not wait for a client that does not read.
	time.AfterFunc(goodbyeTime, r.Abort)
}

// Log returns the logger of the reader. Its lines have the ids of the connection and of
// the user.
func (r *Reader) Log() *slog.Logger {
	return r.peer.Log().With("connection", r.ID, "actor", r.peer.Principal.Grant.Actor())
}

// Leave ends the subscription and gives the slot back. It must be called once.
func (r *Reader) Leave() {
	r.api.grants.remove(&r.watch)
	r.Subscriber.Leave()
	r.leave()
}

// Pump passes the frames of the subscription to write, in pieces of at most 64 KiB unless
// a line is longer, until either side ends. It returns the reason, never nil: a
// *hub.ClosedError when the broker has ended the subscription, otherwise the error of ctx,
// of the log or of write. When the broker ends the subscription, Pump writes the goodbye,
// except to a reader that was too slow.
func (r *Reader) Pump(ctx context.Context, write func([]byte) error) error {
	err := r.pump(ctx, write)
	r.logEnd(err)
	return err
}

// logEnd logs why a reader has left.
func (r *Reader) logEnd(err error) {
	// Operators want to know of readers that were too slow.
	level := slog.LevelDebug
	var closed *hub.ClosedError
	if errors.As(err, &closed) && closed.Bye.Reason == wire.ByeSlow || isWriteTimeout(err) {
		level = slog.LevelInfo
	}
	if ctx := context.Background(); r.api.Logger.Enabled(ctx, level) {
		r.Log().Log(ctx, level, "reader left", "reason", err)
	}
}

// pump is Pump without the log.
func (r *Reader) pump(ctx context.Context, write func([]byte) error) error {
	for {
		frames, err := r.Next(ctx)
		var closed *hub.ClosedError
		if errors.As(err, &closed) {
			if closed.Bye.Reason == wire.ByeSlow {
				return closed // it does not receive even the frames before the goodbye
			}
			// All frames before the goodbye were written whole. The goodbye may be lost:
			// a client handles an end without it like the reason "retry".
			frames = r.Goodbye(closed)
		} else if err != nil {
			return err
		}
		if err := writeAll(write, frames, maxPiece); err != nil {
			if isWriteTimeout(err) {
				r.MarkStalled()
			}
			return err
		}
		if closed != nil {
			return closed
		}
		r.MarkWritten()
	}
}

// isWriteTimeout reports whether a write to a stream or a WebSocket took too long.
func isWriteTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// Limits of the calls of one WebSocket.
const (
	// MaxCallBytes is the size limit of a message from a client: an event and the call
	// around it.
	MaxCallBytes = event.MaxEventBytes + 4<<10
	callsPerSec  = 50 // a publication also counts against the publish rate
	burstOfCalls = 100
)

// HandleCall carries out a call that came in a message of a WebSocket. err is the error of
// wire.ParseCall for the message: if it is not nil, HandleCall refuses the call. HandleCall
// returns the frames of the answer. It returns nil for a change of the filter, which the
// stream answers at the place where the filter changes, and when ctx has ended.
//
// HandleCall refuses the calls of a client that calls too often, and sleeps before each
// refusal.
func (r *Reader) HandleCall(ctx context.Context, call wire.Call, err error) []byte {
	var answer *wire.Reply
	if !r.callLimiter.Allow() {
		// The next message waits, so that refusals are not sent faster than calls are allowed.
		sleep(ctx, time.Second/callsPerSec)
		err = rateLimitProblem(time.Second, problem.TooManyCalls)
	}
	if err == nil {
		answer, err = r.dispatch(ctx, call)
	}
	if err != nil {
		answer = wire.NewRefused(call.Ref, r.api.problemFor(r.Log(), err))
	}
	if answer == nil || ctx.Err() != nil {
		return nil
	}
	return wire.AppendJSON(nil, answer)
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dispatch carries out a call. The reply is nil for a change of the filter.
func (r *Reader) dispatch(ctx context.Context, call wire.Call) (*wire.Reply, error) {
	switch call.Call {
	case wire.CallPing:
		return wire.NewPong(call.Ref), nil
	case wire.CallFilter:
		f, err := parseFilter(call.Filter)
		if err != nil {
			return nil, err
		}
		return nil, r.Refilter(ctx, f, call.Ref)
	case wire.CallPublish:
		return r.publish(ctx, call)
	}
	return nil, newProblem(problem.SignedInAlready)
}

// publish carries out the call "publish". It goes on when ctx ends, so that the event of
// a client that leaves is stored, but not when Shutdown closes the connections.
func (r *Reader) publish(ctx context.Context, call wire.Call) (*wire.Reply, error) {
	if len(call.Event) == 0 {
		return nil, event.Refuse("/event", event.CodeRequired, "an event")
	}
	if err := r.api.checkPublishRate(r.peer.Principal, r.peer.Address, 1); err != nil {
		return nil, err
	}
	if r.IsClosed() {
		return nil, identity.ErrNotSignedIn // the grant is over, even if the goodbye has not arrived yet
	}
	if !time.Now().Before(r.peer.Principal.Expires) {
		return nil, identity.ErrExpired
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	defer context.AfterFunc(r.api.abort, cancel)()
	options := hub.PublishOptions{Strict: call.Strict}
	receipt, err := r.api.Hub.Publish(within, r.peer.Principal.Grant, json.RawMessage(call.Event), options)
	if err != nil {
		return nil, err
	}
	return wire.NewPublished(call.Ref, receipt), nil
}
