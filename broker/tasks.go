package broker

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/broker/demo"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// logRetry is the pause before the hub runs again after an error of the log.
const logRetry = time.Second

// runHub runs the hub until ctx ends, again after each error of the log.
func (b *Broker) runHub(ctx context.Context) {
	for ctx.Err() == nil {
		if err := b.hub.Run(ctx); err != nil {
			b.c.Logger.Error("the event log failed; trying again", "error", err)
		}
		pause(ctx, logRetry)
	}
}

// purgeEvery is the longest pause between two purges. A purge that the hub puts
// off because of the clock is tried again after it.
const purgeEvery = time.Hour

// purgeOldEvents purges events that are older than Config.Retention, until ctx
// ends. It pauses for purgeEvery, or for the retention if that is shorter, but for
// a second at least.
func (b *Broker) purgeOldEvents(ctx context.Context) {
	select {
	case <-b.hub.Ready(): // The hub now knows which events the stored state contains.
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		if err := b.hub.Purge(ctx, b.c.Retention); err != nil && ctx.Err() == nil {
			b.c.Logger.Error("old events could not be purged", "error", err)
		}
		pause(ctx, max(min(purgeEvery, b.c.Retention), time.Second))
	}
}

// runDemo publishes the events of the demo company until ctx ends, with the rights
// of a service.
func (b *Broker) runDemo(ctx context.Context) {
	grant, err := access.NewGrant("demo", "Demo company", []access.Role{access.Service}, 0)
	if err != nil {
		panic(err) // the arguments are constants
	}
	publish := func(ctx context.Context, e event.Event) error {
		_, err := b.hub.Publish(ctx, grant, e.AppendJSON(nil), hub.PublishOptions{})
		return err
	}
	err = demo.Run(ctx, demo.Config{Publish: publish, Rate: b.c.DemoRate, Currency: b.c.Currency})
	if err != nil && ctx.Err() == nil {
		b.c.Logger.Error("the demo company stopped", "error", err)
	}
}

// pause returns after d, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
