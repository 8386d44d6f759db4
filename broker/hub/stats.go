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

// Stats describes what a hub does. Totals count from the start of the process.
type Stats struct {
	// Connections is the number of open streams and waiting long polls.
	Connections int `json:"connections"`
	// ByTransport splits Connections by transport.
	ByTransport map[string]int `json:"connections_by_transport"`
	// ByRole splits Connections by the names of their roles, such as
	// hr+manager.
	ByRole map[string]int `json:"connections_by_role"`
	// Views is the number of views.
	Views int `json:"views"`
	// Events is the total number of records that the hub has handled.
	Events int64 `json:"events_total"`
	// Deliveries is the total number of events that the hub has sent to
	// readers. An event to n readers counts n times.
	Deliveries int64 `json:"deliveries_total"`
	// Open holds the open streams, oldest first.
	Open []Connection `json:"open"`
	// Polls is the number of waiting long polls by the names of their roles.
	Polls map[string]int `json:"-"`
}

// A Connection describes an open stream.
type Connection struct {
	// ID names the connection.
	ID string `json:"id"`
	// Actor identifies the user or service.
	Actor string `json:"actor"`
	// Name is the name of the user. It may be empty.
	Name string `json:"name,omitempty"`
	// Roles holds the names of the roles, such as hr+manager, or none.
	Roles string `json:"roles"`
	// Transport is one of the Transport constants.
	Transport string `json:"transport"`
	// Since is the time when the stream was opened.
	Since time.Time `json:"since"`
	// Lag is the number of bytes that wait for the reader.
	Lag int64 `json:"lag_bytes"`
}

// The names of transports in Stats.
const (
	TransportSSE       = "sse"
	TransportWebSocket = "websocket"
	TransportPoll      = "poll"
)

var transportNames = map[wire.Format]string{wire.SSE: TransportSSE, wire.JSON: TransportWebSocket}

// Stats returns what the hub does at this moment.
func (h *Hub) Stats() Stats {
	s := Stats{
		ByTransport: map[string]int{TransportSSE: 0, TransportWebSocket: 0, TransportPoll: 0},
		ByRole:      map[string]int{},
		Events:      h.received.Load(),
		Deliveries:  h.delivered.Load(),
		Open:        []Connection{},
		Polls:       map[string]int{},
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Views = len(h.views)
	count := func(transport, roles string, n int) {
		s.Connections += n
		s.ByTransport[transport] += n
		s.ByRole[roles] += n
	}
	for sub := range h.subscribers {
		c := Connection{
			ID:        sub.ID,
			Actor:     sub.grant.Actor(),
			Name:      sub.grant.Name,
			Roles:     roleNames(sub.grant),
			Transport: transportNames[sub.format],
			Since:     sub.openedAt,
			Lag:       sub.lagBytes(),
		}
		s.Open = append(s.Open, c)
		count(c.Transport, c.Roles, 1)
	}
	for roles, n := range h.polls {
		s.Polls[roles] = n
		count(TransportPoll, roles, n)
	}
	slices.SortFunc(s.Open, func(a, b Connection) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return s
}

// roleNames returns the roles of a grant joined by +, or none.
func roleNames(g access.Grant) string {
	names := make([]string, len(g.Roles))
	for i, r := range g.Roles {
		names[i] = string(r)
	}
	return cmp.Or(strings.Join(names, "+"), "none")
}

// countPoll counts a waiting long poll. The caller must call ended when the
// poll has ended.
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

// An Observer measures a hub. The hub calls the methods concurrently, and some
// of them under its lock, so they must not block and must not call the hub.
type Observer interface {
	// Published is called after each attempt to publish an event. The type is
	// "" when the event has no known type. The result is one of the Result
	// constants.
	Published(t event.Type, result string)
	// Received is called when the hub handles a record of the log.
	Received(t event.Type)
	// Delivered is called when an event has reached a socket. after is the
	// time since the log stored the event.
	Delivered(after time.Duration)
	// Replayed is called when a subscriber joins a view. events is the number
	// of events that it has received before.
	Replayed(events int)
	// Gap is called when a stream or a page of history gets a gap, because
	// events are missing.
	Gap()
	// Purged is called after a purge with the number of removed events.
	Purged(events uint64)
	// Slow is called when a subscription is closed because its reader is too
	// slow. The cause is CauseLag or CauseStalledWrite.
	Slow(cause string)
}

// The results of a publication, for Observer.Published.
const (
	ResultStored      = "stored"
	ResultDuplicate   = "duplicate"
	ResultInvalid     = "invalid"
	ResultForbidden   = "forbidden"
	ResultConflict    = "conflict"
	ResultUnavailable = "unavailable"
)

// The causes for closing a slow reader, for Observer.Slow.
const (
	// CauseLag means that more than Config.MaxLag bytes waited for the reader.
	CauseLag = "lag"
	// CauseStalledWrite means that a write to the reader took too long.
	CauseStalledWrite = "write_deadline"
)

// noObserver ignores everything.
type noObserver struct{}

func (noObserver) Published(event.Type, string) {}
func (noObserver) Received(event.Type)          {}
func (noObserver) Delivered(time.Duration)      {}
func (noObserver) Replayed(int)                 {}
func (noObserver) Gap()                         {}
func (noObserver) Purged(uint64)                {}
func (noObserver) Slow(string)                  {}
