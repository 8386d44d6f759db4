// Package porttest is the contract of port.Page and port.Storage as a test suite. Each package that
// implements one of them runs it.
package porttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// Storage tests a storage, which must be empty.
func Storage(t *testing.T, s port.Storage) {
	ctx := t.Context()
	load := func(prefix string) map[string][]byte {
		t.Helper()
		all, err := s.Load(ctx, prefix)
		require.NoError(t, err)
		return all
	}
	require.Empty(t, load(""))
	value := []byte("one")
	require.NoError(t, s.Save(ctx, "a/1", value))
	value[0] = 'X' // the caller may change value after Save
	require.NoError(t, s.Save(ctx, "a/2", []byte{}))
	require.NoError(t, s.Save(ctx, "b", []byte{0, 255, 128}))
	require.NoError(t, s.Save(ctx, "ä", []byte("umlaut")))
	require.Equal(t, map[string][]byte{"a/1": []byte("one"), "a/2": {}}, load("a/"))
	require.Len(t, load(""), 4)
	require.NoError(t, s.Save(ctx, "a/1", []byte("two")))
	require.Equal(t, []byte("two"), load("a/1")["a/1"])
	require.NoError(t, s.Delete(ctx, "a/"))
	require.Equal(t, map[string][]byte{"b": {0, 255, 128}, "ä": []byte("umlaut")}, load(""))
	require.NoError(t, s.Delete(ctx, "nothing"))
	require.NoError(t, s.Delete(ctx, ""))
	require.Empty(t, load(""))
}

// timeout is how long a test waits for something to happen.
const timeout = 20 * time.Second

// holder is a request for a lock.
type holder struct {
	cancel context.CancelFunc
	held   chan struct{} // closed when the lock is granted
	ended  chan error    // has the result of Lock
}

// lock requests a lock in a goroutine of its own.
func lock(t *testing.T, p port.Page, name string, mode port.LockMode) *holder {
	ctx, cancel := context.WithCancel(t.Context())
	h := &holder{cancel, make(chan struct{}), make(chan error, 1)}
	go func() { h.ended <- p.Lock(ctx, name, mode, func() { close(h.held) }) }()
	return h
}

// requireHeld waits until the lock is granted.
func (h *holder) requireHeld(t *testing.T) {
	t.Helper()
	select {
	case <-h.held:
	case err := <-h.ended:
		t.Fatal("ended", err)
	case <-time.After(timeout):
		t.Fatal("not granted")
	}
}

// requireWaiting fails the test if the lock was granted, or the request has ended.
func (h *holder) requireWaiting(t *testing.T) {
	t.Helper()
	select {
	case <-h.held:
		t.Fatal("granted")
	case err := <-h.ended:
		t.Fatal("ended", err)
	default:
	}
}

// requireEnd waits until the request ends with an error.
func (h *holder) requireEnd(t *testing.T, want error) {
	t.Helper()
	select {
	case err := <-h.ended:
		if !errors.Is(err, want) {
			t.Fatalf("ended with %v, not %v", err, want)
		}
	case <-time.After(timeout):
		t.Fatal("it did not end")
	}
}

// Page tests pages. newPage must return pages of one browser.
func Page(t *testing.T, newPage func() port.Page) {
	a, b := newPage(), newPage()
	require.NotEqual(t, a.Tab(), b.Tab())
	require.True(t, a.HasLocks())
	require.Equal(t, a.IsOnline(), b.IsOnline(), "the network is the browser's")
	t.Run("a lock goes to one after the other", func(t *testing.T) { testLock(t, a, b) })
	t.Run("it can be stolen", func(t *testing.T) { testSteal(t, a, b) })
	t.Run("shares exclude a request for the lock alone", func(t *testing.T) { testShares(t, a, b) })
	t.Run("a channel reaches the others, in order", func(t *testing.T) { testChannel(t, a, b) })
}

func testLock(t *testing.T, a, b port.Page) {
	first := lock(t, a, "1", port.Exclusive)
	first.requireHeld(t)
	second := lock(t, b, "1", port.Exclusive)
	other := lock(t, b, "1 of another name", port.Exclusive)
	other.requireHeld(t)
	second.requireWaiting(t)
	first.cancel()
	first.requireEnd(t, context.Canceled)
	second.requireHeld(t)
	waiting := lock(t, a, "1", port.Exclusive)
	waiting.requireWaiting(t)
	waiting.cancel()
	waiting.requireEnd(t, context.Canceled)
	second.cancel()
	other.cancel()
}

func testSteal(t *testing.T, a, b port.Page) {
	first := lock(t, a, "2", port.Exclusive)
	first.requireHeld(t)
	thief := lock(t, b, "2", port.Steal)
	thief.requireHeld(t)
	first.requireEnd(t, port.ErrLockLost)
	thief.cancel()
	thief.requireEnd(t, context.Canceled)
	again := lock(t, a, "2", port.Exclusive)
	again.requireHeld(t)
	again.cancel()
}

func testShares(t *testing.T, a, b port.Page) {
	wanted := func(name string) bool {
		t.Helper()
		yes, err := a.IsWanted(t.Context(), name)
		require.NoError(t, err)
		return yes
	}
	one, two := lock(t, a, "3", port.Shared), lock(t, b, "3", port.Shared)
	one.requireHeld(t)
	two.requireHeld(t)
	alone := lock(t, a, "3", port.Exclusive)
	require.False(t, wanted("3"))
	one.cancel()
	one.requireEnd(t, context.Canceled)
	alone.requireWaiting(t)
	two.cancel()
	alone.requireHeld(t)
	late := lock(t, b, "3", port.Shared)
	for deadline := time.Now().Add(timeout); !wanted("3"); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "the request for a share is not reported")
	}
	require.False(t, wanted("4"))
	alone.cancel()
	late.requireHeld(t)
	late.cancel()
}

func testChannel(t *testing.T, a, b port.Page) {
	heard := make(chan string, 10)
	from := a.Channel("c", func(m []byte) { heard <- "a " + string(m) })
	to := b.Channel("c", func(m []byte) { heard <- "b " + string(m) })
	elsewhere := b.Channel("d", func(m []byte) { heard <- "d " + string(m) })
	defer elsewhere.Close()
	next := func() string {
		select {
		case m := <-heard:
			return m
		case <-time.After(timeout):
			return "nothing"
		}
	}
	from.Post([]byte("1 ä"))
	from.Post([]byte("2"))
	require.Equal(t, "b 1 ä", next())
	require.Equal(t, "b 2", next())
	to.Post([]byte("3"))
	require.Equal(t, "a 3", next())
	to.Close()
	from.Post([]byte("4"))
	to = b.Channel("c", func(m []byte) { heard <- "again " + string(m) })
	defer to.Close()
	from.Post([]byte("5"))
	require.Equal(t, "again 5", next())
	from.Close()
	require.Empty(t, heard)
}
