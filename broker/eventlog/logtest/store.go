package logtest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/waittest"
)

// testStoreKeepsValues checks that the store keeps, replaces, expires and deletes
// values.
func testStoreKeepsValues(t *testing.T, log eventlog.Log) {
	_, err := log.Get(t.Context(), "none")
	require.ErrorIs(t, err, eventlog.ErrNotFound)
	require.NoError(t, log.Delete(t.Context(), "none"))
	big := slices.Repeat([]byte("0123456789"), 300_000)
	for _, value := range [][]byte{[]byte("one"), big, {}} {
		require.NoError(t, log.Put(t.Context(), "a.b-c_d=", value, 0))
		got, err := log.Get(t.Context(), "a.b-c_d=")
		require.NoError(t, err)
		require.Equal(t, len(value), len(got))
		require.Equal(t, string(value), string(got))
	}
	require.NoError(t, log.Put(t.Context(), "brief", []byte("x"), time.Hour))
	require.NoError(t, log.Put(t.Context(), "brief", []byte("y"), 2*time.Second))
	got, err := log.Get(t.Context(), "brief")
	require.NoError(t, err)
	require.Equal(t, "y", string(got))
	hasExpired := func() bool {
		_, err := log.Get(t.Context(), "brief")
		return errors.Is(err, eventlog.ErrNotFound)
	}
	waittest.Eventually(t, hasExpired, 20*time.Second, 50*time.Millisecond)
	require.NoError(t, log.Delete(t.Context(), "a.b-c_d="))
	_, err = log.Get(t.Context(), "a.b-c_d=")
	require.ErrorIs(t, err, eventlog.ErrNotFound)
	testStoreKeys(t, log)
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	require.Zero(t, b.Last, "the store is no part of the log")
}

// testStoreKeys checks that only one of several concurrent calls of Create
// succeeds, and that Keys finds keys by their prefix.
func testStoreKeys(t *testing.T, log eventlog.Log) {
	var created atomic.Int32
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			err := log.Create(t.Context(), "group.one", []byte{byte(i)}, 0)
			if err == nil {
				created.Add(1)
			} else {
				assert.ErrorIs(t, err, eventlog.ErrExists)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, created.Load())
	require.NoError(t, log.Create(t.Context(), "group.two", []byte("x"), time.Hour))
	require.NoError(t, log.Put(t.Context(), "groups", []byte("x"), 0))
	keys, err := log.Keys(t.Context(), "group.")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"group.one", "group.two"}, keys)
	require.NoError(t, log.Delete(t.Context(), "group.one"))
	require.NoError(t, log.Create(t.Context(), "group.one", []byte("again"), 0))
	keys, err = log.Keys(t.Context(), "none.")
	require.NoError(t, err)
	require.Empty(t, keys)
}
