package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/native"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// With each transport alone, the native client receives all events once and in order, also when the broker restarts. A
// client with an invalid token stops.
func TestNativeClientReadsOverEachTransport(t *testing.T) {
	for _, transport := range conn.DefaultLadder {
		t.Run(string(transport), func(t *testing.T) {
			s := stack.Start(t)
			requireEventsOverRestart(t, s, transport)
			requireDenial(t, s, transport)
		})
	}
}

// requireEventsOverRestart runs a client over one transport while the broker is killed and started again. The client
// must receive all events once and in order.
func requireEventsOverRestart(t *testing.T, s *stack.Stack, transport conn.Transport) {
	t.Helper()
	publish := func(from, to int) (want []string) {
		const overdue = `{"type":"rental_overdue","id":"e%d","data":{"rental_id":1,"days_overdue":%[1]d}}`
		for i := from; i < to; i++ {
			s.Publish(fmt.Sprintf(overdue, i))
		}
		for i := range to {
			want = append(want, fmt.Sprintf("e%d", i))
		}
		return want
	}
	publish(0, 10)
	var mu sync.Mutex // guards got
	var got []string
	ctx, cancel := context.WithCancel(t.Context())
	client := wasmclient.New(wasmclient.Options{
		Transport: s.APIFor("4", 0, access.Manager).Transport,
		Ladder:    []conn.Transport{transport},
		Oldest:    true,
		OnEvent:   func(r store.Received) { mu.Lock(); got = append(got, r.ID); mu.Unlock() },
	})
	var running sync.WaitGroup
	running.Go(func() { client.Run(ctx) })
	waitForEvents := func(want []string) {
		t.Helper()
		waittest.Eventually(
			t,
			func() bool { mu.Lock(); defer mu.Unlock(); return slices.Equal(want, got) },
			testkit.ReconnectTimeout,
			5*time.Millisecond,
		)
	}
	waitForEvents(publish(10, 20))
	require.Equal(t, transport, client.View().Status.Transport)
	s.Kill()
	s.Up()
	waitForEvents(publish(20, 30))
	cancel()
	running.Wait()
}

// requireDenial runs a client with an invalid token. The client must stop.
func requireDenial(t *testing.T, s *stack.Stack, transport conn.Transport) {
	t.Helper()
	invalid, err := native.New(s.URL, "no.token.here")
	require.NoError(t, err)
	defer invalid.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := wasmclient.New(wasmclient.Options{Transport: invalid, Ladder: []conn.Transport{transport}})
	var running sync.WaitGroup
	running.Go(func() { client.Run(ctx) })
	waittest.Eventually(
		t,
		func() bool { return client.View().Status.State == conn.Denied },
		testkit.Soon,
		5*time.Millisecond,
	)
	require.Equal(t, "invalid_token", client.View().Status.Code)
	cancel()
	running.Wait()
}
