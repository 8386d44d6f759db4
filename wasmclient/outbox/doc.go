// Package outbox sends what the user wrote to the broker: each event once, in the order in which
// it was written, whatever happens to network, tab and browser meanwhile.
//
// # Usage
//
// A [Machine] has no clock, no storage and no network. Its driver (the loop of package wasmclient)
// calls [Machine.Step] with an [Input] and the present time, and carries out the returned effects
// in their order: it stores items, sends them to the broker, and broadcasts them to the other tabs. The zero
// Machine is ready for use.
//
// # Guarantees
//
//   - Each item is stored by the broker at most once. The item's id is its idempotency key, so
//     sending it again is harmless. If an item was written longer ago than the broker remembers
//     keys, the machine has it looked up in the history first, because this tab or another may
//     have sent it.
//   - Items about one subject are sent in the order in which they were written.
//   - An item that was written without a connection names the state of the entity on which it was
//     based. If the entity has changed since, the broker refuses the item (409) and the user decides.
//   - Only a final answer of the broker rejects an item; everything else is tried again. The
//     exception is an item that a proxy refuses again and again while the broker can be reached.
//
// # Concurrency
//
// A Machine is not safe for concurrent use.
package outbox
