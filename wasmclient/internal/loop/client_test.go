package loop_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// brokerWithoutStreams is a broker that refuses streams until open is 1. It counts the long polls that wait.
type brokerWithoutStreams struct {
	*fake.Broker
	open, polls atomic.Int32
}

func (c *brokerWithoutStreams) Stream(
	ctx context.Context, r port.Request, handle func([]byte) error,
) (port.Response, error) {
	if c.open.Load() == 0 {
		return port.Response{Status: 406}, nil
	}
	return c.Broker.Stream(ctx, r, handle)
}

func (c *brokerWithoutStreams) Do(ctx context.Context, r port.Request) (port.Response, error) {
	if strings.Contains(r.Path, "wait=") {
		c.polls.Add(1)
		defer c.polls.Add(-1)
		select {
		case <-time.After(25 * time.Second):
		case <-ctx.Done():
			return port.Response{}, ctx.Err()
		}
	}
	return port.Response{Status: 200, ContentType: "application/json",
		Body: []byte(`{"events":[],"previous":"k-1","next":"k-0","head":"k-0","grant":"` + manager.ID() + `"}`)}, nil
}

// After several failed trials a better transport takes over. The transport that it replaces is ended.
func TestABetterTransportEndsTheOneItReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &brokerWithoutStreams{Broker: fake.New(manager)}
		c := wasmclient.New(wasmclient.Options{Transport: tr, Grant: manager})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { c.Run(ctx) })
		synctest.Wait()
		require.Equal(t, conn.Poll, c.View().Status.Transport)
		time.Sleep(5 * time.Minute) // virtual: trials of both better transports fail
		synctest.Wait()
		require.Equal(t, conn.Poll, c.View().Status.Transport)
		require.EqualValues(t, 1, tr.polls.Load())
		tr.open.Store(1)
		time.Sleep(30 * time.Minute)
		require.Equal(t, conn.SSE, c.View().Status.Transport)
		require.Zero(t, tr.polls.Load(), "a long poll that nobody listens to goes on")
		cancel()
		done.Wait()
	})
}

func TestClientResumesAfterCutsOutagesAndAnotherLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		publish := func(id int64, status string) {
			e, err := event.RentalStatusUpdated(id, status, "")
			require.NoError(t, err)
			b.Publish(e)
			synctest.Wait()
		}
		publish(1, "active")
		var got []string
		c := start(t, b, wasmclient.Options{Snapshot: true, OnEvent: func(r store.Received) {
			got = append(got, r.Data.Text("rental_id"))
		}})
		require.Equal(t, conn.Live, c.View().Status.State)
		require.Equal(t, "1", c.View().Figures["active_rentals"].String())
		publish(2, "active")
		require.Equal(t, "2", c.View().Figures["active_rentals"].String())

		b.Cut()
		synctest.Wait()
		require.Equal(t, conn.Reconnecting, c.View().Status.State)
		require.False(t, c.View().Status.RetryAt.IsZero())
		publish(3, "active") // while the client is not connected
		time.Sleep(31 * time.Second)
		require.Equal(t, conn.Live, c.View().Status.State)
		require.Equal(t, "3", c.View().Figures["active_rentals"].String())
		require.Equal(t, []string{"2", "3"}, got)
		require.True(t, c.View().LastEvent.Replayed)

		// Down for long: backoff, then back.
		b.SetDown(true)
		b.Cut()
		opened := b.Opened()
		time.Sleep(5 * time.Minute)
		require.Equal(t, conn.Reconnecting, c.View().Status.State)
		require.GreaterOrEqual(t, c.View().Status.Attempt, 10, "it never gives up")
		require.Equal(t, opened, b.Opened())
		b.SetDown(false)
		c.Connect() // retry now
		synctest.Wait()
		require.Equal(t, conn.Live, c.View().Status.State)

		// Another log in its place: a new snapshot.
		b.Replace("z")
		b.Cut()
		time.Sleep(31 * time.Second)
		require.Equal(t, conn.Live, c.View().Status.State)
		require.Equal(t, "0", c.View().Figures["active_rentals"].String())
		publish(9, "active")
		require.Equal(t, "1", c.View().Figures["active_rentals"].String())
	})
}

// After the broker was restored from a backup, the history is that of the restored log, and none of it is news.
func TestRestoredBackupReplacesTheHistoryWithoutNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		var gaps []wire.Gap
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true, Backfill: 100, Toasts: true,
			OnGap: func(g wire.Gap) { gaps = append(gaps, g) }})
		follower := openTab(t, b, in, wasmclient.Options{Snapshot: true, Backfill: 100})
		for n := range 12 {
			publish(t, b, int64(n+1))
		}
		synctest.Wait()
		require.Len(t, w.View().Events, 12)
		settle()
		w.Happen(port.Vanished)
		b.SetDown(true)
		b.Cut()
		b.Replace("z")
		publish(t, b, 77)
		late, err := event.RentalOverdue(78, 2, "Ann")
		require.NoError(t, err)
		b.Publish(late)
		b.SetDown(false)
		settle()
		w.Happen(port.Appeared)
		synctest.Wait()
		require.Empty(t, w.View().Toasts)
		require.NotEmpty(t, gaps)
		for _, tab := range []*window{w, follower} {
			v := tab.View()
			require.Equal(t, conn.Live, v.Status.State)
			require.Equal(t, "1", v.Figures["active_rentals"].String())
			require.Len(t, v.Events, 2)
			require.Equal(t, "77", v.Events[1].Data.Text("rental_id"))
		}
	})
}

func TestClientStopsWhenTheBrokerDeniesIt(t *testing.T) {
	for status, code := range map[int]string{401: "sign_in_required", 403: "forbidden"} {
		synctest.Test(t, func(t *testing.T) {
			b := fake.New(manager)
			b.Refuse(fake.Refusal(status, code))
			client := start(t, b, wasmclient.Options{})
			time.Sleep(time.Hour)
			require.Equal(t, conn.Denied, client.View().Status.State)
			require.Equal(t, code, client.View().Status.Code)
			require.Zero(t, client.View().Status.Attempt)
		})
	}
}

func TestClientObeysRetryAfterAndOutlastsAPortal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		draining := fake.Refusal(503, "draining")
		draining.RetryAfter = "120"
		b.Refuse(draining)
		client := start(t, b, wasmclient.Options{})
		require.Equal(t, conn.Limited, client.View().Status.State)
		b.Refuse(&port.Response{Status: 200, ContentType: "text/html", Body: []byte("<html>sign in to this hotel")})
		time.Sleep(119 * time.Second)
		require.Equal(t, conn.Limited, client.View().Status.State)
		time.Sleep(3 * time.Second)
		require.Equal(t, conn.Reconnecting, client.View().Status.State)
		require.Equal(t, "not_a_stream", client.View().Status.Code)
		b.Refuse(nil)
		time.Sleep(31 * time.Second)
		require.Equal(t, conn.Live, client.View().Status.State)
	})
}

func TestViewAndSubscriptionsGetEveryEventUntilCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		c := start(t, b, wasmclient.Options{})
		var payments, all int
		leave := c.Subscribe(func(store.Received) { payments++ }, event.TypePaymentReceived)
		c.Subscribe(func(store.Received) { all++ })
		for i := range 120 {
			e, err := event.RentalStatusUpdated(int64(i+1), "active", "")
			if i%4 == 0 {
				e, err = event.PaymentReceived(1, "5", "cash")
			}
			require.NoError(t, err)
			b.Publish(e)
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
		c.Clear()
		require.Empty(t, c.View().Events)
		require.Nil(t, c.View().LastEvent)
	})
}

// lossyBroker is a broker that counts requests to publish, and whose answers may be lost.
type lossyBroker struct {
	*fake.Broker
	n    atomic.Int32
	lose atomic.Bool
}

func (p *lossyBroker) Do(ctx context.Context, r port.Request) (port.Response, error) {
	answer, err := p.Broker.Do(ctx, r)
	if r.Method == "POST" {
		p.n.Add(1)
		if p.lose.Load() {
			return port.Response{}, errors.New("lost")
		}
	}
	return answer, err
}

// The client sends an event whose answer was lost again with the same id. After an hour it looks it up in the history
// instead.
func TestItemWithALostAnswerIsStoredOnce(t *testing.T) {
	for name, away := range map[string]time.Duration{"sent again": time.Minute, "looked up": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, disk := &lossyBroker{Broker: fake.New(manager)}, &port.Memory{}
				run := func() (c *wasmclient.Client, stop func()) {
					c = wasmclient.New(wasmclient.Options{Transport: b, Grant: manager, Storage: disk})
					ctx, cancel := context.WithCancel(t.Context())
					var done sync.WaitGroup
					done.Go(func() { c.Run(ctx) })
					synctest.Wait()
					return c, func() { cancel(); done.Wait() }
				}
				c, stop := run()
				b.lose.Store(true)
				e := event.Example(event.TypeSystemNotification)
				_, err := c.Publish(t.Context(), event.Event{Type: e.Type, Data: e.Data})
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, 1, c.View().Unsent())
				stop()
				time.Sleep(away)
				b.lose.Store(false)
				before := b.n.Load()
				c, stop = run()
				require.Equal(t, outbox.Sent, c.View().Outbox[0].State)
				require.Len(t, b.Events(), 1)
				require.Equal(t, map[string]int32{"sent again": 1, "looked up": 0}[name], b.n.Load()-before)
				all, err := disk.Load(t.Context(), "outbox/")
				require.NoError(t, err)
				require.Empty(t, all)
				stop()
			})
		})
	}
}

// fullDisk is a storage that refuses to save while it is full.
type fullDisk struct {
	port.Memory
	full atomic.Bool
}

func (f *fullDisk) Save(ctx context.Context, key string, value []byte) error {
	if f.full.Load() {
		return errors.New("full")
	}
	return f.Memory.Save(ctx, key, value)
}

func TestFullStorageIsShownAndTheOutboxGoesOnInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := fake.New(manager), &fullDisk{}
		c := start(t, b, wasmclient.Options{Storage: disk})
		require.False(t, c.View().Unsaved)
		disk.full.Store(true)
		b.SetDown(true)
		b.Cut()
		_, err := c.Publish(t.Context(), event.Example(event.TypeSystemNotification))
		require.NoError(t, err)
		require.True(t, c.View().Unsaved)
		b.SetDown(false)
		time.Sleep(time.Minute)
		require.Len(t, b.Events(), 1)
	})
}

// hangingDisk is a storage that does not answer Save.
type hangingDisk struct{ port.Memory }

func (*hangingDisk) Save(ctx context.Context, _ string, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// A caller that gives up gets the error of its context.
func TestHangingStorageDoesNotHoldUpTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		c := start(t, b, wasmclient.Options{Storage: &hangingDisk{}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.Publish(ctx, event.Example(event.TypeSystemNotification))
		require.ErrorIs(t, err, context.Canceled)
		_, err = c.Publish(t.Context(), event.Example(event.TypeSystemNotification))
		require.NoError(t, err)
		synctest.Wait()
		require.True(t, c.View().Unsaved)
		require.Len(t, b.Events(), 1)
	})
}
