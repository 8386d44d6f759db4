package wasmclient_test

import (
	"context"
	"fmt"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// A program follows the log from the oldest event, with one callback for a type of payload. The broker of the
// example is in memory; a real one needs the transport of package native, or of package browser.
func Example() {
	broker := fake.New(manager)
	if err := publishExamples(broker); err != nil {
		fmt.Println(err)
		return
	}
	client := wasmclient.New(wasmclient.Options{Transport: broker, Oldest: true})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	wasmclient.On(client, func(p event.PaymentReceivedData, r store.Received) {
		fmt.Println(r.Subject, "paid", p.Amount)
		cancel()
	})
	client.Run(ctx) // until cancel
	// Output: rental/7 paid 19.90
}

// A program writes an event before it runs the client. The outbox keeps the event, and Run sends it as soon as it can.
func ExampleClient_Publish() {
	broker := fake.New(manager)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var client *wasmclient.Client
	client = wasmclient.New(wasmclient.Options{Transport: broker, Grant: manager, OnChange: func() {
		if v := client.View(); len(v.Outbox) > 0 && v.Unsent() == 0 {
			cancel()
		}
	}})
	e, err := event.RentalStatusUpdated(7, "completed", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	item, err := client.Publish(ctx, e)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(item.State)
	client.Run(ctx) // until cancel
	fmt.Println("stored as", broker.Events()[0].Type)
	// Output:
	// queued
	// stored as rental_status_updated
}

// publishExamples stores two events of a rental.
func publishExamples(b *fake.Broker) error {
	moved, err := event.RentalStatusUpdated(7, "active", "")
	if err != nil {
		return err
	}
	paid, err := event.PaymentReceived(7, "19.90", "cash")
	if err != nil {
		return err
	}
	b.Publish(moved)
	b.Publish(paid)
	return nil
}
