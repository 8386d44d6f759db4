package httpapi

import (
	"math/rand/v2"
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
	counts map[countKey]*connectionCount // the counts that are not 0
}

// A countKey identifies a count of connections. The text is an address, the name of a
// credential or an actor, and "" for the count of all unauthenticated connections.
type countKey struct {
	kind countKind
	text string
}

// A countKind is a reason to count connections together.
type countKind uint8

const (
	sameAddress countKind = iota
	unauthenticated
	unauthenticatedSameAddress
	sameCredential
	sameUser
)

// A connectionCount is the number of open connections of one key. The gate's mu guards n.
type connectionCount struct {
	key countKey
	n   int
}

// A slot is the place of one open connection. One goroutine uses it.
type slot struct {
	gate   *connectionGate
	counts [3]*connectionCount // those that release decreases: first that of the address; the others may be nil
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
	if err := s.countLocked(0, countKey{sameAddress, address}, g.limits.PerAddress, "from one address"); err != nil {
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

// countUnauthenticated counts the slot for a client that has not authenticated yet.
func (s *slot) countUnauthenticated(address string) error {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	const of = "that have not said who they are"
	key := countKey{unauthenticatedSameAddress, address}
	if err := s.countLocked(1, key, unauthenticatedPerAddress, of); err != nil {
		return err
	}
	limit := max(1, s.gate.limits.Connections/unauthenticatedShare)
	return s.countLocked(2, countKey{kind: unauthenticated}, limit, of)
}

// countPrincipal counts the slot for its credential and its user. A slot that was
// counted as unauthenticated no longer is.
func (s *slot) countPrincipal(p identity.Principal) error {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.dropLocked(1)
	s.dropLocked(2)
	limits := s.gate.limits
	key := countKey{sameCredential, p.Credential}
	if err := s.countLocked(1, key, limits.PerCredential, "of one session or token"); err != nil {
		return err
	}
	return s.countLocked(2, countKey{sameUser, p.Grant.Actor()}, limits.PerUser, "of one user")
}

// countLocked counts the slot under a key, as s.counts[place]. It refuses when the limit
// is reached; of completes the title of the refusal. The caller must hold gate.mu.
func (s *slot) countLocked(place int, key countKey, limit int, of string) error {
	count := s.gate.counts[key]
	if count == nil {
		count = &connectionCount{key: key}
	}
	if count.n >= limit {
		tooMany := newProblem(problem.TooManyConnections.FillTitle(of))
		tooMany.RetryAfter = retryAfterJitter()
		return tooMany
	}
	count.n++
	s.gate.counts[key] = count
	s.counts[place] = count
	return nil
}

// release gives the slot back. It must be called once.
func (s *slot) release() {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.gate.total--
	for place := range s.counts {
		s.dropLocked(place)
	}
}

// dropLocked decreases s.counts[place], if it is not nil. The caller must hold gate.mu.
func (s *slot) dropLocked(place int) {
	count := s.counts[place]
	s.counts[place] = nil
	if count == nil {
		return
	}
	if count.n--; count.n == 0 {
		delete(s.gate.counts, count.key)
	}
}

// retryAfterJitter returns a Retry-After in seconds, from 5 to 19. It is random so that
// clients that were refused together do not reconnect together.
func retryAfterJitter() int { return 5 + rand.IntN(15) }
