package httpapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/wire"
)

// watch holds what is open by a grant: streams, WebSockets and long polls that
// wait. They end when the grant does.
type watch struct {
	mu   sync.Mutex // guards open
	open map[*watched]struct{}
}

type watched struct {
	identity.Principal
	again func() (identity.Principal, error) // authenticates afresh
	end   func(wire.Reason)
}

// over watches over the credentials of something that is open until stop is
// called. They may have ended between the first look at them and now: then it
// is an error, as authentication has it.
func (w *watch) over(p identity.Principal, again func() (identity.Principal, error), end func(wire.Reason)) (stop func(), err error) {
	one := &watched{p, again, end}
	expiry := time.AfterFunc(time.Until(p.Expires), func() { end(wire.ByeExpired) })
	w.mu.Lock()
	w.open[one] = struct{}{}
	w.mu.Unlock()
	stop = func() {
		expiry.Stop()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, one)
	}
	if _, err := again(); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// signedOut ends what is open by a credential.
func (w *watch) signedOut(credential string) {
	for _, one := range w.all() {
		if one.Credential == credential {
			one.end(wire.ByeSignedOut)
		}
	}
}

func (w *watch) all() (all []*watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.open {
		all = append(all, one)
	}
	return all
}

// recheck takes every grant afresh.
func (w *watch) recheck() {
	for _, one := range w.all() {
		p, err := one.again()
		switch {
		case errors.Is(err, identity.ErrNone):
			one.end(wire.ByeSignedOut)
		case errors.Is(err, identity.ErrExpired):
			one.end(wire.ByeExpired)
		case errors.Is(err, identity.ErrInvalid), err == nil && p.Grant.ID() != one.Grant.ID():
			one.end(wire.ByeRegrant)
		}
		// Any other error is of the store: nothing is known to have changed.
	}
}

// refreshEvery bounds how long a change of users, roles or keys takes to reach
// what is open, with the time that it takes to look at all of it.
const refreshEvery = time.Second

// Run takes in changes of users, roles and keys until ctx ends.
func (a *API) Run(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		changed, err := a.Authority.Refresh()
		if err != nil && err.Error() != said {
			a.Logger.Error("users or keys could not be read again; the old ones stay", "error", err)
		}
		if said = ""; err != nil {
			said = err.Error()
		}
		if changed {
			a.Logger.Info("users or keys have changed; grants are taken afresh")
			a.open.recheck()
		}
	}
}
