package httpapi

import (
	"context"
	"sync"
	"time"
)

// refreshInterval is the interval at which Run checks for changes. A change of users,
// roles or keys reaches the open connections after at most this time, plus the time that
// Run needs to authenticate all of them again.
const refreshInterval = time.Second

// Run follows changes of users, roles and keys and the state of the broker until ctx
// ends. It ends the streams, WebSockets and long polls whose grants have ended, and
// keeps the public status. A caller that cannot run a goroutine of its own calls
// [API.CloseExpired] and [API.RefreshStatus] instead.
func (a *API) Run(ctx context.Context) {
	var statusWatcher sync.WaitGroup
	statusWatcher.Go(func() { a.watchStatus(ctx) })
	defer statusWatcher.Wait()
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	lastError, recheckDue := "", false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		a.grants.closeExpired(time.Now())
		changed, err := a.Authority.Refresh()
		if err != nil && err.Error() != lastError {
			a.Logger.Error("users or keys could not be read again; the old ones stay", "error", err)
		}
		if lastError = ""; err != nil {
			lastError = err.Error()
		}
		if changed {
			a.Logger.Info("users, sessions or keys have changed; grants are taken afresh")
		}
		if recheckDue = recheckDue || changed; recheckDue {
			recheckDue = !a.grants.recheck(ctx)
		}
	}
}

// CloseExpired ends the streams, WebSockets and long polls whose credentials have
// expired at now. It returns when the next credential expires, or the zero time if
// nothing is open. Only a caller that does not call [API.Run] needs it.
func (a *API) CloseExpired(now time.Time) (next time.Time) { return a.grants.closeExpired(now) }

// RefreshStatus sets the public status to the present state of the broker. Run does so
// once a second. Only a caller that does not call [API.Run] needs it.
func (a *API) RefreshStatus(ctx context.Context) { a.status.set(publicState(a.ready(ctx))) }
