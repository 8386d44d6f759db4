package httpapi

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/problem"
)

// A connectionGate counts the open connections, and refuses new ones beyond the limits.
// It never closes one. It is safe for concurrent use.
type connectionGate struct {
	limits Limits

	mu     sync.Mutex // guards all below
	total  int
	counts map[string]int // open connections by key: an address, a credential, a user
}

// A slot is the place of one open connection. One goroutine uses it.
type slot struct {
	gate *connectionGate
	keys []string // the counts that release decreases
}

// acquireSlot takes a slot for a connection from an address. p is its principal, or nil
// if the client is not authenticated. The error is the *Problem of a limit that is
// reached. Otherwise the caller must release the slot.
func (a *API) acquireSlot(address string, p *identity.Principal) (*slot, error) {
	s, err := a.gate.enter(address)
	if err != nil {
		return nil, err
	}
	if p == nil {
		err = s.countUnauthenticated(address)
	} else {
		err = s.countPrincipal(*p)
	}
	if err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// enter takes a slot for an address.
func (g *connectionGate) enter(address string) (*slot, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.limits.Connections {
		full := newProblem(problem.Full)
		full.RetryAfter = retryAfterJitter()
		return nil, full
	}
	s := &slot{gate: g}
	if err := s.countLocked("address "+address, g.limits.PerAddress, "from one address"); err != nil {
		return nil, err
	}
	g.total++
	return s, nil
}

// Unauthenticated connections may use a small part of all slots, so that strangers
// cannot keep users out.
const (
	unauthenticatedShare      = 10 // they may use one slot of so many
	unauthenticatedPerAddress = 20
)

// unauthenticatedKey begins the keys by which unauthenticated connections are counted.
const unauthenticatedKey = "unauthenticated"

// countUnauthenticated counts the slot for a client that has not authenticated yet.
func (s *slot) countUnauthenticated(address string) error {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	const of = "that have not said who they are"
	if err := s.countLocked(unauthenticatedKey+" "+address, unauthenticatedPerAddress, of); err != nil {
		return err
	}
	return s.countLocked(unauthenticatedKey, max(1, s.gate.limits.Connections/unauthenticatedShare), of)
}

// countPrincipal counts the slot for its credential and its user. A slot that was
// counted as unauthenticated no longer is.
func (s *slot) countPrincipal(p identity.Principal) error {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.keys = slices.DeleteFunc(s.keys, func(key string) bool {
		unauthenticated := strings.HasPrefix(key, unauthenticatedKey)
		if unauthenticated {
			s.gate.dropLocked(key)
		}
		return unauthenticated
	})
	limits := s.gate.limits
	if err := s.countLocked("credential "+p.Credential, limits.PerCredential, "of one session or token"); err != nil {
		return err
	}
	return s.countLocked("user "+p.Grant.Actor(), limits.PerUser, "of one user")
}

// countLocked counts the slot under a key. It refuses when the limit is reached; of
// completes the title of the refusal. The caller must hold gate.mu.
func (s *slot) countLocked(key string, limit int, of string) error {
	if s.gate.counts[key] >= limit {
		tooMany := newProblem(problem.TooManyConnections.FillTitle(of))
		tooMany.RetryAfter = retryAfterJitter()
		return tooMany
	}
	s.gate.counts[key]++
	s.keys = append(s.keys, key)
	return nil
}

// release gives the slot back. It must be called once.
func (s *slot) release() {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	for _, key := range s.keys {
		g.dropLocked(key)
	}
}

// dropLocked decreases the count of a key. The caller must hold g.mu.
func (g *connectionGate) dropLocked(key string) {
	if g.counts[key]--; g.counts[key] == 0 {
		delete(g.counts, key)
	}
}

// retryAfterJitter returns a Retry-After in seconds, from 5 to 19. It is random so that
// clients that were refused together do not reconnect together.
func retryAfterJitter() int { return 5 + rand.IntN(15) }
