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

// Push sends notifications to the devices of users. *push.Service is one; its methods
// document their errors. It must be safe for concurrent use.
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
// *push.PreferenceStore is one; its methods document their errors. It must be safe for concurrent
// use.
type PreferenceStore interface {
	Preferences(g access.Grant) notify.Preferences
	SetPreferences(ctx context.Context, g access.Grant, p notify.Preferences) error
}

var (
	_ Push            = (*push.Service)(nil)
	_ PreferenceStore = (*push.PreferenceStore)(nil)
)

// preferenceRoutes returns the routes about notifications that the API has without
// Config.Push, too.
func (a *API) preferenceRoutes() []route {
	return []route{
		{"GET", "/api/push/subscriptions", a.authenticated(a.handleGetPushSubscriptions)},
		{"GET", "/api/push/preferences", a.authenticated(a.handleGetPushPreferences)},
		{"PUT", "/api/push/preferences", a.authenticated(a.handlePutPushPreferences)},
	}
}

// pushRoutes returns the routes that need Config.Push.
func (a *API) pushRoutes() []route {
	return []route{
		{"GET", "/api/push/key", a.authenticated(a.handleGetPushKey)},
		{"POST", "/api/push/subscriptions", a.authenticated(a.handlePostPushSubscriptions)},
		{"DELETE", "/api/push/subscriptions/{id}", a.authenticated(a.handleDeletePushSubscription)},
		{"POST", "/api/push/subscriptions/{id}/test", a.authenticated(a.handlePostPushSubscriptionTest)},
	}
}

// handleGetPushKey is GET /api/push/key. It answers with the public key that a browser
// needs to subscribe.
func (a *API) handleGetPushKey(w http.ResponseWriter, _ *http.Request, _ identity.Principal) {
	writeJSON(w, http.StatusOK, map[string]string{"key": a.Push.PublicKey()})
}

// handleGetPushSubscriptions is GET /api/push/subscriptions. It answers with the caller's
// devices, and tells whether push is disabled.
func (a *API) handleGetPushSubscriptions(w http.ResponseWriter, _ *http.Request, p identity.Principal) {
	answer := struct {
		Devices     []push.Device `json:"devices"`
		Unavailable bool          `json:"unavailable,omitempty"`
	}{[]push.Device{}, a.Push == nil}
	if a.Push != nil {
		answer.Devices = a.Push.Devices(p.Grant)
	}
	writeJSON(w, http.StatusOK, answer)
}

// handlePostPushSubscriptions is POST /api/push/subscriptions. It adds a device. The body
// is a PushSubscription with the name of the device and, if there is one, the id of the
// device that it replaces. A known endpoint renews its device.
func (a *API) handlePostPushSubscriptions(w http.ResponseWriter, r *http.Request, p identity.Principal) {
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

// handleDeletePushSubscription is DELETE /api/push/subscriptions/{id}. It removes a device.
func (a *API) handleDeletePushSubscription(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	if err := a.Push.Unsubscribe(r.Context(), p.Grant, r.PathValue("id")); err != nil {
		a.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// handlePostPushSubscriptionTest is POST /api/push/subscriptions/{id}/test. It sends a
// notification to a device, so that the user sees whether it arrives.
func (a *API) handlePostPushSubscriptionTest(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	if err := a.checkTestRate(p); err != nil {
		a.Refuse(w, r, err)
		return
	}
	if err := a.Push.SendTest(r.Context(), p.Grant, r.PathValue("id")); err != nil {
		a.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// pushProblem returns the document of a push that failed. It tells the user whether it
// helps to try again.
func pushProblem(err error) *Problem {
	var refused *push.RefusedError
	if errors.As(err, &refused) {
		return newProblem(problem.PushRefused.FillAdvice(refused.Status))
	}
	return newProblem(problem.PushFailed)
}

// handleGetPushPreferences is GET /api/push/preferences. It answers with the events that
// the caller wants to be notified of.
func (a *API) handleGetPushPreferences(w http.ResponseWriter, _ *http.Request, p identity.Principal) {
	writeJSON(w, http.StatusOK, a.Preferences.Preferences(p.Grant))
}

// handlePutPushPreferences is PUT /api/push/preferences. It replaces the caller's
// preferences, and answers with them.
func (a *API) handlePutPushPreferences(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	var preferences notify.Preferences
	err := readJSON(w, r, &preferences)
	if err == nil {
		err = a.Preferences.SetPreferences(r.Context(), p.Grant, preferences)
	}
	if err != nil {
		a.Refuse(w, r, inBody(err))
		return
	}
	writeJSON(w, http.StatusOK, a.Preferences.Preferences(p.Grant))
}

// maxJSON is the size limit of a body that is not an event, in bytes.
const maxJSON = 8 << 10

// readJSON decodes a body that is not an event. It refuses unknown fields.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := readBody(w, r, maxJSON)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || d.More() {
		return inBody(event.Refuse("", event.CodeJSON, "a JSON object of the documented fields, of at most 8 KiB"))
	}
	return nil
}

// inBody turns the refusal of an event's field into that of a field of another body. It
// returns every other error unchanged.
func inBody(err error) error {
	var refused *event.Problem
	if !errors.As(err, &refused) {
		return err
	}
	return newProblem(problem.InvalidBody, refused.Fields...)
}
