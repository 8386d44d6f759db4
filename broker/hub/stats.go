package hub

import (
	"cmp"
	"slices"
	"time"
)

// Stats is what the hub does, for who watches over it. Totals count from the
// start of this process.
type Stats struct {
	Connections int            `json:"connections"`
	ByTransport map[string]int `json:"connections_by_transport"`
	Views       int            `json:"views"`
	Events      int64          `json:"events_total"`     // taken from the log
	Deliveries  int64          `json:"deliveries_total"` // to readers
	Open        []Connection   `json:"open"`             // oldest first
}

// A Connection is one open stream.
type Connection struct {
	ID    string    `json:"id"`
	Actor string    `json:"actor"`
	Since time.Time `json:"since"`
	Lag   int64     `json:"lag_bytes"`
}

// Stats returns what the hub does now.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	streams, polls := len(h.subscribers), int(h.polling.Load())
	s := Stats{
		Connections: streams + polls, ByTransport: map[string]int{"sse": streams, "websocket": 0, "poll": polls},
		Views: len(h.views), Events: h.taken.Load(), Deliveries: h.delivered.Load(), Open: []Connection{},
	}
	for sub := range h.subscribers {
		s.Open = append(s.Open, Connection{sub.ID, sub.grant.Actor(), sub.since, sub.lag()})
	}
	slices.SortFunc(s.Open, func(a, b Connection) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return s
}
