// Package push notifies users of events while they have no page of the app open. It
// uses Web Push: RFC 8030 (delivery), RFC 8291 (encryption) and RFC 8292
// (identification of the sender, VAPID).
//
// # Usage
//
// [New] returns a [Service] for a log, and [Service.Run] pushes until its context
// ends. A browser subscribes with the key of [Service.PublicKey], and the app hands
// the result to [Service.Subscribe]. A [PreferenceStore] holds the users'
// preferences. It works without a Service, too, because the app's toasts follow the
// same preferences.
//
// # Guarantees
//
//   - A push holds only fields that its user may see at that moment (see
//     [Config].CurrentGrant).
//   - A user gets pushes only for the event types of their preferences, never within
//     their quiet hours, and never for their own events.
//   - An event is pushed at most once, even with several brokers on the log and
//     after a restart: a broker claims the event in the log's store before it sends.
//   - A push is a hint and may be lost. The app shows all events anyway. The Service
//     drops pushes that it cannot deliver in time, and counts them.
//   - The broker connects only to public addresses, because a browser's endpoint is
//     an address that a stranger chooses.
//
// # How it works
//
// Devices and preferences are kept in the log's store, so all brokers on the log
// share them. Each broker follows the log. The goroutine that follows never waits
// for a push service: it puts each event, with the devices that want it, into a
// bounded queue. A few workers send from that queue.
//
// # Concurrency
//
// All methods are safe for concurrent use. Run may be called only once.
//
// # Errors
//
// Subscribe, Unsubscribe and SendTest return the Err variables of the package or an
// *event.Problem. A [RefusedError] means that an operator must act.
package push
