package httpapi

import (
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/problem"
)

// rateLimiters has a token bucket for each key. It is safe for concurrent use.
type rateLimiters struct {
	mu    sync.Mutex // guards all below
	byKey map[string]*rate.Limiter
	// sweepAt is the number of keys at which limiterLocked drops the full buckets. A full
	// bucket allows as much as a new one.
	sweepAt int
}

// minSweep is the number of buckets below which none is dropped.
const minSweep = 1024

// A bucket describes the token bucket of one key.
type bucket struct {
	key       string
	perSecond rate.Limit // how fast it fills
	burst     int        // how many tokens it holds
}

// reserve takes n tokens from every bucket and returns 0. If a bucket has too few, it
// takes none from any, and returns how long the caller must wait.
func (r *rateLimiters) reserve(now time.Time, n int, buckets ...bucket) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var reservations []*rate.Reservation
	for _, b := range buckets {
		reservation := r.limiterLocked(now, b).ReserveN(now, n)
		if !reservation.OK() {
			wait = max(wait, time.Minute) // n is more than the bucket holds
			continue
		}
		reservations = append(reservations, reservation)
		wait = max(wait, reservation.DelayFrom(now))
	}
	if wait > 0 {
		for _, reservation := range reservations {
			reservation.CancelAt(now)
		}
	}
	return wait
}

// limiterLocked returns the limiter of a bucket. A bucket is full at its first use. The
// caller must hold r.mu.
func (r *rateLimiters) limiterLocked(now time.Time, b bucket) *rate.Limiter {
	l := r.byKey[b.key]
	if l != nil {
		return l
	}
	if len(r.byKey) >= max(r.sweepAt, minSweep) {
		for key, l := range r.byKey {
			if l.TokensAt(now) >= float64(l.Burst()) {
				delete(r.byKey, key)
			}
		}
		r.sweepAt = 2 * len(r.byKey)
	}
	l = rate.NewLimiter(b.perSecond, b.burst)
	r.byKey[b.key] = l
	return l
}

// burstSeconds is the number of seconds of the publish rate whose events a publisher may
// send at once. It may always send a whole batch at once.
const burstSeconds = 4

// checkPublishRate counts n events against the publish rates of the credential, its user
// and its address, or refuses them.
func (a *API) checkPublishRate(p identity.Principal, address string, n int) error {
	publishBucket := func(key string, factor float64) bucket {
		perSecond := factor * a.Limits.PublishRate
		return bucket{"publish " + key, rate.Limit(perSecond), max(maxBatchEvents, int(burstSeconds*perSecond))}
	}
	wait := a.rates.reserve(time.Now(), n,
		publishBucket("credential "+p.Credential, 1),
		publishBucket("user "+p.Grant.Actor(), 2),
		publishBucket("address "+address, 4))
	return rateLimitProblem(wait, problem.TooManyEvents)
}

// checkSignInRate counts one try to sign in, or refuses it. The user's name, the address
// and both together have a bucket each. The one of both together is the smallest, so that
// a stranger's guesses slow down the stranger's address, and not the user elsewhere.
func (a *API) checkSignInRate(user, address string) error {
	tries, slow := a.Limits.SignIns, rate.Every(5*time.Second)
	user = strings.ToLower(user)
	wait := a.rates.reserve(time.Now(), 1,
		bucket{"sign-in " + address + " " + user, slow, tries},
		bucket{"sign-in address " + address, 4 * slow, 4 * tries},
		bucket{"sign-in user " + user, 10 * slow, 10 * tries})
	return rateLimitProblem(wait, problem.TooManySignIns)
}

// checkTestRate counts one test of a device against the rate of its user, or refuses it.
func (a *API) checkTestRate(p identity.Principal) error {
	wait := a.rates.reserve(time.Now(), 1,
		bucket{"push test " + p.Grant.Actor(), rate.Every(10 * time.Second), 3})
	return rateLimitProblem(wait, problem.TooManyTests)
}

// rateLimitProblem returns the document of p with the time to wait, or nil if wait is 0.
func rateLimitProblem(wait time.Duration, p problem.Problem) error {
	if wait <= 0 {
		return nil
	}
	p.RetryAfter = int(math.Ceil(wait.Seconds()))
	return newProblem(p)
}
