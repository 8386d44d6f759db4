package loop_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// evictableStorage is a storage that the browser may empty. It has a note beside it.
type evictableStorage struct {
	port.Memory
	text  atomic.Value
	asked atomic.Int32
}

func (e *evictableStorage) Persist()         { e.asked.Add(1) }
func (e *evictableStorage) Note(text string) { e.text.Store(text) }

func (e *evictableStorage) Noted() string {
	text, _ := e.text.Load().(string)
	return text
}

// Delete deletes the note with everything else: that is a sign-out.
func (e *evictableStorage) Delete(ctx context.Context, prefix string) error {
	if prefix == "" {
		e.Note("")
	}
	return e.Memory.Delete(ctx, prefix)
}

// evict empties the storage as a browser does.
func (e *evictableStorage) evict(t *testing.T) { require.NoError(t, e.Memory.Delete(t.Context(), "")) }

func TestItemsAreWrittenAgainWhenTheStorageIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := fake.New(manager), &evictableStorage{}
		b.SetDown(true)
		w := openTab(t, b, &fake.Browser{}, wasmclient.Options{Snapshot: true, Storage: disk})
		for rental := range int64(3) { // the first is written with each attempt to send it, the others are not
			write(t, w, rental+1)
		}
		synctest.Wait()
		require.Len(t, keys(t, &disk.Memory, "outbox/"), 3)
		disk.evict(t)
		time.Sleep(11 * time.Second)
		require.Len(t, keys(t, &disk.Memory, "outbox/"), 3)
		require.False(t, w.View().Unsaved)
		w.close()
		b.SetDown(false)
		w = openTab(t, b, &fake.Browser{}, wasmclient.Options{Snapshot: true, Storage: disk})
		settle()
		require.Len(t, b.Events(), 3)
		require.Zero(t, w.View().Lost)
	})
}

// After a sign-out no item counts as lost.
func TestLostItemsAreReportedOnceToTheirUserAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := fake.New(manager), &evictableStorage{}
		visit := func(g access.Grant) *window {
			w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{Snapshot: true, Storage: disk, Grant: g})
			settle()
			return w
		}
		leaveTwoUnsent := func() {
			b.SetDown(true)
			w := visit(manager)
			write(t, w, 1)
			write(t, w, 2)
			settle()
			w.close()
			b.SetDown(false)
		}
		leaveTwoUnsent()
		disk.evict(t)
		w := visit(manager)
		require.Equal(t, 2, w.View().Lost)
		w.AcknowledgeLost()
		require.Zero(t, w.View().Lost)
		w.close()
		w = visit(manager)
		require.Zero(t, w.View().Lost)
		w.close()

		leaveTwoUnsent()
		require.NoError(t, disk.Delete(t.Context(), ""))
		w = visit(manager)
		require.Zero(t, w.View().Lost, "they were left behind by a sign-out")
		w.close()

		leaveTwoUnsent()
		disk.evict(t)
		w = visit(access.Grant{User: "99", Name: "x", Roles: []access.Role{access.Yard}})
		require.Zero(t, w.View().Lost, "they were another user's")
		w.close()

		leaveTwoUnsent() // and sent the next time
		w = visit(manager)
		require.Zero(t, w.View().Lost)
		require.Zero(t, w.View().Unsent())
	})
}

func TestPersistenceIsAskedForOnceWhenAnItemWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := fake.New(manager), &evictableStorage{}
		w := openTab(t, b, &fake.Browser{}, wasmclient.Options{Snapshot: true, Storage: disk})
		write(t, w, 1)
		settle()
		require.Zero(t, disk.asked.Load(), "nothing had to wait")
		b.SetDown(true)
		b.Cut()
		synctest.Wait()
		write(t, w, 2)
		write(t, w, 3)
		settle()
		require.EqualValues(t, 1, disk.asked.Load())
	})
}

func TestItemAnsweredByAFirewallsPageHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &scriptedBroker{Broker: fake.New(manager)}
		b.answer(func(r port.Request) *port.Response {
			if r.Method == "POST" && strings.Contains(string(r.Body), "payment_received") {
				return &port.Response{Status: 200, ContentType: "text/html", Body: []byte("<html>rejected")}
			}
			return nil
		})
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
		_, err := w.Publish(t.Context(), event.Example(event.TypePaymentReceived))
		require.NoError(t, err)
		synctest.Wait()
		write(t, w, 77)
		synctest.Wait()
		require.Len(t, b.Events(), 1)
		require.Equal(t, outbox.Queued, w.View().Outbox[0].State)
		time.Sleep(10 * time.Minute)
		require.Equal(t, "http_200", w.View().Outbox[0].Code)
		require.Equal(t, 1, w.View().Rejected())
	})
}

// The item may be in the history, which a proxy does not let the client read.
func TestItemIsNotSentTwiceWhileAProxyRefusesTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &scriptedBroker{Broker: fake.New(manager)}
		b.SetDown(true)
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
		write(t, w, 1)
		time.Sleep(2 * time.Hour)
		b.answer(func(r port.Request) *port.Response {
			if r.Method == "GET" {
				return &port.Response{Status: 403, ContentType: "text/html", Body: []byte("<html>")}
			}
			return nil
		})
		b.SetDown(false)
		settle()
		require.Empty(t, b.Events())
		b.answer(nil)
		settle()
		require.Len(t, b.Events(), 1)
	})
}
