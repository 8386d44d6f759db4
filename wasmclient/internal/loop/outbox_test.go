package loop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// forgetfulBroker is a broker that remembers the ids of events for an hour, as real brokers do.
type forgetfulBroker struct {
	*fake.Broker
	mu    sync.Mutex
	first map[string]time.Time
	n     int
	lose  atomic.Bool // the answer is lost
	looks int
}

func newForgetful() *forgetfulBroker {
	return &forgetfulBroker{Broker: fake.New(manager), first: map[string]time.Time{}}
}

func (f *forgetfulBroker) Do(ctx context.Context, r port.Request) (port.Response, error) {
	f.mu.Lock()
	if strings.HasPrefix(r.Path, "/api/events") {
		f.looks++
	}
	lose := f.lose.Load() && r.Method == "POST"
	if r.Method == "POST" {
		var body map[string]any
		_ = json.Unmarshal(r.Body, &body)
		id := body["id"].(string)
		if at, ok := f.first[id]; ok && time.Since(at) > time.Hour {
			f.n++
			body["id"] = fmt.Sprint(id, "#", f.n) // The broker has forgotten the id, so this is a new event.
			r.Body, _ = json.Marshal(body)
		} else if !ok {
			f.first[id] = time.Now()
		}
	}
	f.mu.Unlock()
	a, err := f.Broker.Do(ctx, r)
	if lose {
		return port.Response{}, errors.New("cut")
	}
	return a, err
}

// The leader was about to send the item.
func TestItemDiscardedInAFollowerIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := fake.New(manager), &fake.Browser{}, &port.Memory{}
		openTab(t, b, in, wasmclient.Options{Storage: st})
		other := openTab(t, b, in, wasmclient.Options{Storage: st})
		b.SetDown(true)
		b.Cut()
		item := write(t, other, 1)
		time.Sleep(10 * time.Second)
		other.DiscardItem(item.ID)
		synctest.Wait()
		require.Empty(t, other.View().Outbox)
		b.SetDown(false)
		settle()
		require.Empty(t, b.Events(), "the user had discarded it")
	})
}

// The next leader finds what was stored, long after the broker forgot the id.
func TestItemOfACrashedLeaderIsFoundInTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := newForgetful(), &fake.Browser{}, &port.Memory{}
		lead := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		other := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		b.lose.Store(true)
		write(t, other, 1)
		time.Sleep(500 * time.Millisecond)
		require.Len(t, b.Events(), 1)
		b.SetDown(true)
		b.Cut()
		time.Sleep(2 * time.Hour)
		lead.Crash()
		lead.close()
		b.lose.Store(false)
		b.SetDown(false)
		settle()
		require.Len(t, b.Events(), 1, "one event was written")
	})
}

func TestSentItemIsRemovedFromAFullStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := newForgetful(), &fullDisk{}
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{Snapshot: true, Storage: st})
		w.Pause() // quiet
		w.Resume()
		b.SetDown(true)
		b.Cut()
		synctest.Wait()
		write(t, w, 1)      // it is on the disk
		st.full.Store(true) // and now that is full: the machine's own save of it fails
		synctest.Wait()
		b.SetDown(false)
		settle()
		require.Len(t, b.Events(), 1)
		require.Zero(t, w.View().Unsent())
		require.True(t, w.View().Unsaved)
		w.close()
		left, err := st.Load(t.Context(), "outbox/")
		require.NoError(t, err)
		require.Empty(t, left)
		time.Sleep(2 * time.Hour) // the next day
		st.full.Store(false)
		openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{Snapshot: true, Storage: st})
		settle()
		require.Len(t, b.Events(), 1, "sent twice: the item that was sent was never removed from the disk")
	})
}

// The tab sends again after another tab has come and gone.
func TestPausedTabOnItsOwnSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := fake.New(manager), &fake.Browser{}, &port.Memory{}
		w := openTab(t, b, in, wasmclient.Options{Storage: st})
		w.Pause()
		synctest.Wait()
		write(t, w, 1)
		synctest.Wait()
		require.Len(t, b.Events(), 1, "alone and paused it sends")
		other := openTab(t, b, in, wasmclient.Options{Storage: st})
		other.close()
		synctest.Wait()
		write(t, w, 1)
		time.Sleep(time.Hour)
		require.Len(t, b.Events(), 2, "alone again, it does not")
	})
}

func TestThawedTabThatMissedTheAnswerDoesNotSendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := newForgetful(), &fake.Browser{}, &port.Memory{}
		a := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		w := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		b.SetDown(true)
		b.Cut()
		write(t, w, 1)
		synctest.Wait()
		w.Happen(port.Frozen)
		synctest.Wait()
		b.SetDown(false)
		settle()
		require.Len(t, b.Events(), 1)
		time.Sleep(2 * time.Hour)
		w.Happen(port.Thawed)
		settle()
		a.close()
		settle()
		require.Len(t, b.Events(), 1, "one event was written")
	})
}

// closableTransport is a tab's own transport. While it is closed, no answer comes, as for a frozen page.
type closableTransport struct {
	port.Transport
	closed atomic.Bool
}

func (l *closableTransport) Do(ctx context.Context, r port.Request) (port.Response, error) {
	if l.closed.Load() {
		<-ctx.Done()
		return port.Response{}, ctx.Err()
	}
	return l.Transport.Do(ctx, r)
}

func TestThawedTabLearnsWhatWasSentMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := fake.New(manager), &fake.Browser{}, &port.Memory{}
		a := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		l := &closableTransport{Transport: b}
		w := openOver(t, l, in.NewTab(), wasmclient.Options{Storage: st})
		b.SetDown(true)
		b.Cut()
		write(t, w, 1)
		synctest.Wait()
		l.closed.Store(true)
		w.Happen(port.Frozen)
		synctest.Wait()
		b.SetDown(false)
		settle()
		require.Len(t, b.Events(), 1)
		require.Zero(t, a.View().Unsent())
		l.closed.Store(false)
		w.Happen(port.Thawed)
		settle()
		require.Equal(t, tabs.Follower, w.role())
		require.Zero(t, w.View().Unsent(), "it was sent while this tab was frozen")
	})
}

func TestTabWithoutLocksSendsItsOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{NoLocks: true}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		write(t, w, 1)
		time.Sleep(time.Hour)
		require.Equal(t, conn.Live, w.View().Status.State)
		require.Len(t, b.Events(), 1, "without Web Locks nothing is ever sent")
	})
}

func TestThawedTabThatLeadsLaterSendsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := newForgetful(), &fake.Browser{}, &port.Memory{}
		a := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		l := &closableTransport{Transport: b}
		w := openOver(t, l, in.NewTab(), wasmclient.Options{Storage: st})
		b.SetDown(true)
		b.Cut()
		for i := range int64(2) {
			write(t, w, i+1)
		}
		synctest.Wait()
		l.closed.Store(true)
		w.Happen(port.Frozen)
		synctest.Wait()
		b.SetDown(false)
		settle()
		require.Len(t, b.Events(), 2)
		time.Sleep(2 * time.Hour)
		l.closed.Store(false)
		w.Happen(port.Thawed)
		settle()
		a.close()
		settle()
		require.Len(t, b.Events(), 2, "two were written")
	})
}

// In the end the item is rejected, and the user can retry it.
func TestItemThatAProxyRefusesHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &scriptedBroker{Broker: fake.New(manager)}
		b.answer(func(r port.Request) *port.Response {
			if r.Method == "POST" && strings.Contains(string(r.Body), "payment_received") {
				return &port.Response{Status: 413, Body: []byte("<html>nginx")}
			}
			return nil
		})
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
		large, err := w.Publish(t.Context(), event.Example(event.TypePaymentReceived))
		require.NoError(t, err)
		synctest.Wait()
		write(t, w, 77)
		synctest.Wait()
		require.Len(t, b.Events(), 1)
		require.Equal(t, outbox.Queued, w.View().Outbox[0].State)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, w.View().Rejected())
		require.Equal(t, "http_413", w.View().Outbox[0].Code)
		b.answer(nil)
		w.RetryItem(large.ID)
		synctest.Wait()
		require.Len(t, b.Events(), 2)
	})
}

// A hotel that wants a sign-in is no reason to give an item up, however long it takes.
func TestOutboxOutlastsAPortalThatRefusesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		b.Refuse(&port.Response{Status: 404, ContentType: "text/html", Body: []byte("<html>sign in to this hotel")})
		w := openTab(t, b, &fake.Browser{}, wasmclient.Options{})
		write(t, w, 1)
		write(t, w, 2)
		time.Sleep(24 * time.Hour)
		require.Equal(t, 2, w.View().Unsent())
		b.Refuse(nil)
		time.Sleep(time.Minute)
		require.Len(t, b.Events(), 2)
	})
}

// A paused tab leaves its items to the tab that leads, as long as there is one.
func TestExactlyOneTabSendsWhatAnyTabWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := &lossyBroker{Broker: fake.New(manager)}, &fake.Browser{}, &port.Memory{}
		w := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		other := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		wrote := 0
		sent := func(w *window) {
			t.Helper()
			write(t, w, 1)
			wrote++
			synctest.Wait()
			require.Len(t, b.Events(), wrote)
			require.EqualValues(t, wrote, b.n.Load(), "one of them sends it")
		}
		w.Pause() // it led
		synctest.Wait()
		sent(w)
		late := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st, Disabled: true})
		sent(late) // a tab that has never joined
		other.Crash()
		other.close()
		write(t, w, 2)
		time.Sleep(time.Minute)
		require.Len(t, b.Events(), wrote+1, "nobody leads any more")
		require.Zero(t, w.View().Unsent())
	})
}
