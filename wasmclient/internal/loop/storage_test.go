package loop_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// stuckDisk does not answer while it is stuck.
type stuckDisk struct {
	port.Memory
	stuck atomic.Bool
}

func (s *stuckDisk) wait(ctx context.Context) error {
	if !s.stuck.Load() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *stuckDisk) Load(ctx context.Context, prefix string) (map[string][]byte, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Memory.Load(ctx, prefix)
}

func (s *stuckDisk) Save(ctx context.Context, key string, value []byte) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.Memory.Save(ctx, key, value)
}

func (s *stuckDisk) Delete(ctx context.Context, prefix string) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.Memory.Delete(ctx, prefix)
}

// The storage gets the items of the time in which it did not answer, except for those that were sent meanwhile.
func TestStorageGetsWhatItMissedOnceItWorksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := fake.New(manager), &stuckDisk{}
		c := start(t, b, wasmclient.Options{Storage: disk, Snapshot: true})
		b.SetDown(true)
		b.Cut()
		publish := func() string {
			item, err := c.Publish(t.Context(), event.Example(event.TypeSystemNotification))
			require.NoError(t, err)
			synctest.Wait()
			return "outbox/" + manager.User + "/" + item.ID
		}
		first := publish()
		disk.stuck.Store(true)
		second := publish()
		require.True(t, c.View().Unsaved)
		disk.stuck.Store(false)
		time.Sleep(11 * time.Second)
		require.False(t, c.View().Unsaved)
		require.ElementsMatch(t, []string{first, second}, keys(t, disk, "outbox/"))
		third := publish()
		require.ElementsMatch(t, []string{first, second, third}, keys(t, disk, "outbox/"))

		disk.stuck.Store(true)
		b.SetDown(false)
		time.Sleep(time.Minute)
		require.Len(t, b.Events(), 3, "it is sent all the same")
		require.True(t, c.View().Unsaved)
		disk.stuck.Store(false)
		time.Sleep(11 * time.Second)
		require.False(t, c.View().Unsaved)
		require.Empty(t, keys(t, disk, "outbox/"))
		require.Empty(t, keys(t, disk, "probe"))
	})
}

// Items that the storage had when the client began are not lost. Those of another user are deleted.
func TestItemsOfAStorageThatAnswersLateAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, disk := fake.New(manager), &stuckDisk{}
		mine := `{"id":"1","type":"system_notification","state":"queued","written":"2000-01-01T00:00:00Z",` +
			`"data":{"title":"Mine","message":"My own","level":"info"}}`
		require.NoError(t, disk.Save(t.Context(), "outbox/"+manager.User+"/1", []byte(mine)))
		require.NoError(t, disk.Save(t.Context(), "outbox/77/2", []byte(`{"id":"2","state":"queued"}`)))
		require.NoError(t, disk.Save(t.Context(), wasmclient.StateKey, []byte(`{"user":"77"}`)))
		disk.stuck.Store(true)
		c := start(t, b, wasmclient.Options{Storage: disk, Snapshot: true})
		time.Sleep(5 * time.Second)
		require.True(t, c.View().Unsaved)
		disk.stuck.Store(false)
		time.Sleep(time.Minute)
		require.False(t, c.View().Unsaved)
		require.Len(t, b.Events(), 1)
		require.Equal(t, "1", b.Events()[0].ID)
		require.Empty(t, keys(t, disk, "outbox/"))
		state, err := disk.Load(t.Context(), wasmclient.StateKey)
		require.NoError(t, err)
		require.Contains(t, string(state[wasmclient.StateKey]), `"user":"`+manager.User+`"`)
	})
}

// The page saves nothing when it is frozen, and nothing later, although the state has changed.
func TestFrozenPageSavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, disk := fake.New(manager), &fake.Browser{}, &countingStorage{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true, Storage: disk})
		time.Sleep(25 * time.Second) // it was saved at the start
		publish(t, b, 1)
		synctest.Wait()
		uses := len(disk.uses)
		w.Happen(port.Frozen)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Empty(t, disk.uses[uses:])
		w.Happen(port.Thawed)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Contains(t, disk.uses[uses:], "save state", "what came before is kept once the broker knows the user")
	})
}

// Another tab signed out and deleted everything while the page was frozen. However late the page learns of it, it
// writes nothing.
func TestThawedPageBringsNothingBackAfterASignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, disk := fake.New(manager), &fake.Browser{}, &port.Memory{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true, Storage: disk})
		time.Sleep(15 * time.Second)
		publish(t, b, 1)
		synctest.Wait()
		w.Happen(port.Frozen)
		synctest.Wait()
		require.NoError(t, disk.Delete(t.Context(), ""))
		time.Sleep(time.Minute)
		b.SetDown(true)
		w.Happen(port.Thawed)
		time.Sleep(time.Minute)
		require.Empty(t, keys(t, disk, ""))
		b.SetDown(false)
		b.Refuse(fake.Refusal(401, "sign_in_required"))
		time.Sleep(time.Minute)
		require.Equal(t, conn.Denied, w.View().Status.State)
		require.Empty(t, keys(t, disk, ""))
	})
}
