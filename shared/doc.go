// Package shared holds what broker, browser, edge and tests are all compiled
// from: the vocabulary of events, who may see them, filters, the wire and the
// projection. It uses the standard library only and has no network, no
// goroutine and no clock of its own.
package shared
