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

// A Reader is a stream or a WebSocket, whatever carries its bytes: what was
// granted, what is subscribed to, and a place behind the gate. One goroutine
// calls Pump, another one may call HandleCall. Leave must be called.
type Reader struct {
	*hub.Subscriber

	api   *API
	peer  Peer
	calls *rate.Limiter
	leave func()
}

// A Peer is who reads.
type Peer struct {
	Principal      identity.Principal
	Address        string                             // where they are; counts for limits
	Reauthenticate func() (identity.Principal, error) // authenticates afresh
	Log            *slog.Logger
}

// Open lets somebody read who has asked by a request. The error is for Refuse.
func (a *API) Open(r *http.Request, p identity.Principal, q hub.Request) (*Reader, error) {
	q.ID, _ = r.Context().Value(connectionKey{}).(string)
	return a.Adopt(r.Context(), Peer{p, a.address(r), a.again(r), requestLog(r)}, q)
}

type connectionKey struct{}

// WithConnectionID names the connection of a request beforehand, for hub.Groups.
func WithConnectionID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, connectionKey{}, id)
}

// Adopt lets somebody read whose request is not there any more.
func (a *API) Adopt(ctx context.Context, peer Peer, q hub.Request) (*Reader, error) {
	place, err := a.admit(peer.Address, &peer.Principal)
	if err != nil {
		return nil, err
	}
	reader, err := a.read(ctx, peer, q, place.leave)
	if err != nil {
		place.leave()
	}
	return reader, err
}

// read opens a subscription that ends with the grant. leave is called with
// Leave; with an error it is not.
func (a *API) read(ctx context.Context, peer Peer, q hub.Request, leave func()) (*Reader, error) {
	q.Grant = peer.Principal.Grant
	sub, err := a.Hub.Subscribe(ctx, q)
	if err != nil {
		return nil, err
	}
	stop, err := a.open.over(peer.Principal, peer.Reauthenticate, func(reason wire.Reason) {
		sub.Close(wire.Bye{Reason: reason})
		// Who does not read is not waited for: the grant is over.
		time.AfterFunc(goodbyeTime, sub.Abort)
	})
	if err != nil {
		sub.Leave()
		return nil, err
	}
	peer.Log = peer.Log.With("connection", sub.ID, "actor", peer.Principal.Grant.Actor())
	peer.Log.Debug("reader came", "format", q.Format)
	return &Reader{Subscriber: sub, api: a, peer: peer, calls: rate.NewLimiter(callsPerSec, burstOfCalls),
		leave: func() { stop(); sub.Leave(); leave() }}, nil
}

// Log is where what becomes of the reader is noted.
func (r *Reader) Log() *slog.Logger { return r.peer.Log }

// Leave ends the subscription and gives the place back. It is called once.
func (r *Reader) Leave() { r.leave() }

// again authenticates a request afresh.
func (a *API) again(r *http.Request) func() (identity.Principal, error) {
	return func() (identity.Principal, error) { return a.Authority.Authenticate(r) }
}

// Pump writes what there is until either side ends, the goodbye included, and
// returns why it ended.
func (r *Reader) Pump(ctx context.Context, write func([]byte) error) error {
	err := r.pump(ctx, write)
	// That a reader was too slow is worth more than a detail.
	level := slog.LevelDebug
	var closed *hub.ClosedError
	if errors.As(err, &closed) && closed.Bye.Reason == wire.ByeSlow || stalled(err) {
		level = slog.LevelInfo
	}
	r.peer.Log.Log(context.Background(), level, "reader left", "reason", err)
	return err
}

func (r *Reader) pump(ctx context.Context, write func([]byte) error) error {
	for {
		frames, err := r.Next(ctx)
		var closed *hub.ClosedError
		if errors.As(err, &closed) {
			// Everything before it was written whole, so this is a frame
			// boundary. It is best effort: an end without it means retry.
			if closed.Bye.Reason == wire.ByeSlow {
				return closed // it does not take even what it has been sent
			}
			frames = r.Format().Append(nil, &closed.Bye)
		} else if err != nil {
			return err
		}
		if err := writeAll(write, frames, maxPiece); err != nil {
			if stalled(err) {
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

// stalled tells whether a write took too long, to a stream or a WebSocket.
func stalled(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// Limits of the calls of one WebSocket.
const (
	MaxCallBytes = event.MaxEventBytes + 4<<10 // bytes of a message in: an event and what is around it
	callsPerSec  = 50                          // beside the publish rate
	burstOfCalls = 100
)

// HandleCall does what a message of a WebSocket asks for, and returns the frames
// of the answer, nil where there is none here: a change of the filter is
// answered in the stream, at its seam. parsed is the error of wire.ParseCall.
func (r *Reader) HandleCall(ctx context.Context, call wire.Call, parsed error) []byte {
	var answer *wire.Reply
	err := parsed
	if !r.calls.Allow() {
		// The next message waits: there are no more refusals than calls.
		pause(ctx, time.Second/callsPerSec)
		err = slowedDown(time.Second, problem.TooManyCalls)
	}
	if err == nil {
		answer, err = r.answer(ctx, call)
	}
	if err != nil {
		answer = wire.NewRefused(call.Ref, r.api.problem(r.peer.Log, err))
	}
	if answer == nil || ctx.Err() != nil {
		return nil
	}
	return wire.AppendJSON(nil, answer)
}

// pause waits for a while, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (r *Reader) answer(ctx context.Context, call wire.Call) (*wire.Reply, error) {
	switch call.Call {
	case wire.CallPing:
		return wire.NewPong(call.Ref), nil
	case wire.CallFilter:
		f, err := filterOf(call.Filter)
		if err != nil {
			return nil, err
		}
		return nil, r.Refilter(ctx, f, call.Ref)
	case wire.CallPublish:
		return r.publish(ctx, call)
	}
	return nil, newProblem(problem.SignedInAlready)
}

func (r *Reader) publish(ctx context.Context, call wire.Call) (*wire.Reply, error) {
	if len(call.Event) == 0 {
		return nil, event.Refuse("/event", "required", "an event")
	}
	if err := r.api.mayPublish(r.peer.Principal, r.peer.Address, 1); err != nil {
		return nil, err
	}
	if r.IsClosed() {
		return nil, identity.ErrNotSignedIn // the grant is over, even if the goodbye has not been taken yet
	}
	if !time.Now().Before(r.peer.Principal.Expires) {
		return nil, identity.ErrExpired
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	defer context.AfterFunc(r.api.cut, cancel)()
	receipt, err := r.api.Hub.Publish(within, r.peer.Principal.Grant, json.RawMessage(call.Event), hub.PublishOptions{Strict: call.Strict})
	if err != nil {
		return nil, err
	}
	return wire.NewPublished(call.Ref, receipt), nil
}
