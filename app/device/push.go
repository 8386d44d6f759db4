package device

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// A PushState says whether this device gets pushes.
type PushState string

// The states.
const (
	PushUnknown     PushState = ""            // the app has not asked the browser yet
	PushUnsupported PushState = "unsupported" // the browser has no pushes, or none on a plain HTTP address
	PushBlocked     PushState = "blocked"     // the user has refused notifications in the browser
	PushOff         PushState = "off"         // the device has no subscription
	PushOn          PushState = "on"          // the device has a subscription
)

// Push returns the state of this device. It does not ask the user.
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

// permission returns the user's choice on notifications: granted, denied, or default before a choice.
// It returns "" if the browser has no notifications.
func permission() string {
	if p := feature("Notification", "permission"); p.Truthy() {
		return p.String()
	}
	return ""
}

// ErrUnsupported means that the browser has no pushes, or none at the page's address.
var ErrUnsupported = errors.New("device: no pushes here")

// manager returns the browser's manager of pushes. It does not wait for a service worker, which may
// never come.
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

// subscription returns the device's subscription, or null.
func subscription(ctx context.Context) (app.Value, error) {
	m, err := manager(ctx)
	if err != nil {
		return nil, err
	}
	return await(ctx, m, "getSubscription")
}

// ErrRefused means that the user, or the user's browser, refuses pushes.
var ErrRefused = errors.New("device: notifications are not allowed")

// Subscribe asks the user for permission, if the user has not decided yet, and subscribes with the
// broker's key. Call it only after a click, because browsers may refuse the question otherwise.
func Subscribe(ctx context.Context, key string) (map[string]any, error) {
	if permission() == "" {
		return nil, ErrUnsupported
	}
	if _, err := await(ctx, feature("Notification"), "requestPermission"); err != nil {
		return nil, err
	}
	return Renew(ctx, key)
}

// Renew returns the subscription with the broker's key. It subscribes again if the browser has lost the
// subscription, or has one with another key. It never asks the user: it returns ErrRefused if the user
// has not given permission.
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
			return toMap(old)
		}
		// Browsers allow one key at a time: the old subscription must end first.
		if _, err := await(ctx, old, "unsubscribe"); err != nil {
			return nil, err
		}
	}
	renewed, err := await(ctx, m, "subscribe", map[string]any{"userVisibleOnly": true, "applicationServerKey": key})
	if err != nil {
		return nil, err
	}
	return toMap(renewed)
}

// keyOf returns the key of a subscription, as the broker writes it. It returns "" if the browser hides it.
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

// toMap returns the JSON form of a subscription as a map.
func toMap(subscription app.Value) (s map[string]any, err error) {
	raw := app.Window().Get("JSON").Call("stringify", subscription).String()
	err = json.Unmarshal([]byte(raw), &s)
	return s, err
}

// Unsubscribe ends the device's subscription, if it has one.
func Unsubscribe(ctx context.Context) error {
	s, err := subscription(ctx)
	if err != nil || !s.Truthy() {
		return err
	}
	_, err = await(ctx, s, "unsubscribe")
	return err
}

// Name returns the browser's name for the operating system of the device, or "". It is the name of the
// device until the user gives the device another name.
func Name() string {
	if platform := feature("navigator", "userAgentData", "platform"); platform.Truthy() {
		return platform.String()
	}
	return ""
}
