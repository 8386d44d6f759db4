package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/problem"
)

// Push is what the surface asks of push.Service. Both say which errors.
type Push interface {
	PublicKey() string
	Devices(g access.Grant) []push.Device
	Subscribe(ctx context.Context, p identity.Principal, s push.Subscription,
		name, replaces string) (push.Device, error)
	Unsubscribe(ctx context.Context, g access.Grant, id string) error
	SendTest(ctx context.Context, g access.Grant, id string) error
	ForgetSignIn(ctx context.Context, credential string) error
}

// A PreferenceStore keeps which events each user wants to be notified of.
// *push.PreferenceStore is one; its methods document their errors.
type PreferenceStore interface {
	Preferences(g access.Grant) notify.Preferences
	SetPreferences(ctx context.Context, g access.Grant, p notify.Preferences) error
}

var (
	_ Push            = (*push.Service)(nil)
	_ PreferenceStore = (*push.PreferenceStore)(nil)
)

// wishRoutes are there also where nothing is pushed.
func (a *API) wishRoutes() []route {
	return []route{
		{"GET", "/api/push/subscriptions", a.signedIn(a.devices)},
		{"GET", "/api/push/preferences", a.signedIn(a.preferences)},
		{"PUT", "/api/push/preferences", a.signedIn(a.prefer)},
	}
}

func (a *API) pushRoutes() []route {
	return []route{
		{"GET", "/api/push/key", a.signedIn(a.pushKey)},
		{"POST", "/api/push/subscriptions", a.signedIn(a.addDevice)},
		{"DELETE", "/api/push/subscriptions/{id}", a.signedIn(a.removeDevice)},
		{"POST", "/api/push/subscriptions/{id}/test", a.signedIn(a.testPush)},
	}
}

// pushKey is GET /api/push/key: what a browser subscribes with.
func (a *API) pushKey(w http.ResponseWriter, _ *http.Request, _ identity.Principal) {
	writeJSON(w, http.StatusOK, map[string]string{"key": a.Push.PublicKey()})
}

// devices is GET /api/push/subscriptions: the caller's own, and whether there
// can be any.
func (a *API) devices(w http.ResponseWriter, _ *http.Request, p identity.Principal) {
	answer := struct {
		Devices []push.Device `json:"devices"`
		None    bool          `json:"unavailable,omitempty"`
	}{[]push.Device{}, a.Push == nil}
	if a.Push != nil {
		answer.Devices = a.Push.Devices(p.Grant)
	}
	writeJSON(w, http.StatusOK, answer)
}

// addDevice handles POST /api/push/subscriptions. The body is a PushSubscription
// with the name of the device and the id of the device that it replaces, if there
// is one. A known endpoint renews its device.
func (a *API) addDevice(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	var body struct {
		push.Subscription
		Name     string `json:"name"`
		Replaces string `json:"replaces"`
	}
	if err := readJSON(w, r, &body); err != nil {
		a.Refuse(w, r, err)
		return
	}
	device, err := a.Push.Subscribe(r.Context(), p, body.Subscription, body.Name, body.Replaces)
	if err != nil {
		a.Refuse(w, r, inBody(err))
		return
	}
	writeJSON(w, http.StatusCreated, device)
}

// removeDevice is DELETE /api/push/subscriptions/{id}.
func (a *API) removeDevice(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	if err := a.Push.Unsubscribe(r.Context(), p.Grant, r.PathValue("id")); err != nil {
		a.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// testPush is POST /api/push/subscriptions/{id}/test: a greeting, to see that
// it comes.
func (a *API) testPush(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	if err := a.mayTest(p); err != nil {
		a.Refuse(w, r, err)
		return
	}
	if err := a.Push.SendTest(r.Context(), p.Grant, r.PathValue("id")); err != nil {
		a.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// notPushed answers a failed push, and tells the user whether it helps to try
// again.
func notPushed(err error) *Problem {
	var refused *push.RefusedError
	if errors.As(err, &refused) {
		return newProblem(problem.PushRefused.FillAdvice(refused.Status))
	}
	return newProblem(problem.PushFailed)
}

// preferences is GET /api/push/preferences.
func (a *API) preferences(w http.ResponseWriter, _ *http.Request, p identity.Principal) {
	writeJSON(w, http.StatusOK, a.Preferences.Preferences(p.Grant))
}

// prefer is PUT /api/push/preferences.
func (a *API) prefer(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	var wish notify.Preferences
	err := readJSON(w, r, &wish)
	if err == nil {
		err = a.Preferences.SetPreferences(r.Context(), p.Grant, wish)
	}
	if err != nil {
		a.Refuse(w, r, inBody(err))
		return
	}
	writeJSON(w, http.StatusOK, a.Preferences.Preferences(p.Grant))
}

// maxJSON bounds the body of a request that is no event, in bytes.
const maxJSON = 8 << 10

// readJSON reads such a body, of known fields alone.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := readBody(w, r, maxJSON)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || d.More() {
		return inBody(event.Refuse("", "json", "a JSON object of the documented fields, of at most 8 KiB"))
	}
	return nil
}

// inBody says of a field that it is one of such a body, and of no event.
func inBody(err error) error {
	var refused *event.Problem
	if !errors.As(err, &refused) {
		return err
	}
	return newProblem(problem.InvalidBody, refused.Fields...)
}
