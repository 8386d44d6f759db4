// Package demo is an equipment-rental company at work: rentals that move
// through their states, some of them going overdue, payments for them, machines
// that drive, break down and are mended, time sheets, leave, payroll and
// syncs. Events are correlated: a payment belongs to a rental that is out, a
// machine moves to the site of the rental that it is on.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// Config is how the company works.
type Config struct {
	Publish func(context.Context, event.Event) error // required
	Rate    float64                                  // events a second, 1
	Seed    uint64                                   // 0 draws one
	// Currency is that of the company's amounts. "" names none, so that they are
	// in the installation's.
	Currency string
}

// Run lets the company work until ctx ends. It starts with a busy day: some
// rentals are out already. An event that cannot be published is tried again.
func Run(ctx context.Context, c Config) error {
	c.Rate = cmp.Or(c.Rate, 1)
	if c.Rate < 0 {
		return fmt.Errorf("demo: a rate of %v events a second", c.Rate)
	}
	company := NewCompany(cmp.Or(c.Seed, rand.Uint64()), time.Now(), c.Currency)
	for _, e := range company.OpeningDay() {
		publish(ctx, c, e)
	}
	for {
		// Events come in a Poisson process, as in life.
		pause := time.Duration(rand.ExpFloat64() / c.Rate * float64(time.Second))
		if !wait(ctx, min(pause, 10*time.Second)) {
			return nil
		}
		for _, e := range company.Step(time.Now()) {
			publish(ctx, c, e)
		}
	}
}

// publish tries for a while, then lets the event go: a company does not stop
// because the broker does.
func publish(ctx context.Context, c Config, e event.Event) {
	for attempt := range 10 {
		if c.Publish(ctx, e) == nil || ctx.Err() != nil {
			return
		}
		if !wait(ctx, time.Duration(1+attempt)*500*time.Millisecond) {
			return
		}
	}
}

// wait is false where ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
