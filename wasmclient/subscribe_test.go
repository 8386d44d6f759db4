package wasmclient_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Each subscription gets its own payloads, decoded, and nothing after it was cancelled.
func TestOnDecodesPayloadsOfItsTypeUntilCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		c := start(t, b, wasmclient.Options{})
		var payments, statuses []string
		cancel := wasmclient.On(c, func(data event.PaymentReceivedData, r store.Received) {
			payments = append(payments, data.Amount.String()+" "+r.Subject)
		})
		wasmclient.On(c, func(data event.RentalStatusUpdatedData, _ store.Received) {
			statuses = append(statuses, data.Status)
		})
		for range 2 {
			paid, err := event.PaymentReceived(7, "19.90", "cash")
			require.NoError(t, err)
			b.Publish(paid)
			moved, err := event.RentalStatusUpdated(7, "active", "")
			require.NoError(t, err)
			b.Publish(moved)
			synctest.Wait()
			cancel()
		}
		require.Equal(t, []string{"19.90 rental/7"}, payments)
		require.Equal(t, []string{"active", "active"}, statuses)
		require.Panics(t, func() { wasmclient.On(c, func(int, store.Received) {}) })
	})
}

func TestUseFunctionsDeliverTheEventsOfTheirModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(access.Grant{User: "5", Name: "admin", Roles: []access.Role{access.Admin}})
		c := start(t, b, wasmclient.Options{})
		got := map[string][]string{}
		for name, use := range map[string]func(*wasmclient.Client, func(store.Received)) func(){
			"rental":    wasmclient.UseRentalEvents,
			"equipment": wasmclient.UseEquipmentEvents,
			"employee":  wasmclient.UseEmployeeEvents,
			"customer":  wasmclient.UseCustomerEvents,
			"system":    wasmclient.UseSystemEvents,
		} {
			use(c, func(r store.Received) { got[name] = append(got[name], string(r.Type)) })
		}
		for _, typ := range []event.Type{
			event.TypeRentalOverdue,
			event.TypeMaintenanceRequired,
			event.TypeSystemNotification,
			event.TypeSyncProgress,
		} {
			b.Publish(event.Example(typ))
		}
		synctest.Wait()
		require.Equal(t, map[string][]string{
			"rental":    {"rental_overdue"},
			"equipment": {"maintenance_required"},
			"system":    {"system_notification"},
			"customer":  {"sync_progress"},
		}, got)
	})
}

// Neither many subscriptions nor many clients leave anything behind.
func TestCancelledSubscriptionsAndEndedClientsLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		c := start(t, b, wasmclient.Options{})
		calls := 0
		for range 10_000 {
			cancel := c.Subscribe(func(store.Received) { calls++ })
			cancel()
			cancel() // twice is harmless
		}
		publish(t, b, 1)
		synctest.Wait()
		require.Zero(t, calls)
		require.Zero(t, c.SubscriptionCount())
		for range 50 {
			tab := in.NewTab()
			_, stop := run(t, b, wasmclient.Options{Snapshot: true, Page: tab})
			stop()
			require.Zero(t, tab.Watchers())
		}
		require.Zero(t, in.Locks())
		require.Zero(t, in.Channels())
		require.Equal(t, 1, b.Streams(), "of the first client")
	})
}

// A subscription that another callback cancels is not called, although the event was under way to both.
func TestSubscriptionCanBeCancelledWithinACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		c := start(t, b, wasmclient.Options{})
		var calls []string
		var cancel [2]func()
		for i, name := range []string{"first", "second"} {
			cancel[i] = c.Subscribe(func(store.Received) {
				calls = append(calls, name)
				cancel[1-i]()
			})
		}
		publish(t, b, 1)
		publish(t, b, 2)
		synctest.Wait()
		require.Equal(t, []string{"first", "first"}, calls)
		require.Equal(t, 1, c.SubscriptionCount())
	})
}
