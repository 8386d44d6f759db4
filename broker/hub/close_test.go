package hub

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

func TestCloseAndDrainEndStreams(t *testing.T) { overBothWays(t, testCloseAndDrainEndStreams) }

func testCloseAndDrainEndStreams(t *testing.T, subscribe subscribeFunc) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	one := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager)})
	two := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager)})
	defer one.Leave()
	defer two.Leave()
	one.next()
	two.next()
	h.CloseWhere(wire.ByeSignedOut, func(s *Subscriber) bool { return s.ID == one.ID })
	var closed *ClosedError
	_, err := one.Next(t.Context())
	require.ErrorAs(t, err, &closed)
	require.Equal(t, wire.ByeSignedOut, closed.Bye.Reason)
	publish(t, h, 0)
	require.Equal(t, []uint64{1}, two.through(1))
	h.Drain()
	_, err = two.Next(t.Context())
	require.ErrorAs(t, err, &closed)
	require.Equal(t, wire.ByeDrain, closed.Bye.Reason)
	require.Less(t, closed.Bye.Delay, maxDrainDelay)
	_, err = h.Subscribe(t.Context(), Request{Grant: grant(t, "1", 0, access.Manager)})
	require.ErrorAs(t, err, &closed)
}
