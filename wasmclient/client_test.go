package wasmclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// broker is a Transport that answers as a broker with a log in memory would.
type broker struct {
	mu      sync.Mutex // guards all below
	epoch   string
	events  []event.Event
	down    bool
	refusal *Response
	streams map[chan struct{}]bool // closed to cut
	grown   chan struct{}
	opened  int
}

func newBroker() *broker {
	return &broker{epoch: "k", streams: map[chan struct{}]bool{}, grown: make(chan struct{})}
}

func (b *broker) publish(t *testing.T, e event.Event, err error) {
	require.NoError(t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	e.ID = fmt.Sprint(len(b.events))
	b.events = append(b.events, e.Stamp("", time.Now()))
	close(b.grown)
	b.grown = make(chan struct{})
}

// cut breaks every stream.
func (b *broker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.streams {
		close(s)
	}
	b.streams = map[chan struct{}]bool{}
}

func (b *broker) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *broker) Do(_ context.Context, r Request) (Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return Response{}, errors.New("down")
	}
	if b.refusal != nil {
		return *b.refusal, nil
	}
	if r.Path != "/api/snapshot" {
		return Response{Status: 404}, nil
	}
	state := projection.New(b.epoch)
	for i, e := range b.events {
		state.Apply(e, wire.Cursor{Epoch: b.epoch, Seq: uint64(i + 1)})
	}
	s := projection.NewSnapshot(wire.Cursor{Epoch: b.epoch, Seq: uint64(len(b.events))}, state.Entities(), manager, time.Now(), projection.Zone{}, "EUR")
	raw, err := json.Marshal(s)
	return Response{Status: 200, ContentType: "application/json", Body: raw}, err
}

func (b *broker) Stream(ctx context.Context, r Request, take func([]byte) error) (Response, error) {
	b.mu.Lock()
	if b.down {
		b.mu.Unlock()
		return Response{}, errors.New("down")
	}
	if b.refusal != nil {
		defer b.mu.Unlock()
		return *b.refusal, nil
	}
	cut := make(chan struct{})
	b.streams[cut] = true
	b.opened++
	at, err := wire.ParseCursor(r.Header["Last-Event-ID"])
	if err != nil {
		b.mu.Unlock()
		return Response{Status: 400}, nil
	}
	next := int(at.Seq)
	head := wire.Cursor{Epoch: b.epoch, Seq: uint64(len(b.events))}
	if at == (wire.Cursor{}) {
		at, next = head, len(b.events)
	}
	frames := wire.AppendSSE(nil, &wire.Hello{Start: at, Head: head, Heartbeat: 15 * time.Second, Retry: time.Second, Grant: manager.ID()})
	if at.Epoch != b.epoch {
		frames = wire.AppendSSE(frames, &wire.Gap{From: at, To: head})
		next = len(b.events)
	}
	b.mu.Unlock()
	for {
		b.mu.Lock()
		for ; next < len(b.events); next++ {
			frames = wire.AppendSSE(frames, &wire.Event{Cursor: wire.Cursor{Epoch: b.epoch, Seq: uint64(next + 1)}, Event: b.events[next]})
		}
		grown := b.grown
		b.mu.Unlock()
		if len(frames) > 0 {
			if err := take(frames); err != nil {
				return Response{Status: 200}, err
			}
			frames = nil
		}
		select {
		case <-grown:
		case <-time.After(15 * time.Second):
			frames = wire.AppendSSE(nil, &wire.Heartbeat{Cursor: wire.Cursor{Epoch: b.epoch, Seq: uint64(next)}})
		case <-cut:
			return Response{Status: 200, ContentType: "text/event-stream"}, nil
		case <-ctx.Done():
			return Response{}, ctx.Err()
		}
	}
}

var manager = access.Grant{User: "4", Name: "manager", Roles: []access.Role{access.Manager}}

// start runs a client in virtual time; the test's end stops it.
func start(t *testing.T, b *broker, o Options) *Client {
	o.Transport, o.Grant = b, manager
	c := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	synctest.Wait()
	return c
}

func TestClientFollowsThroughCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		publish := func(id int64, status string) {
			e, err := event.RentalStatusUpdated(id, status, "")
			b.publish(t, e, err)
			synctest.Wait()
		}
		publish(1, "active")
		var got []string
		c := start(t, b, Options{Snapshot: true, OnEvent: func(r store.Received) { got = append(got, r.Data.Text("rental_id")) }})
		require.Equal(t, conn.Live, c.View().Status.State)
		require.Equal(t, "1", c.View().Figures["active_rentals"].String())
		publish(2, "active")
		require.Equal(t, "2", c.View().Figures["active_rentals"].String())

		b.cut()
		synctest.Wait()
		require.Equal(t, conn.Reconnecting, c.View().Status.State)
		require.False(t, c.View().Status.RetryAt.IsZero())
		publish(3, "active") // while nobody listens
		time.Sleep(31 * time.Second)
		require.Equal(t, conn.Live, c.View().Status.State)
		require.Equal(t, "3", c.View().Figures["active_rentals"].String())
		require.Equal(t, []string{"2", "3"}, got)
		require.True(t, c.View().LastEvent.Replayed)

		// Down for long: backoff, then back.
		b.set(func() { b.down = true })
		b.cut()
		opened := b.opened
		time.Sleep(5 * time.Minute)
		require.Equal(t, conn.Reconnecting, c.View().Status.State)
		require.GreaterOrEqual(t, c.View().Status.Attempt, 10, "it never gives up")
		require.Equal(t, opened, b.opened)
		b.set(func() { b.down = false })
		require.NoError(t, c.Input(t.Context(), conn.Start{})) // retry now
		synctest.Wait()
		require.Equal(t, conn.Live, c.View().Status.State)

		// Another log in its place: a new snapshot.
		b.set(func() { b.epoch, b.events = "z", nil })
		b.cut()
		time.Sleep(31 * time.Second)
		require.Equal(t, conn.Live, c.View().Status.State)
		require.Equal(t, "0", c.View().Figures["active_rentals"].String())
		publish(9, "active")
		require.Equal(t, "1", c.View().Figures["active_rentals"].String())
	})
}

func TestClientStopsWhereNoAttemptHelps(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		state  conn.State
	}{
		{401, `{"code":"sign_in_required","title":"x"}`, conn.Denied},
		{403, ``, conn.Denied},
		{204, ``, conn.Disconnected},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBroker()
			b.refusal = &Response{Status: c.status, Body: []byte(c.body)}
			client := start(t, b, Options{})
			time.Sleep(time.Hour)
			require.Equal(t, c.state, client.View().Status.State)
			require.Zero(t, client.View().Status.Attempt)
		})
	}
}

func TestClientObeysRetryAfterAndPortals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		b.refusal = &Response{Status: 503, RetryAfter: "120", Body: []byte(`{"code":"draining","title":"x"}`)}
		client := start(t, b, Options{})
		require.Equal(t, conn.Limited, client.View().Status.State)
		b.set(func() {
			b.refusal = &Response{Status: 200, ContentType: "text/html", Body: []byte("<html>sign in to this hotel")}
		})
		time.Sleep(119 * time.Second)
		require.Equal(t, conn.Limited, client.View().Status.State)
		time.Sleep(3 * time.Second)
		require.Equal(t, conn.Reconnecting, client.View().Status.State)
		require.Equal(t, "not_a_stream", client.View().Status.Code)
		b.set(func() { b.refusal = nil })
		time.Sleep(31 * time.Second)
		require.Equal(t, conn.Live, client.View().Status.State)
	})
}

func TestStoreAndSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		c := start(t, b, Options{})
		var payments, all int
		leave := c.Subscribe(func(store.Received) { payments++ }, event.TypePaymentReceived)
		c.Subscribe(func(store.Received) { all++ })
		for i := range 120 {
			e, err := event.RentalStatusUpdated(int64(i+1), "active", "")
			if i%4 == 0 {
				e, err = event.PaymentReceived(1, "5", "cash")
			}
			b.publish(t, e, err)
			synctest.Wait()
			if i == 99 {
				leave()
			}
		}
		v := c.View()
		require.Equal(t, 25, payments)
		require.Equal(t, 120, all)
		require.Equal(t, 120, v.Total)
		require.Equal(t, 30, v.Counts[event.TypePaymentReceived])
		require.Len(t, v.Events, store.DefaultMax)
		require.Equal(t, "119", v.Events[0].ID, "newest first")
		require.Equal(t, v.Events[0].ID, v.LastEvent.ID)
		c.ClearHistory()
		require.Empty(t, c.View().Events)
		require.Nil(t, c.View().LastEvent)
	})
}

func TestErrors(t *testing.T) {
	err := errorOf(Response{Status: 422, Body: []byte(`{"code":"invalid_event","title":"The event is not valid","errors":[{"pointer":"/data/x","code":"c","expected":"e"}]}`)})
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "/data/x", refused.Fields[0].Pointer)
	err = errorOf(Response{Status: 502, Body: []byte("<html>"), RetryAfter: "99999999"})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "http_502", refused.Code)
	require.Equal(t, time.Hour, refused.RetryAfter)
	require.True(t, strings.Contains(err.Error(), "502"))
	require.NoError(t, errorOf(Response{Status: 201}))
}
