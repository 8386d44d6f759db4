package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestClaimsAreGrantedInOrder checks that callers get all their names at once,
// in the order in which they asked, and that a caller that gives up blocks
// nobody.
func TestClaimsAreGrantedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c claims
		var order []string
		var mu sync.Mutex
		ask := func(ctx context.Context, name string, names ...string) (done chan func()) {
			done = make(chan func(), 1) // one result
			go func() {
				release, err := c.acquire(ctx, names...)
				if err == nil {
					mu.Lock()
					order = append(order, name)
					mu.Unlock()
				}
				done <- release
			}()
			synctest.Wait()
			return done
		}
		impatient, giveUp := context.WithCancel(t.Context())
		first := ask(t.Context(), "first", "a")
		both := ask(t.Context(), "both", "b", "a", "b")
		cancelled := ask(impatient, "cancelled", "a", "b")
		late := ask(t.Context(), "late", "b")
		other := ask(t.Context(), "other", "c")
		require.Equal(t, []string{"first", "other"}, order, "b waits behind the caller that asked for a and b")
		giveUp()
		require.Nil(t, <-cancelled)
		(<-first)()
		(<-both)()
		(<-late)()
		(<-other)()
		synctest.Wait()
		require.Equal(t, []string{"first", "other", "both", "late"}, order)
		require.Empty(t, c.queue, "no queue is left")
	})
}

// TestClaimsExcludeEachOther lets many callers ask for several names each. No
// two of them may hold a name at the same time.
func TestClaimsExcludeEachOther(t *testing.T) {
	var c claims
	var all sync.WaitGroup
	names := []string{"a", "b", "c", "d", "e"}
	var held [5]atomic.Int32
	for range 40 {
		all.Go(func() {
			for range 50 {
				some := rand.Perm(len(names))[:1+rand.IntN(len(names))]
				var mine []string
				for _, i := range some {
					mine = append(mine, names[i])
				}
				release, err := c.acquire(t.Context(), mine...)
				if err != nil {
					t.Error(err)
					return
				}
				for _, i := range some {
					if held[i].Add(1) != 1 {
						t.Errorf("%s is held twice", names[i])
					}
				}
				for _, i := range some {
					held[i].Add(-1)
				}
				release()
			}
		})
	}
	all.Wait()
	require.Empty(t, c.queue)
}
