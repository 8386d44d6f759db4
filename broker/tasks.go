package broker

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/broker/demo"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// logRetry is how long the hub waits when the log fails.
const logRetry = time.Second

// runHub keeps the hub on the log.
func (b *Broker) runHub(ctx context.Context) {
	for ctx.Err() == nil {
		if err := b.hub.Run(ctx); err != nil {
			b.c.Logger.Error("the event log failed; trying again", "error", err)
		}
		wait(ctx, logRetry)
	}
}

// purgeEvery is how often old events are looked for. A purge that waits for the
// clock is tried again then.
const purgeEvery = time.Hour

// forget purges events that are older than the retention.
func (b *Broker) forget(ctx context.Context) {
	select {
	case <-b.hub.Ready(): // From then on the hub knows the place of the stored state.
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		if err := b.hub.Purge(ctx, b.c.Retention); err != nil && ctx.Err() == nil {
			b.c.Logger.Error("old events could not be purged", "error", err)
		}
		wait(ctx, max(min(purgeEvery, b.c.Retention), time.Second))
	}
}

// runDemo publishes a company at work, as a back end with a service's rights.
func (b *Broker) runDemo(ctx context.Context) {
	grant, err := access.NewGrant("demo", "Demo company", []access.Role{access.Service}, 0)
	if err != nil {
		panic(err) // constant arguments
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

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
