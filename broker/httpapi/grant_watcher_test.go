package httpapi

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// A grantRecorder records the reasons for which its connection was ended.
type grantRecorder []wire.Reason

func (r *grantRecorder) endGrant(reason wire.Reason) { *r = append(*r, reason) }

// A fakeAuthority authenticates credentials, and counts how often.
type fakeAuthority struct {
	principals map[identity.Credential]identity.Principal // others are invalid
	checks     int
	err        error // of every check, unless it is nil
}

func (a *fakeAuthority) authenticate(_ context.Context, c identity.Credential) (identity.Principal, error) {
	a.checks++
	if a.err != nil {
		return identity.Principal{}, a.err
	}
	p, known := a.principals[c]
	if !known {
		return identity.Principal{}, identity.ErrInvalid
	}
	return p, nil
}

// principalOf returns a principal whose credential has a name, for an hour.
func principalOf(user, name string) identity.Principal {
	return identity.Principal{
		Grant:      access.Grant{User: user, Roles: []access.Role{access.Yard}},
		Credential: name,
		Expires:    time.Now().Add(time.Hour),
	}
}

// watchConnections adds n connections of a client, and returns them and what ended them.
func watchConnections(
	t *testing.T, w *grantWatcher, p identity.Principal, c identity.Credential, n int,
) (connections []*watchedConnection, ended []*grantRecorder) {
	t.Helper()
	for range n {
		got := new(grantRecorder)
		watched := &watchedConnection{holder: got}
		require.NoError(t, w.add(t.Context(), watched, p, c))
		connections, ended = append(connections, watched), append(ended, got)
	}
	return connections, ended
}

// A recheck verifies the token of many connections once, and ends all of them.
func TestRecheckAuthenticatesEachCredentialOnce(t *testing.T) {
	one, two := identity.TokenCredential("one"), identity.TokenCredential("two")
	p, q := principalOf("1", "t-1"), principalOf("2", "t-2")
	authority := &fakeAuthority{principals: map[identity.Credential]identity.Principal{one: p, two: q}}
	w := newGrantWatcher(authority.authenticate)
	all, ended := watchConnections(t, w, p, one, 50)
	others, kept := watchConnections(t, w, q, two, 50)
	for _, c := range []int{0, 49, 20} { // the first, the last and one between
		w.remove(all[c])
	}
	delete(authority.principals, one)
	authority.checks = 0
	require.True(t, w.recheck(t.Context()))
	require.Equal(t, 2, authority.checks)
	for i, got := range ended {
		if i == 0 || i == 49 || i == 20 {
			require.Empty(t, *got, "connection %d has left", i)
			continue
		}
		require.Equal(t, grantRecorder{wire.ByeRegrant}, *got, "connection %d", i)
	}
	for _, got := range kept {
		require.Empty(t, *got)
	}

	w.closeSignedOut("t-2")
	for _, got := range kept {
		require.Equal(t, grantRecorder{wire.ByeSignedOut}, *got)
	}
	for i, c := range append(all, others...) {
		if i != 0 && i != 49 && i != 20 {
			w.remove(c)
		}
	}
	require.Empty(t, w.clients, "nothing stays of connections that have left")
}

// Connections of one credential that were opened by different grants end separately.
func TestRecheckEndsOnlyConnectionsOfAnEarlierGrant(t *testing.T) {
	session := identity.TokenCredential("session")
	before, now := principalOf("1", "s-1"), principalOf("1", "s-1")
	now.Grant.Roles = []access.Role{access.HR}
	authority := &fakeAuthority{principals: map[identity.Credential]identity.Principal{session: before}}
	w := newGrantWatcher(authority.authenticate)
	_, old := watchConnections(t, w, before, session, 2)
	authority.principals[session] = now
	require.Equal(t, regranted, w.add(t.Context(), &watchedConnection{holder: new(grantRecorder)}, before, session),
		"the grant changed while the connection was opened")
	_, current := watchConnections(t, w, now, session, 1)
	require.True(t, w.recheck(t.Context()))
	require.Equal(t, grantRecorder{wire.ByeRegrant}, *old[0])
	require.Equal(t, grantRecorder{wire.ByeRegrant}, *old[1])
	require.Empty(t, *current[0])
}

// A store that fails ends no connection. The broker checks again.
func TestRecheckIsIncompleteWhileTheStoreFails(t *testing.T) {
	credential, p := identity.TokenCredential("one"), principalOf("1", "t-1")
	authority := &fakeAuthority{principals: map[identity.Credential]identity.Principal{credential: p}}
	w := newGrantWatcher(authority.authenticate)
	_, ended := watchConnections(t, w, p, credential, 3)
	authority.err = errors.New("the store fails")
	require.False(t, w.recheck(t.Context()))
	authority.err = nil
	require.True(t, w.recheck(t.Context()))
	for _, got := range ended {
		require.Empty(t, *got)
	}
}

// closeExpired ends what has expired, and returns when the next credential expires.
func TestCloseExpiredReturnsTheNextExpiry(t *testing.T) {
	one, two := identity.TokenCredential("one"), identity.TokenCredential("two")
	p, q := principalOf("1", "t-1"), principalOf("2", "t-2")
	q.Expires = p.Expires.Add(time.Hour)
	authority := &fakeAuthority{principals: map[identity.Credential]identity.Principal{one: p, two: q}}
	w := newGrantWatcher(authority.authenticate)
	_, first := watchConnections(t, w, p, one, 2)
	_, second := watchConnections(t, w, q, two, 2)
	require.Equal(t, p.Expires, w.closeExpired(time.Now()))
	require.Empty(t, *first[0])
	require.Equal(t, q.Expires, w.closeExpired(p.Expires))
	require.Equal(t, grantRecorder{wire.ByeExpired}, *first[0])
	require.Equal(t, grantRecorder{wire.ByeExpired}, *first[1])
	require.Empty(t, *second[0])
	require.Zero(t, w.closeExpired(q.Expires))
	require.Equal(t, grantRecorder{wire.ByeExpired}, *second[1])
}

// BenchmarkWatch measures the start and the end of a watch, for a token that is in the
// cache and has other connections.
func BenchmarkWatch(b *testing.B) {
	tokens, err := identity.OpenTokens(b.TempDir())
	require.NoError(b, err)
	authority := &identity.Authority{Tokens: tokens}
	token, err := tokens.Create(access.Grant{User: "7", Roles: []access.Role{access.Yard}}, time.Hour)
	require.NoError(b, err)
	credential := identity.TokenCredential(token)
	p, err := authority.Verify(token)
	require.NoError(b, err)
	w := newGrantWatcher(authority.AuthenticateCredential)
	for range 100 {
		require.NoError(b, w.add(b.Context(), &watchedConnection{holder: new(grantRecorder)}, p, credential))
	}
	c := &watchedConnection{holder: new(grantRecorder)}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.add(b.Context(), c, p, credential); err != nil {
			b.Fatal(err)
		}
		w.remove(c)
	}
}
