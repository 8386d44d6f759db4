package identity

import (
	"crypto/sha256"
	"sync"
	"time"
)

// A tokenCache keeps the principals of tokens that were verified, so that a token that
// comes again needs no check of its signature. It holds only the SHA-256 of each token.
// It holds no refusals: strangers cannot fill it. It is safe for concurrent use. The zero
// value is an empty cache.
//
// An entry answers for a token only while the keys are those that verified it, and while
// its claims allow it at the present time. Otherwise the token must be verified again.
//
// The entries are in two generations. A new entry, and one that is used, is in the recent
// generation. When that is full or old, it becomes the earlier one, and the entries of
// the earlier one are forgotten. So the cache has at most 2 * maxCachedTokens entries.
// While the cache is in use, it forgets each token that nobody has used for 2 * cacheTurn.
type tokenCache struct {
	mu              sync.Mutex // guards all below
	recent, earlier map[tokenHash]*cachedToken
	since           time.Time // when recent was empty
}

const (
	// maxCachedTokens is the most entries of one generation. An entry takes about 350
	// bytes of memory.
	maxCachedTokens = 10_000
	// cacheTurn is the longest time in which one generation is the recent one.
	cacheTurn = 10 * time.Minute
)

// A tokenHash is the SHA-256 of a token.
type tokenHash [sha256.Size]byte

func hashToken(token string) tokenHash { return sha256.Sum256([]byte(token)) }

// A verifiedToken is what follows from the claims of a token.
type verifiedToken struct {
	Principal           // valid until Expires
	notBefore time.Time // the token is valid from this time on; zero means at any time before Expires
}

// A cachedToken is an entry of a tokenCache. It does not change.
type cachedToken struct {
	verifiedToken
	keys keyVersions // those that verified the token
}

// keyVersions tells apart the keys that an Authority has had. Each change of a key makes
// another one.
type keyVersions struct{ tokens, issuer uint64 }

// find returns the principal of a token. found is false when the token must be verified.
func (c *tokenCache) find(hash tokenHash, keys keyVersions, now time.Time) (p Principal, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turnLocked(now)
	entry, isRecent := c.recent[hash]
	if !isRecent {
		if entry = c.earlier[hash]; entry == nil {
			return p, false
		}
		delete(c.earlier, hash)
		c.recent[hash] = entry
	}
	if entry.keys != keys || now.Before(entry.notBefore) || !now.Before(entry.Expires) {
		delete(c.recent, hash)
		return p, false
	}
	return entry.Principal, true
}

// add keeps a token that was verified by these keys.
func (c *tokenCache) add(hash tokenHash, keys keyVersions, v verifiedToken, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turnLocked(now)
	c.recent[hash] = &cachedToken{v, keys}
}

// turnLocked starts another generation if the recent one is full or old. The caller must
// hold c.mu.
func (c *tokenCache) turnLocked(now time.Time) {
	if len(c.recent) >= maxCachedTokens || now.Sub(c.since) >= cacheTurn {
		c.earlier, c.recent, c.since = c.recent, map[tokenHash]*cachedToken{}, now
	}
}
