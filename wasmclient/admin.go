package wasmclient

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
)

// Stats describes what a broker does. Totals count from the start of its process.
type Stats struct {
	// Connections is the number of open streams and waiting long polls.
	Connections int `json:"connections"`

	// ByTransport splits Connections by transport.
	ByTransport map[string]int `json:"connections_by_transport"`

	// ByRole splits Connections by the names of their roles, such as hr+manager.
	ByRole map[string]int `json:"connections_by_role"`

	// Views is the number of different combinations of roles, format and filter among the connections.
	Views int `json:"views"`

	// Events is the total number of events.
	Events int64 `json:"events_total"`

	// Deliveries is the total number of events that were sent. An event to n connections counts n times.
	Deliveries int64 `json:"deliveries_total"`

	// Open are the open streams, oldest first.
	Open []Connection `json:"open"`

	// Started is when the broker's process started.
	Started time.Time `json:"started"`

	// PerMinute is the number of events in each minute of the last hour. The running minute is the last one.
	PerMinute []int `json:"events_per_minute"`

	// ByType is the number of events of each type in the last hour.
	ByType map[event.Type]int `json:"events_by_type"`

	// Delivery has percentiles of the time between the storing of an event in the log and its delivery to a socket,
	// in milliseconds. Writes is the number of writes that were measured: the last ones, at most 2,048.
	Delivery struct {
		P50    float64 `json:"p50"`
		P95    float64 `json:"p95"`
		P99    float64 `json:"p99"`
		Writes int     `json:"writes"`
	} `json:"delivery_ms"`

	// Published is the total number of requests to publish, by result.
	Published map[string]int64 `json:"published"`

	// Pushes is the total number of push messages, by result.
	Pushes map[string]int64 `json:"pushes"`

	// Gaps is the total number of gaps that were reported to clients.
	Gaps int64 `json:"gaps"`

	// Slow is the total number of streams that were closed because their client read too slowly.
	Slow int64 `json:"slow"`

	// Memory is the memory of the process, in bytes.
	Memory int64 `json:"memory_bytes"`

	// PerReader is the memory that a connection uses on average, in bytes. It is 0 without connections.
	PerReader int64 `json:"connection_memory_bytes"`

	// Healthy reports whether the log accepts events.
	Healthy bool `json:"log_healthy"`

	// Oldest is the sequence number of the oldest kept event.
	Oldest uint64 `json:"log_oldest"`

	// Newest is the sequence number of the newest event.
	Newest uint64 `json:"log_newest"`
}

// A Connection is an open stream of the broker.
type Connection struct {
	ID        string    `json:"id"`    // for CloseConnection
	Actor     string    `json:"actor"` // the user or program
	Name      string    `json:"name"`  // the user's name; "" for a program
	Roles     string    `json:"roles"` // such as hr+manager
	Transport string    `json:"transport"`
	Since     time.Time `json:"since"`     // when the stream was opened
	Lag       int64     `json:"lag_bytes"` // bytes that wait to be sent
}

// Stats returns what the broker does. Only admins may call it.
func (a API) Stats(ctx context.Context) (s Stats, err error) {
	err = a.call(ctx, "GET", "/api/stats", nil, &s)
	return s, err
}

// CloseConnection ends a connection. Its client does not reconnect by itself. Only admins may call it.
func (a API) CloseConnection(ctx context.Context, id string) error {
	return a.call(ctx, "POST", rest.PathOf("api", "connections", id, "close"), nil, nil)
}

// A Token lets a back end publish.
type Token struct {
	Token   string    `json:"token"` // the bearer token itself
	User    string    `json:"user"`  // the name of the back end
	Expires time.Time `json:"expires"`
}

// CreateToken signs a token for a back end that is valid for a number of hours. Only admins may call it.
func (a API) CreateToken(ctx context.Context, user string, hours int) (t Token, err error) {
	err = a.call(ctx, "POST", "/api/tokens", map[string]any{"user": user, "hours": hours}, &t)
	return t, err
}
