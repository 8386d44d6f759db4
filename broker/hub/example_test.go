package hub_test

import (
	"context"
	"fmt"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// A service publishes an event, and a manager reads it from a stream and from a
// snapshot.
func Example() {
	h := hub.New(hub.Config{Log: memlog.New("abcdefgh", time.Hour)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()

	service, err := access.NewGrant("erp", "ERP", []access.Role{access.Service}, 0)
	if err != nil {
		panic(err)
	}
	event := `{"id":"e1","type":"rental_status_updated","data":{"rental_id":123,"status":"active"}}`
	receipt, err := h.Publish(ctx, service, []byte(event), hub.PublishOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println("stored at", receipt.Cursor)

	manager, err := access.NewGrant("7", "Ann", []access.Role{access.Manager}, 0)
	if err != nil {
		panic(err)
	}
	oldest := wire.Cursor{} // reads all kept events first
	subscriber, err := h.Subscribe(ctx, hub.Request{Grant: manager, After: &oldest, Format: wire.JSON})
	if err != nil {
		panic(err)
	}
	defer subscriber.Leave()
	for range 2 { // a hello and an event
		line, err := subscriber.Next(ctx)
		if err != nil {
			panic(err)
		}
		frame, err := wire.ParseJSON(line)
		switch frame := frame.(type) {
		case *wire.Hello:
			fmt.Println("the stream continues", frame.Start, "and the log ends at", frame.Head)
		case *wire.Event:
			fmt.Println("event", frame.Event.ID, "about", frame.Event.Subject)
		default:
			panic(err)
		}
	}

	snapshot, err := h.Snapshot(ctx, manager)
	if err != nil {
		panic(err)
	}
	fmt.Println("active rentals:", snapshot.Figures["active_rentals"])

	// Output:
	// stored at abcdefgh-1
	// the stream continues abcdefgh-0 and the log ends at abcdefgh-1
	// event e1 about rental/123
	// active rentals: 1
}

// A publisher that has not seen the newest state of an entity gets a MovedError.
func ExampleMovedError() {
	h := hub.New(hub.Config{Log: memlog.New("abcdefgh", time.Hour)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	service, err := access.NewGrant("erp", "ERP", []access.Role{access.Service}, 0)
	if err != nil {
		panic(err)
	}
	setStatus := func(status string, seen *wire.Cursor) (hub.Receipt, error) {
		event := fmt.Appendf(nil, `{"type":"rental_status_updated","data":{"rental_id":123,"status":%q}}`, status)
		return h.Publish(ctx, service, event, hub.PublishOptions{EntityAt: seen})
	}
	first, err := setStatus("active", nil)
	if err != nil {
		panic(err)
	}
	if _, err := setStatus("off_rent", &first.Cursor); err != nil {
		panic(err)
	}
	_, err = setStatus("completed", &first.Cursor)
	fmt.Println(err)

	// Output:
	// hub: the entity has moved to abcdefgh-2
}
