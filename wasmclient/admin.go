package wasmclient

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
)

// Stats is what /api/stats tells an admin.
type Stats struct {
	Connections int                `json:"connections"`
	ByTransport map[string]int     `json:"connections_by_transport"`
	ByRole      map[string]int     `json:"connections_by_role"`
	Views       int                `json:"views"`
	Events      int64              `json:"events_total"`
	Deliveries  int64              `json:"deliveries_total"`
	Open        []Connection       `json:"open"`
	Started     time.Time          `json:"started"`
	PerMinute   []int              `json:"events_per_minute"` // the running minute last
	ByType      map[event.Type]int `json:"events_by_type"`    // of the last hour
	Delivery    struct {
		P50    float64 `json:"p50"`
		P95    float64 `json:"p95"`
		P99    float64 `json:"p99"`
		Writes int     `json:"writes"`
	} `json:"delivery_ms"`
	Published map[string]int64 `json:"published"`
	Pushes    map[string]int64 `json:"pushes"`
	Gaps      int64            `json:"gaps"`
	Slow      int64            `json:"slow"`
	Memory    int64            `json:"memory_bytes"`
	PerReader int64            `json:"connection_memory_bytes"`
	Healthy   bool             `json:"log_healthy"`
	Oldest    uint64           `json:"log_oldest"`
	Newest    uint64           `json:"log_newest"`
}

// A Connection is an open stream of the broker.
type Connection struct {
	ID        string    `json:"id"`
	Actor     string    `json:"actor"`
	Name      string    `json:"name"` // of a person; "" for a program
	Roles     string    `json:"roles"`
	Transport string    `json:"transport"`
	Since     time.Time `json:"since"`
	Lag       int64     `json:"lag_bytes"`
}

// Stats asks what the broker does; for admins.
func (a API) Stats(ctx context.Context) (s Stats, err error) {
	err = a.call(ctx, "GET", "/api/stats", nil, &s)
	return s, err
}

// Kick ends a connection, which does not come back by itself; for admins.
func (a API) Kick(ctx context.Context, id string) error {
	return a.call(ctx, "POST", rest.PathOf("api", "connections", id, "close"), nil, nil)
}

// A Token is a back end's.
type Token struct {
	Token   string    `json:"token"`
	User    string    `json:"user"`
	Expires time.Time `json:"expires"`
}

// Mint signs a token for a back end; for admins.
func (a API) Mint(ctx context.Context, user string, hours int) (t Token, err error) {
	err = a.call(ctx, "POST", "/api/tokens", map[string]any{"user": user, "hours": hours}, &t)
	return t, err
}

// A Device is one that is pushed to.
type Device struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Failing *Failing  `json:"failing"` // nil while the push service takes messages to it
}

// Failing says that the push service of a device refuses messages to it.
type Failing struct {
	Since  time.Time `json:"since"`
	Status int       `json:"status"` // of the service's last answer
}

// PushKey is what a browser subscribes with.
func (a API) PushKey(ctx context.Context) (string, error) {
	var answer struct{ Key string }
	err := a.call(ctx, "GET", "/api/push/key", nil, &answer)
	return answer.Key, rest.RequireComplete(err, answer.Key != "")
}

// Devices are the caller's. pushes is false where nothing is pushed at all.
func (a API) Devices(ctx context.Context) (all []Device, pushes bool, err error) {
	var answer struct {
		Devices     []Device
		Unavailable bool
	}
	err = a.call(ctx, "GET", "/api/push/subscriptions", nil, &answer)
	return answer.Devices, !answer.Unavailable, rest.RequireComplete(err, answer.Devices != nil)
}

// AddDevice registers a browser's PushSubscription, in the form of its toJSON. replaces is the id of the device that
// the new one replaces, or "" for none.
func (a API) AddDevice(ctx context.Context, subscription map[string]any, name, replaces string) (d Device, err error) {
	body := map[string]any{"endpoint": subscription["endpoint"], "keys": subscription["keys"], "name": name}
	if replaces != "" {
		body["replaces"] = replaces
	}
	err = a.call(ctx, "POST", "/api/push/subscriptions", body, &d)
	return d, err
}

// RemoveDevice pushes no more to a device.
func (a API) RemoveDevice(ctx context.Context, id string) error {
	return a.call(ctx, "DELETE", rest.PathOf("api", "push", "subscriptions", id), nil, nil)
}

// TestDevice pushes a greeting.
func (a API) TestDevice(ctx context.Context, id string) error {
	return a.call(ctx, "POST", rest.PathOf("api", "push", "subscriptions", id, "test"), nil, nil)
}

// Preferences are what the caller wants to be told of.
func (a API) Preferences(ctx context.Context) (p notify.Preferences, err error) {
	err = a.call(ctx, "GET", "/api/push/preferences", nil, &p)
	return p, err
}

// Prefer changes them.
func (a API) Prefer(ctx context.Context, p notify.Preferences) error {
	return a.call(ctx, "PUT", "/api/push/preferences", p, nil)
}
