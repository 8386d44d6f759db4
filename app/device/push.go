package device

import (
	"context"
	"encoding/base64"
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
	if permission() == "denied" {
		return PushBlocked
	}
	switch subscription, err := subscription(ctx); {
	case err != nil:
		return PushUnsupported
	case subscription.Truthy():
		return PushOn
	}
	return PushOff
}

// permission returns the user's choice on notifications: granted, denied, or default before a choice. It returns ""
// when the browser has no notifications.
func permission() string {
	if p := feature("Notification", "permission"); p.Truthy() {
		return p.String()
	}
	return ""
}

// ErrUnsupported means that the browser, or the page's address, has no pushes.
var ErrUnsupported = errors.New("device: no pushes here")

// manager is the browser's manager of pushes. It does not wait for a service worker that may never come.
func manager(ctx context.Context) (app.Value, error) {
	workers := feature("navigator", "serviceWorker")
	if !workers.Truthy() || !feature("PushManager").Truthy() || permission() == "" {
		return nil, ErrUnsupported
	}
	registration, err := await(ctx, workers, "getRegistration")
	if err != nil {
		return nil, err
	}
	if !registration.Truthy() || !registration.Get("pushManager").Truthy() {
		return nil, ErrUnsupported
	}
	return registration.Get("pushManager"), nil
}

func subscription(ctx context.Context) (app.Value, error) {
	m, err := manager(ctx)
	if err != nil {
		return nil, err
	}
	return await(ctx, m, "getSubscription")
}

// ErrRefused means that the user, or their browser, does not want pushes.
var ErrRefused = errors.New("device: notifications are not allowed")

// Subscribe asks the user, where they were not asked yet, and subscribes with
// the broker's key. It is called for a click alone: browsers, and people, want
// no question out of the blue.
func Subscribe(ctx context.Context, key string) (map[string]any, error) {
	if permission() == "" {
		return nil, ErrUnsupported
	}
	if _, err := await(ctx, feature("Notification"), "requestPermission"); err != nil {
		return nil, err
	}
	return Renew(ctx, key)
}

// Renew returns the subscription with the broker's key. It subscribes anew when the browser has lost the subscription
// or has one with another key. It never asks the user: it returns ErrRefused when the user has not given permission.
func Renew(ctx context.Context, key string) (map[string]any, error) {
	if permission() != "granted" {
		return nil, ErrRefused
	}
	m, err := manager(ctx)
	if err != nil {
		return nil, err
	}
	old, err := await(ctx, m, "getSubscription")
	if err != nil {
		return nil, err
	}
	if old.Truthy() {
		if keyOf(old) == key {
			return plain(old)
		}
		// Browsers keep two keys apart: the old subscription must go first.
		if _, err := await(ctx, old, "unsubscribe"); err != nil {
			return nil, err
		}
	}
	made, err := await(ctx, m, "subscribe", map[string]any{"userVisibleOnly": true, "applicationServerKey": key})
	if err != nil {
		return nil, err
	}
	return plain(made)
}

// keyOf returns the key of a subscription, as the broker writes it. It returns "" when the browser does not tell.
func keyOf(subscription app.Value) string {
	options := subscription.Get("options")
	if !options.Truthy() || !options.Get("applicationServerKey").Truthy() {
		return ""
	}
	raw := app.Window().Get("Uint8Array").New(options.Get("applicationServerKey"))
	key := make([]byte, raw.Length())
	app.CopyBytesToGo(key, raw)
	return base64.RawURLEncoding.EncodeToString(key)
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
	_, err = await(ctx, s, "unsubscribe")
	return err
}

// Name is what the device is called until its user says otherwise: the browser
// and the system, as they call themselves.
func Name() string {
	if platform := feature("navigator", "userAgentData", "platform"); platform.Truthy() {
		return platform.String()
	}
	return ""
}
