package httpapi

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
)

// gateWith returns an API that has a gate alone.
func gateWith(l Limits) *API {
	return &API{gate: &connectionGate{limits: l.withDefaults(), counts: map[countKey]*connectionCount{}}}
}

// A connection that authenticates leaves the counts of unauthenticated ones, also when a
// limit of its user refuses it. Nothing is counted of connections that have left.
func TestSlotMovesFromUnauthenticatedToItsUser(t *testing.T) {
	a := gateWith(Limits{Connections: 20, PerCredential: 1, PerUser: 1, PerAddress: 10})
	p := identity.Principal{Grant: access.Grant{User: "7"}, Credential: "t-1"}
	refused := func(of string, err error) {
		t.Helper()
		var tooMany *Problem
		require.True(t, errors.As(err, &tooMany), err)
		require.Contains(t, tooMany.Title, of)
		require.NotZero(t, tooMany.RetryAfter)
	}
	var open []*slot
	acquire := func(p *identity.Principal) {
		t.Helper()
		s, err := a.acquireSlot("198.51.100.7", p)
		require.NoError(t, err)
		open = append(open, s)
	}
	acquire(nil)
	acquire(nil)
	_, err := a.acquireSlot("198.51.100.8", nil)
	refused("that have not said who they are", err) // two of twenty slots are for them
	require.NoError(t, open[0].countPrincipal(p))
	acquire(nil)
	refused("of one session or token", open[1].countPrincipal(p))
	acquire(nil)
	other := p
	other.Credential = "t-2"
	refused("of one user", open[2].countPrincipal(other))
	require.Equal(t, 4, a.gate.total)
	for _, s := range open {
		s.release()
	}
	require.Zero(t, a.gate.total)
	require.Empty(t, a.gate.counts)
}

// BenchmarkSlot measures the slot of a connection whose address, credential and user have
// other connections.
func BenchmarkSlot(b *testing.B) {
	a := gateWith(Limits{})
	p := identity.Principal{Grant: access.Grant{User: "7"}, Credential: "t-1"}
	kept, err := a.acquireSlot("198.51.100.7", &p)
	require.NoError(b, err)
	defer kept.release()
	b.ReportAllocs()
	for b.Loop() {
		s, err := a.acquireSlot("198.51.100.7", &p)
		if err != nil {
			b.Fatal(err)
		}
		s.release()
	}
}
