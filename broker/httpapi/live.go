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
	w.mu.Lock()
	w.open[one] = struct{}{}
	w.mu.Unlock()
	stop = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, one)
	}
	now, err := again()
	if err == nil && now.Grant.ID() != p.Grant.ID() {
		err = regranted
	}
	if err != nil {
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

// expire ends what is open by a credential that has expired, and returns when
// the next one does, zero where nothing is open.
func (w *watch) expire(now time.Time) (next time.Time) {
	for _, one := range w.all() {
		if !now.Before(one.Expires) {
			one.end(wire.ByeExpired)
		} else if next.IsZero() || one.Expires.Before(next) {
			next = one.Expires
		}
	}
	return next
}

// CloseExpired is called by who does not call Run: it ends what is open by
// credentials that have expired, and says when the next one does.
func (a *API) CloseExpired(now time.Time) (next time.Time) { return a.open.expire(now) }

// recheck takes every grant afresh. It is false where the store did not say
// what became of one: look again.
func (w *watch) recheck() (decided bool) {
	for _, one := range w.all() {
		p, err := one.again()
		switch {
		case errors.Is(err, identity.ErrNotSignedIn) && time.Until(one.Expires) < refreshEvery:
			one.end(wire.ByeExpired) // The store drops a session when it expires, so this is no sign-out.
		case errors.Is(err, identity.ErrNotSignedIn):
			one.end(wire.ByeSignedOut)
		case errors.Is(err, identity.ErrExpired):
			one.end(wire.ByeExpired)
		case errors.Is(err, identity.ErrInvalid), err == nil && p.Grant.ID() != one.Grant.ID():
			one.end(wire.ByeRegrant)
		case err != nil:
			return false // the store fails: each of the others would wait for it too
		}
	}
	return true
}

// refreshEvery bounds how long a change of users, roles or keys takes to reach
// what is open, with the time that it takes to look at all of it.
const refreshEvery = time.Second

// Run takes in changes of users, roles, keys and the broker's own state until
// ctx ends.
func (a *API) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { a.watchStatus(ctx) })
	defer watching.Wait()
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	said, due := "", false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		a.open.expire(time.Now())
		changed, err := a.Authority.Refresh()
		if err != nil && err.Error() != said {
			a.Logger.Error("users or keys could not be read again; the old ones stay", "error", err)
		}
		if said = ""; err != nil {
			said = err.Error()
		}
		if changed {
			a.Logger.Info("users, sessions or keys have changed; grants are taken afresh")
		}
		if due = due || changed; due {
			due = !a.open.recheck()
		}
	}
}
