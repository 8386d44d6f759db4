package wasmclient

import (
	"fmt"
	"slices"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Subscribe calls take for every event of the types, all where none is
// named, until the returned function is called: within a callback too, it is the
// end of that subscription.
func (c *Client) Subscribe(take func(store.Received), types ...event.Type) (leave func()) {
	return c.loop.Subscribe(take, func(e event.Event) bool { return len(types) == 0 || slices.Contains(types, e.Type) })
}

// On calls take for every event whose payload is a T, such as
// event.PaymentReceivedData, until the returned function is called. Fields that
// the reader may not see are zero. It panics where T is no payload.
func On[T any](c *Client, take func(data T, r store.Received)) (leave func()) {
	t, ok := event.TypeOf[T]()
	if !ok {
		panic(fmt.Sprintf("wasmclient: %T is no payload of an event", *new(T)))
	}
	return c.Subscribe(func(r store.Received) {
		if data, err := event.Decode[T](r.Event); err == nil {
			take(data, r)
		}
	}, t)
}

// UseRentalEvents calls take for every event of the rental module, until the
// returned function is called.
func UseRentalEvents(c *Client, take func(store.Received)) (leave func()) {
	return c.useModule(event.ModuleRental, take)
}

// UseEquipmentEvents is UseRentalEvents for the equipment module.
func UseEquipmentEvents(c *Client, take func(store.Received)) (leave func()) {
	return c.useModule(event.ModuleEquipment, take)
}

// UseEmployeeEvents is UseRentalEvents for the employee module.
func UseEmployeeEvents(c *Client, take func(store.Received)) (leave func()) {
	return c.useModule(event.ModuleEmployee, take)
}

// UseCustomerEvents is UseRentalEvents for the customer module.
func UseCustomerEvents(c *Client, take func(store.Received)) (leave func()) {
	return c.useModule(event.ModuleCustomer, take)
}

// UseSystemEvents is UseRentalEvents for the system module.
func UseSystemEvents(c *Client, take func(store.Received)) (leave func()) {
	return c.useModule(event.ModuleSystem, take)
}

func (c *Client) useModule(m event.Module, take func(store.Received)) (leave func()) {
	return c.loop.Subscribe(take, func(e event.Event) bool { return e.Module() == m })
}
