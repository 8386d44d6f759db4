//go:build !js

package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A fetcher keeps the keys of an issuer up to date. It fetches them every
// IssuerConfig.Refresh, sooner after a failure, and at once when Verify meets an
// unknown key.
type fetcher struct {
	issuer *Issuer
	client *http.Client
	// extraFetches limits the fetches because of unknown keys, since anybody can send
	// a token that names one.
	extraFetches *rate.Limiter

	ctx        context.Context // ends when Close is called
	stop       context.CancelFunc
	goroutines sync.WaitGroup // run, and the present fetch

	mu        sync.Mutex    // guards fetchDone
	fetchDone chan struct{} // closed when the present fetch ends; nil while no fetch runs
}

const (
	fetchTimeout   = 10 * time.Second // bounds one fetch
	maxFetchWait   = 3 * time.Second  // how long OpenIssuer or Verify waits for a fetch
	maxKeySetBytes = 1 << 20          // the most bytes of a JWKS
	maxRedirects   = 5

	// At most extraBurst extra fetches start at once, then one every extraInterval.
	extraBurst    = 5
	extraInterval = 5 * time.Second
)

// OpenIssuer returns an Issuer that fetches its keys until Close is called. It
// waits up to maxFetchWait for the first keys. Without them it returns an Issuer
// that has no keys yet and tries again.
func OpenIssuer(c IssuerConfig) *Issuer {
	i := NewIssuer(c)
	ctx, stop := context.WithCancel(context.Background())
	f := &fetcher{
		issuer:       i,
		ctx:          ctx,
		stop:         stop,
		extraFetches: rate.NewLimiter(rate.Every(extraInterval), extraBurst),
		client: &http.Client{
			Transport:     http.DefaultTransport.(*http.Transport).Clone(),
			CheckRedirect: checkRedirect,
		},
	}
	i.fetcher = f
	f.waitFor(f.startFetch())
	f.goroutines.Go(f.run)
	return i
}

// Close ends the fetching of the keys and waits for the goroutines. The caller must
// call it only for an Issuer of OpenIssuer.
func (i *Issuer) Close() {
	f := i.fetcher
	f.mu.Lock()
	f.stop()
	f.mu.Unlock()
	f.goroutines.Wait()
	f.client.CloseIdleConnections()
}

// checkRedirect refuses a redirect to an address without TLS, because an attacker on
// the network could replace the keys there.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("there are too many redirects")
	}
	if !isTrustworthy(r.URL) {
		return fmt.Errorf("it redirects to %s, which is not https", r.URL.Redacted())
	}
	return nil
}

// run fetches the keys until Close is called.
func (f *fetcher) run() {
	for failures := 0; ; {
		failures++
		if f.issuer.KeysError() == nil {
			failures = 0
		}
		timer := time.NewTimer(retryDelay(failures, f.issuer.c.Refresh))
		select {
		case <-timer.C:
		case <-f.ctx.Done():
			timer.Stop()
			return
		}
		select {
		case <-f.startFetch():
		case <-f.ctx.Done():
			return
		}
	}
}

// retryDelay returns the time to wait before the next fetch, after this number of
// failures in a row. It doubles from 1 second up to usual.
func retryDelay(failures int, usual time.Duration) time.Duration {
	if failures == 0 {
		return usual
	}
	return min(usual, time.Second<<min(failures-1, 16))
}

// refetch fetches the keys at once, or waits for the present fetch. It returns
// errTooSoon when extraFetches allows no fetch, and ErrNoKeys when the fetch takes
// longer than maxFetchWait.
func (f *fetcher) refetch() error {
	f.mu.Lock()
	isFetching := f.fetchDone != nil
	f.mu.Unlock()
	if !isFetching && !f.extraFetches.Allow() {
		return errTooSoon
	}
	if !f.waitFor(f.startFetch()) {
		return ErrNoKeys
	}
	return nil
}

var errTooSoon = errors.New("identity: the keys were fetched a moment ago")

// waitFor waits up to maxFetchWait until a fetch has ended. It returns false after a
// longer time, and after Close.
func (f *fetcher) waitFor(done <-chan struct{}) bool {
	timer := time.NewTimer(maxFetchWait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-f.ctx.Done():
	}
	return false
}

// startFetch starts a fetch unless one is under way. It returns a channel that is
// closed when the fetch has ended. After Close it starts no fetch, and may return nil.
func (f *fetcher) startFetch() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fetchDone != nil || f.ctx.Err() != nil {
		return f.fetchDone
	}
	done := make(chan struct{})
	f.fetchDone = done
	f.goroutines.Go(func() {
		defer close(done)
		f.fetch()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.fetchDone = nil
	})
	return done
}

// fetch fetches the keys once, gives the result to the issuer and logs it.
func (f *fetcher) fetch() {
	i, before := f.issuer, f.issuer.KeysError()
	ctx, cancel := context.WithTimeout(f.ctx, fetchTimeout)
	defer cancel()
	raw, err := f.download(ctx)
	if err != nil {
		err = fmt.Errorf("cannot fetch the issuer's keys: %w", err)
		i.RecordFetchError(err)
	} else {
		err = i.SetKeys(raw)
	}
	switch {
	case f.ctx.Err() != nil:
	case err != nil:
		i.c.Logger.Error("the issuer's keys could not be renewed; the old ones stay, if there are any", "error", err)
	case before != nil && !errors.Is(before, ErrNoKeys):
		i.c.Logger.Info("the issuer's keys are renewed again")
	}
}

// download returns the JWKS at IssuerConfig.JWKSURL.
func (f *fetcher) download(ctx context.Context) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.issuer.c.JWKSURL, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", answer.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySetBytes+1))
	if len(raw) > maxKeySetBytes {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxKeySetBytes)
	}
	return raw, err
}
