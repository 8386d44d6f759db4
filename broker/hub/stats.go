package hub

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// Stats is what the hub does, for who watches over it. Totals count from the
// start of this process.
type Stats struct {
	Connections int            `json:"connections"`
	ByTransport map[string]int `json:"connections_by_transport"`
	ByRole      map[string]int `json:"connections_by_role"` // of several roles: hr+manager
	Views       int            `json:"views"`
	Events      int64          `json:"events_total"`     // taken from the log
	Deliveries  int64          `json:"deliveries_total"` // to readers
	Open        []Connection   `json:"open"`             // streams, oldest first
	Polls       map[string]int `json:"-"`                // long polls that wait, by role
}

// A Connection is one open stream.
type Connection struct {
	ID        string    `json:"id"`
	Actor     string    `json:"actor"`
	Name      string    `json:"name,omitempty"` // of a person
	Roles     string    `json:"roles"`
	Transport string    `json:"transport"`
	Since     time.Time `json:"since"`
	Lag       int64     `json:"lag_bytes"`
}

// The transports by their names in Stats.
const (
	TransportSSE       = "sse"
	TransportWebSocket = "websocket"
	TransportPoll      = "poll"
)

var transportNames = map[wire.Format]string{wire.SSE: TransportSSE, wire.JSON: TransportWebSocket}

// Stats returns what the hub does now.
func (h *Hub) Stats() Stats {
	s := Stats{ByTransport: map[string]int{TransportSSE: 0, TransportWebSocket: 0, TransportPoll: 0}, ByRole: map[string]int{},
		Polls: map[string]int{}, Events: h.received.Load(), Deliveries: h.delivered.Load(), Open: []Connection{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Views = len(h.views)
	count := func(transport, roles string, n int) {
		s.Connections += n
		s.ByTransport[transport] += n
		s.ByRole[roles] += n
	}
	for sub := range h.subscribers {
		c := Connection{sub.ID, sub.grant.Actor(), sub.grant.Name, roleNames(sub.grant), transportNames[sub.format], sub.openedAt, sub.lagBytes()}
		s.Open = append(s.Open, c)
		count(c.Transport, c.Roles, 1)
	}
	for roles, n := range h.polls {
		s.Polls[roles] = n
		count(TransportPoll, roles, n)
	}
	slices.SortFunc(s.Open, func(a, b Connection) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return s
}

// roleNames are the roles of a grant in one word.
func roleNames(g access.Grant) string {
	names := make([]string, len(g.Roles))
	for i, r := range g.Roles {
		names[i] = string(r)
	}
	return cmp.Or(strings.Join(names, "+"), "none")
}

// poll counts a long poll that waits. Call the answer when it has ended.
func (h *Hub) countPoll(g access.Grant) (ended func()) {
	names := roleNames(g)
	add := func(n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.polls[names] += n; h.polls[names] == 0 {
			delete(h.polls, names)
		}
	}
	add(1)
	return func() { add(-1) }
}

// An Observer is told what happens in a hub, to measure it. Its methods are
// called concurrently, some under the hub's lock, and must not block.
type Observer interface {
	// Published: somebody tried to publish; the type is "" where there was
	// none that is known, the result is one of the Results.
	Published(t event.Type, result string)
	// Received: the hub has received an event of the log.
	Received(t event.Type)
	// Delivered: an event reached a socket so long after the log had it.
	Delivered(after time.Duration)
	// Replayed: a subscriber has caught up with so many events.
	Replayed(events int)
	// Gap: a subscriber was told of one.
	Gap()
	// Purged: so many events were forgotten because of their age.
	Purged(events uint64)
	// Slow: a subscriber was closed because of CauseLag or CauseStalledWrite.
	Slow(cause string)
}

// The results of a publication.
const (
	ResultStored      = "stored"
	ResultDuplicate   = "duplicate"
	ResultInvalid     = "invalid"
	ResultForbidden   = "forbidden"
	ResultConflict    = "conflict"
	ResultUnavailable = "unavailable"
)

// Why a slow reader was closed.
const (
	CauseLag          = "lag"
	CauseStalledWrite = "write_deadline"
)

type noObserver struct{}

func (noObserver) Published(event.Type, string) {}
func (noObserver) Received(event.Type)          {}
func (noObserver) Delivered(time.Duration)      {}
func (noObserver) Replayed(int)                 {}
func (noObserver) Gap()                         {}
func (noObserver) Purged(uint64)                {}
func (noObserver) Slow(string)                  {}
