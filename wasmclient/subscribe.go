package wasmclient

import (
	"fmt"
	"slices"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Subscribe calls handle for every event of the given types, or of all types if none is given, until cancel is called.
// Run's goroutine calls handle, which must not block. After cancel handle is not called again, even if cancel is called
// within a callback while an event is being delivered. A second cancel does nothing.
func (c *Client) Subscribe(handle func(store.Received), types ...event.Type) (cancel func()) {
	return c.loop.Subscribe(handle, func(e event.Event) bool {
		return len(types) == 0 || slices.Contains(types, e.Type)
	})
}

// On calls handle for every event whose payload is a T, such as event.PaymentReceivedData, until cancel is called.
// Fields that the user may not see are zero. On panics if T is not the payload of an event. It is otherwise like
// [Client.Subscribe].
func On[T any](c *Client, handle func(data T, r store.Received)) (cancel func()) {
	t, ok := event.TypeOf[T]()
	if !ok {
		panic(fmt.Sprintf("wasmclient: %T is no payload of an event", *new(T)))
	}
	return c.Subscribe(func(r store.Received) {
		if data, err := event.Decode[T](r.Event); err == nil {
			handle(data, r)
		}
	}, t)
}

// UseRentalEvents calls handle for every event of the rental module, until cancel is called. It is otherwise like
// [Client.Subscribe].
func UseRentalEvents(c *Client, handle func(store.Received)) (cancel func()) {
	return c.useModule(event.ModuleRental, handle)
}

// UseEquipmentEvents is [UseRentalEvents] for the equipment module.
func UseEquipmentEvents(c *Client, handle func(store.Received)) (cancel func()) {
	return c.useModule(event.ModuleEquipment, handle)
}

// UseEmployeeEvents is [UseRentalEvents] for the employee module.
func UseEmployeeEvents(c *Client, handle func(store.Received)) (cancel func()) {
	return c.useModule(event.ModuleEmployee, handle)
}

// UseCustomerEvents is [UseRentalEvents] for the customer module.
func UseCustomerEvents(c *Client, handle func(store.Received)) (cancel func()) {
	return c.useModule(event.ModuleCustomer, handle)
}

// UseSystemEvents is [UseRentalEvents] for the system module.
func UseSystemEvents(c *Client, handle func(store.Received)) (cancel func()) {
	return c.useModule(event.ModuleSystem, handle)
}

func (c *Client) useModule(m event.Module, handle func(store.Received)) (cancel func()) {
	return c.loop.Subscribe(handle, func(e event.Event) bool { return e.Module() == m })
}
