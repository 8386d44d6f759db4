// Package demo publishes the events of a made-up equipment-rental company: rentals that go
// through their states, some of them overdue, payments, machines that move, break down and
// are repaired, time sheets, leave, payroll and syncs.
//
// The events fit together. A payment belongs to a rental of the company, and a machine moves
// to the site of its rental.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// Config configures [Run].
type Config struct {
	// Publish publishes an event. Run calls it from one goroutine. It is required.
	Publish func(context.Context, event.Event) error
	// Rate is the mean number of steps of the company a second; most steps are one event.
	// Defaults to 1.
	Rate float64
	// Seed makes the events repeatable, but not the pauses between them. 0 draws a seed.
	Seed uint64
	// Currency is the currency of the company's amounts. "" names none, so that the amounts
	// are in the currency of the installation.
	Currency string
}

// Run publishes the events of a company until ctx ends, and returns nil then. It begins
// with those of [Company.OpeningDay]. It publishes an event again when Publish returns an
// error, up to ten times in all.
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
		// Steps come in a Poisson process.
		interval := time.Duration(rand.ExpFloat64() / c.Rate * float64(time.Second))
		if !pause(ctx, min(interval, 10*time.Second)) {
			return nil
		}
		for _, e := range company.Step(time.Now()) {
			publish(ctx, c, e)
		}
	}
}

// publish publishes an event in up to ten attempts, with longer pauses each time. It then
// gives the event up, because a real company does not stop when the broker does.
func publish(ctx context.Context, c Config, e event.Event) {
	for attempt := range 10 {
		if c.Publish(ctx, e) == nil || ctx.Err() != nil {
			return
		}
		if !pause(ctx, time.Duration(1+attempt)*500*time.Millisecond) {
			return
		}
	}
}

// pause waits for d. It returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
