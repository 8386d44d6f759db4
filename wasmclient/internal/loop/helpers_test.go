package loop_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var manager = access.Grant{User: "4", Name: "manager", Roles: []access.Role{access.Manager}}

// start runs a client of the manager in virtual time, until the end of the test.
func start(t *testing.T, b *fake.Broker, o wasmclient.Options) *wasmclient.Client {
	o.Transport, o.Grant = b, manager
	c := wasmclient.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	synctest.Wait()
	return c
}

// window is a tab with a client. It records the events that it gets.
type window struct {
	*fake.Tab
	*wasmclient.Client
	got   []string // ids, in the order of arrival
	leave context.CancelFunc
	done  sync.WaitGroup
}

// openTab opens a tab of the manager in a browser, unless the options have another grant.
func openTab(t *testing.T, b *fake.Broker, in *fake.Browser, o wasmclient.Options) *window {
	return openOver(t, b, in.NewTab(), o)
}

// openOver is openTab for a transport and a tab that the test has made.
func openOver(t *testing.T, tr port.Transport, tab *fake.Tab, o wasmclient.Options) *window {
	if o.Grant.User == "" {
		o.Grant = manager
	}
	return openAs(t, tr, tab, o)
}

// openAs opens a tab of the user that the options name. They may name no user.
func openAs(t *testing.T, tr port.Transport, tab *fake.Tab, o wasmclient.Options) *window {
	w := &window{Tab: tab}
	o.Transport, o.Page = tr, w.Tab
	o.OnEvent = func(r store.Received) { w.got = append(w.got, r.ID) }
	w.Client = wasmclient.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	w.leave = cancel
	w.done.Go(func() { w.Run(ctx) })
	t.Cleanup(w.close)
	synctest.Wait()
	return w
}

// close ends the client, and waits until it has ended.
func (w *window) close() {
	w.leave()
	w.done.Wait()
}

func (w *window) role() tabs.Role { return w.View().Role }

// publish stores an event of a rental in the broker's log.
func publish(t *testing.T, b *fake.Broker, rental int64) {
	e, err := event.RentalStatusUpdated(rental, "active", "")
	require.NoError(t, err)
	b.Publish(e)
}

// write publishes a change of a rental through a tab's outbox.
func write(t *testing.T, w *window, rental int64) outbox.Item {
	t.Helper()
	e, err := event.RentalStatusUpdated(rental, "active", "")
	require.NoError(t, err)
	item, err := w.Publish(t.Context(), e)
	require.NoError(t, err)
	return item
}

// settle waits until everything has come to rest: elections, retries, heartbeats.
func settle() {
	time.Sleep(2 * time.Minute)
	synctest.Wait()
}

// keys returns the keys of a storage.
func keys(t *testing.T, s port.Storage, prefix string) (found []string) {
	t.Helper()
	all, err := s.Load(t.Context(), prefix)
	require.NoError(t, err)
	for key := range all {
		found = append(found, key)
	}
	return found
}

// requireSameIDs compares two long lists. It prints only the ids around the first difference.
func requireSameIDs(t *testing.T, want, got []string, what ...any) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		if i >= len(got) || i >= len(want) || want[i] != got[i] {
			next := func(ids []string) []string { return ids[min(i, len(ids)):min(i+5, len(ids))] }
			t.Fatalf("%v: %d events instead of %d; the first difference is at %d: %v instead of %v",
				what, len(got), len(want), i, next(got), next(want))
		}
	}
}

// idsFrom returns the ids that the fake broker gives from one number up to another.
func idsFrom(from, to int) (ids []string) {
	for n := from; n < to; n++ {
		ids = append(ids, fmt.Sprint(n))
	}
	return ids
}
