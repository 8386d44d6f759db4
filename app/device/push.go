package device

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// A PushState is what this device can be pushed.
type PushState string

// The states.
const (
	PushUnknown     PushState = ""            // not asked yet
	PushUnsupported PushState = "unsupported" // by the browser, or on a plain address
	PushBlocked     PushState = "blocked"     // the user has said no to the browser
	PushOff         PushState = "off"
	PushOn          PushState = "on"
)

// Push tells what is, and asks the user for nothing.
func Push(ctx context.Context) PushState {
	window := app.Window()
	if !app.IsClient || !window.Get("PushManager").Truthy() || !window.Get("Notification").Truthy() || !window.Get("navigator").Get("serviceWorker").Truthy() {
		return PushUnsupported
	}
	if window.Get("Notification").Get("permission").String() == "denied" {
		return PushBlocked
	}
	if subscription, err := subscription(ctx); err == nil && subscription.Truthy() {
		return PushOn
	}
	return PushOff
}

func manager(ctx context.Context) (app.Value, error) {
	registration, err := await(ctx, app.Window().Get("navigator").Get("serviceWorker").Get("ready"))
	if err != nil {
		return nil, err
	}
	return registration.Get("pushManager"), nil
}

func subscription(ctx context.Context) (app.Value, error) {
	m, err := manager(ctx)
	if err != nil {
		return nil, err
	}
	return await(ctx, m.Call("getSubscription"))
}

// ErrRefused means that the user, or their browser, does not want pushes.
var ErrRefused = errors.New("device: notifications are not allowed")

// Subscribe asks the user, where they were not asked yet, and subscribes with
// the broker's key. It is called for a click alone: browsers, and people, want
// no question out of the blue.
func Subscribe(ctx context.Context, key string) (map[string]any, error) {
	permission, err := await(ctx, app.Window().Get("Notification").Call("requestPermission"))
	if err != nil {
		return nil, err
	}
	if permission.String() != "granted" {
		return nil, ErrRefused
	}
	m, err := manager(ctx)
	if err != nil {
		return nil, err
	}
	made, err := await(ctx, m.Call("subscribe", map[string]any{"userVisibleOnly": true, "applicationServerKey": key}))
	if err != nil {
		return nil, err
	}
	return plain(made)
}

// Subscribed is the subscription that there is, nil for none.
func Subscribed(ctx context.Context) (map[string]any, error) {
	s, err := subscription(ctx)
	if err != nil || !s.Truthy() {
		return nil, err
	}
	return plain(s)
}

func plain(subscription app.Value) (s map[string]any, err error) {
	raw := app.Window().Get("JSON").Call("stringify", subscription).String()
	err = json.Unmarshal([]byte(raw), &s)
	return s, err
}

// Unsubscribe ends it.
func Unsubscribe(ctx context.Context) error {
	s, err := subscription(ctx)
	if err != nil || !s.Truthy() {
		return err
	}
	_, err = await(ctx, s.Call("unsubscribe"))
	return err
}

// Name is what the device is called until its user says otherwise: the browser
// and the system, as they call themselves.
func Name() string {
	data := app.Window().Get("navigator").Get("userAgentData")
	if !app.IsClient || !data.Truthy() {
		return ""
	}
	return data.Get("platform").String()
}
