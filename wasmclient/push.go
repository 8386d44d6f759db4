package wasmclient

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
)

// A Device is a browser to which the broker pushes messages.
type Device struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Failing *Failing  `json:"failing"` // nil while the push service accepts messages to the device
}

// Failing says that the push service of a device refuses messages to it.
type Failing struct {
	Since  time.Time `json:"since"`
	Status int       `json:"status"` // the HTTP status of the service's last answer
}

// PushKey returns the public key with which a browser subscribes to push messages.
func (a API) PushKey(ctx context.Context) (string, error) {
	var answer struct{ Key string }
	err := a.call(ctx, "GET", "/api/push/key", nil, &answer)
	return answer.Key, rest.RequireComplete(err, answer.Key != "")
}

// Devices returns the caller's devices. available is false if the broker pushes nothing at all.
func (a API) Devices(ctx context.Context) (all []Device, available bool, err error) {
	var answer struct {
		Devices     []Device
		Unavailable bool
	}
	err = a.call(ctx, "GET", "/api/push/subscriptions", nil, &answer)
	return answer.Devices, !answer.Unavailable, rest.RequireComplete(err, answer.Devices != nil)
}

// AddDevice registers a browser's PushSubscription, in the form of its toJSON. replaces is the id of the device
// that the new one replaces, or "" for none.
func (a API) AddDevice(ctx context.Context, subscription map[string]any, name, replaces string) (d Device, err error) {
	body := map[string]any{"endpoint": subscription["endpoint"], "keys": subscription["keys"], "name": name}
	if replaces != "" {
		body["replaces"] = replaces
	}
	err = a.call(ctx, "POST", "/api/push/subscriptions", body, &d)
	return d, err
}

// RemoveDevice makes the broker push no more to a device.
func (a API) RemoveDevice(ctx context.Context, id string) error {
	return a.call(ctx, "DELETE", rest.PathOf("api", "push", "subscriptions", id), nil, nil)
}

// TestDevice makes the broker push a greeting to a device.
func (a API) TestDevice(ctx context.Context, id string) error {
	return a.call(ctx, "POST", rest.PathOf("api", "push", "subscriptions", id, "test"), nil, nil)
}

// Preferences returns the caller's preferences: which events the broker pushes, and when.
func (a API) Preferences(ctx context.Context) (p notify.Preferences, err error) {
	err = a.call(ctx, "GET", "/api/push/preferences", nil, &p)
	return p, err
}

// SetPreferences replaces the caller's preferences.
func (a API) SetPreferences(ctx context.Context, p notify.Preferences) error {
	return a.call(ctx, "PUT", "/api/push/preferences", p, nil)
}
