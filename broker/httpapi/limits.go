package httpapi

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/problem"
)

// Limits are what one client may take. The zero value of each is good.
type Limits struct {
	Connections   int     // streams, WebSockets and long polls at once, of all, 10,000
	PerCredential int     // of one session or token, 100
	PerUser       int     // of one user, 200
	PerAddress    int     // from one address, 2,000
	PublishRate   float64 // events a second of one session or token, 500; a user has twice, an address four times as much
	SignIns       int     // tries in a row for one user from one address before they are slowed to one in 5 s, 10; an address has four times, a user ten times as many
}

func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(l.Connections, 10_000)
	l.PerCredential = cmp.Or(l.PerCredential, 100)
	l.PerUser = cmp.Or(l.PerUser, 2*l.PerCredential)
	l.PerAddress = cmp.Or(l.PerAddress, 20*l.PerCredential)
	l.PublishRate = cmp.Or(l.PublishRate, 500)
	l.SignIns = cmp.Or(l.SignIns, 10)
	return l
}

// A gate counts what is open, and refuses more than the limits. What is open
// stays.
type gate struct {
	limits Limits

	mu    sync.Mutex // guards all below
	total int
	of    map[string]int
}

// A ticket is a place behind the gate.
type ticket struct {
	gate *gate
	keys []string
}

// enter takes a place for an address.
func (g *gate) enter(address string) (*ticket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.limits.Connections {
		full := newProblem(problem.Full)
		full.RetryAfter = spread()
		return nil, full
	}
	t := &ticket{gate: g}
	if err := t.countLocked("address "+address, g.limits.PerAddress, "from one address"); err != nil {
		return nil, err
	}
	g.total++
	return t, nil
}

// admit takes a place for somebody at an address; p is nil for who is still to
// say who they are. leave must be called.
func (a *API) admit(address string, p *identity.Principal) (*ticket, error) {
	t, err := a.gate.enter(address)
	if err != nil {
		return nil, err
	}
	if p == nil {
		err = t.nameless(address)
	} else {
		err = t.name(*p)
	}
	if err != nil {
		t.leave()
		return nil, err
	}
	return t, nil
}

// Who has not said yet who they are gets a small part of the places, so that
// strangers cannot keep users out.
const (
	namelessShare      = 10 // one in so many of all places
	namelessPerAddress = 20
)

// nameless counts the place for somebody who is still to say who they are.
func (t *ticket) nameless(address string) error {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	if err := t.countLocked("nameless "+address, namelessPerAddress, "that have not said who they are"); err != nil {
		return err
	}
	return t.countLocked("nameless", max(1, t.gate.limits.Connections/namelessShare), "that have not said who they are")
}

// name counts the place for who holds it.
func (t *ticket) name(p identity.Principal) error {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	t.keys = slices.DeleteFunc(t.keys, func(key string) bool {
		nameless := strings.HasPrefix(key, "nameless")
		if nameless {
			t.gate.dropLocked(key)
		}
		return nameless
	})
	if err := t.countLocked("credential "+p.Credential, t.gate.limits.PerCredential, "of one session or token"); err != nil {
		return err
	}
	return t.countLocked("user "+p.Grant.Actor(), t.gate.limits.PerUser, "of one user")
}

func (t *ticket) countLocked(key string, limit int, of string) error {
	if t.gate.of[key] >= limit {
		tooMany := newProblem(problem.TooManyConnections.FillTitle(of))
		tooMany.RetryAfter = spread()
		return tooMany
	}
	t.gate.of[key]++
	t.keys = append(t.keys, key)
	return nil
}

// leave gives the place back. It is called once.
func (t *ticket) leave() {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	for _, key := range t.keys {
		g.dropLocked(key)
	}
}

func (g *gate) dropLocked(key string) {
	if g.of[key]--; g.of[key] == 0 {
		delete(g.of, key)
	}
}

// spread is a Retry-After in seconds, another for each, so that those who were
// refused together do not come back together.
func spread() int { return 5 + rand.IntN(15) }

// rates are token buckets by key. It is safe for concurrent use.
type rates struct {
	mu sync.Mutex // guards all below
	of map[string]*rate.Limiter
	// sweepAt is how many keys there may be before full buckets, which are as
	// good as none, are dropped.
	sweepAt int
}

// An allowance is what one key may take.
type allowance struct {
	key   string
	every rate.Limit // a second
	burst int
}

// take takes n from every allowance, or nothing and says how long to wait.
func (r *rates) take(now time.Time, n int, all ...allowance) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken []*rate.Reservation
	for _, a := range all {
		reserved := r.limiterLocked(now, a).ReserveN(now, n)
		if !reserved.OK() {
			wait = max(wait, time.Minute) // more than the bucket holds
			continue
		}
		taken = append(taken, reserved)
		wait = max(wait, reserved.DelayFrom(now))
	}
	if wait > 0 {
		for _, reserved := range taken {
			reserved.CancelAt(now)
		}
	}
	return wait
}

func (r *rates) limiterLocked(now time.Time, a allowance) *rate.Limiter {
	l := r.of[a.key]
	if l != nil {
		return l
	}
	if len(r.of) >= max(r.sweepAt, 1024) {
		for key, l := range r.of {
			if l.TokensAt(now) >= float64(l.Burst()) {
				delete(r.of, key)
			}
		}
		r.sweepAt = 2 * len(r.of)
	}
	l = rate.NewLimiter(a.every, a.burst)
	r.of[a.key] = l
	return l
}

// burstSeconds is how many seconds' worth of events may come at once. With
// the least it is still a whole batch.
const burstSeconds = 4

// mayPublish takes n events from what the publisher may send.
func (a *API) mayPublish(p identity.Principal, address string, n int) error {
	share := func(key string, times float64) allowance {
		perSecond := times * a.Limits.PublishRate
		return allowance{"publish " + key, rate.Limit(perSecond), max(maxBatchEvents, int(burstSeconds*perSecond))}
	}
	wait := a.rates.take(time.Now(), n, share("credential "+p.Credential, 1), share("user "+p.Grant.Actor(), 2), share("address "+address, 4))
	return slowedDown(wait, problem.TooManyEvents)
}

// maySignIn takes one try from what a user's name and an address may have, and
// the two together: a stranger must not keep a user out by guessing.
func (a *API) maySignIn(user, address string) error {
	tries, slow := a.Limits.SignIns, rate.Every(5*time.Second)
	user = strings.ToLower(user)
	wait := a.rates.take(time.Now(), 1, allowance{"sign-in " + address + " " + user, slow, tries},
		allowance{"sign-in address " + address, 4 * slow, 4 * tries}, allowance{"sign-in user " + user, 10 * slow, 10 * tries})
	return slowedDown(wait, problem.TooManySignIns)
}

// mayTest takes one push that a person asks for.
func (a *API) mayTest(p identity.Principal) error {
	wait := a.rates.take(time.Now(), 1, allowance{"push test " + p.Grant.Actor(), rate.Every(10 * time.Second), 3})
	return slowedDown(wait, problem.TooManyTests)
}

func slowedDown(wait time.Duration, p problem.Problem) error {
	if wait <= 0 {
		return nil
	}
	p.RetryAfter = int(math.Ceil(wait.Seconds()))
	return newProblem(p)
}

// address is where a request comes from: the last hop that is no proxy of
// ours. Of IPv6 it is the network of 64 bits, which one customer has.
func (a *API) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(forwarded) {
		addr, err := netip.ParseAddr(host)
		ours := func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) }
		next, ok := hopAddress(hop)
		if err != nil || !ok || !slices.ContainsFunc(a.Proxies, ours) {
			break
		}
		host = next.String()
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() && !addr.Is4In6() {
		network, _ := addr.Prefix(64) // 64 bits are within any such address
		return network.String()
	}
	return host
}

// hopAddress reads one hop of X-Forwarded-For: an address as proxies write it,
// bare or in brackets, with or without a port. ok is false for anything else,
// such as unknown.
func hopAddress(hop string) (addr netip.Addr, ok bool) {
	hop = strings.Trim(strings.TrimSpace(hop), `"`)
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	return addr.Unmap().WithZone(""), err == nil
}
