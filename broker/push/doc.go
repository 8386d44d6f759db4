// Package push tells people of events while no page of theirs is open, by Web
// Push: RFC 8030 (delivery), 8291 (encryption) and 8292 (who sends, VAPID).
//
// Subscriptions and preferences are kept with the log, so that all brokers on
// it have them. Every broker follows the log, decides by the grant that a
// person has at that moment, and claims an event in the store before it sends:
// one broker pushes it, and none does again after a restart. The follower never
// waits: what it finds goes into a bounded queue, from which a few workers
// send. A push is a hint. The app has everything, so what cannot be delivered
// in time is dropped, and counted.
package push
