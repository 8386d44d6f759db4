package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Problem is a refusal as its caller sees it, a problem document by RFC
// 9457. Code is stable; Title and Detail are for people.
type Problem struct {
	Type       string             `json:"type"`
	Title      string             `json:"title"`
	Status     int                `json:"status"`
	Code       string             `json:"code"`
	Detail     string             `json:"detail,omitempty"`
	Errors     []event.FieldError `json:"errors,omitempty"`
	RetryAfter int                `json:"retry_after,omitempty"` // seconds
	Stored     []hub.Receipt      `json:"stored,omitempty"`      // of a batch that the log broke off
}

func (p *Problem) Error() string { return p.Code + ": " + p.Title }

// Refuse answers with what an error means to the caller.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(requestLog(r), err, "method", r.Method, "path", r.URL.Path)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="yardline"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	body, _ := json.Marshal(p) // strings and integers always marshal
	w.WriteHeader(p.Status)
	w.Write(append(body, '\n'))
}

// problem says what an error means to the caller. The operator gets the cause
// where the fault is ours, with what about says of the occasion.
func (a *API) problem(log *slog.Logger, err error, about ...any) Problem {
	p := problemOf(err)
	p.Type = "urn:yardline:problem:" + p.Code
	expected := p.Code == "starting" || p.Code == "draining" || p.Code == "full" || p.Code == "log_full"
	if p.Status >= 500 && !expected && !errors.Is(err, context.Canceled) { // who has gone is no failure
		log.Error("request failed", append(about, "code", p.Code, "error", err)...)
	}
	return p
}

// problemOf says what an error means to the caller.
func problemOf(err error) Problem {
	var (
		own     *Problem
		refused *event.Problem
		filters *filter.Error
		closed  *hub.ClosedError
		moved   *hub.MovedError
		token   *identity.Refusal
		named   *hub.RefusedError
	)
	var partial *hub.PartialError
	if errors.As(err, &partial) {
		p := problemOf(partial.Err)
		p.Stored = partial.Stored
		return p
	}
	if errors.As(err, &named) {
		p := problemOf(named.Err)
		p.Errors = named.Fields
		return p
	}
	switch {
	case errors.As(err, &own):
		return *own
	case errors.As(err, &refused):
		return Problem{Status: http.StatusUnprocessableEntity, Code: "invalid_event", Title: "The event is not valid",
			Detail: refused.Error(), Errors: refused.Fields}
	case errors.As(err, &filters):
		return Problem{Status: http.StatusBadRequest, Code: "invalid_filter", Title: "The filter is not valid", Detail: filters.Error(),
			Errors: []event.FieldError{{Pointer: "/" + filters.Parameter, Code: "unknown_name", Expected: filters.Expected}}}
	case errors.Is(err, identity.ErrNone):
		return Problem{Status: http.StatusUnauthorized, Code: "sign_in_required", Title: "You are not signed in", Detail: "Sign in, or send a bearer token."}
	case errors.Is(err, identity.ErrExpired):
		return Problem{Status: http.StatusUnauthorized, Code: "expired", Title: "Your sign-in has expired",
			Detail: "Sign in again, or get a new token."}
	case errors.As(err, &token):
		return Problem{Status: http.StatusUnauthorized, Code: "invalid_token", Title: "The token is not valid here",
			Detail: token.Advice}
	case errors.Is(err, identity.ErrInvalid):
		return Problem{Status: http.StatusUnauthorized, Code: "invalid_token", Title: "The token is not valid here",
			Detail: "The broker's log says why it was refused."}
	case errors.Is(err, identity.ErrNoKeys):
		return Problem{Status: http.StatusServiceUnavailable, Code: "starting",
			Title:      "The identity provider's keys are not known yet",
			Detail:     "Try again in a moment. If it goes on, tell your administrator. The broker's log says why.",
			RetryAfter: 5}
	case errors.Is(err, identity.ErrUnknown):
		return Problem{Status: http.StatusUnauthorized, Code: "sign_in_failed", Title: "Signing in failed", Detail: "Check the user's name and the password."}
	case errors.Is(err, identity.ErrNoSignIn):
		return Problem{Status: http.StatusConflict, Code: "no_sign_in", Title: "Nobody signs in here", Detail: "Sign in with your company's identity provider."}
	case errors.Is(err, hub.ErrForbidden):
		return Problem{Status: http.StatusForbidden, Code: "forbidden", Title: "You may not publish this type of event", Detail: "Ask your administrator for a role that may."}
	case errors.Is(err, hub.ErrOwner):
		return Problem{Status: http.StatusConflict, Code: "owner_changed", Title: "This belongs to another person",
			Detail: "The employee or user whom a thing is about cannot change. Use another id."}
	case errors.Is(err, eventlog.ErrConflict):
		return Problem{Status: http.StatusConflict, Code: "id_conflict", Title: "The id is taken by another event",
			Detail: "Give each event an id of its own; send the same id again only with the same content."}
	case errors.As(err, &moved):
		return Problem{Status: http.StatusConflict, Code: "entity_moved", Title: "This has changed since you saw it",
			Detail: "Its last change is at " + moved.Cursor.String() + ". Look at it again, then decide anew.", Errors: event.Refuse("/"+ifEntityCursor, "conflict", "the cursor of its last change, or later").Fields}
	case errors.Is(err, hub.ErrNoEntity):
		return Problem{Status: http.StatusUnprocessableEntity, Code: "invalid_event", Title: "The event is not valid", Detail: "An event of this type changes nothing that has a state.",
			Errors: event.Refuse("/"+ifEntityCursor, "rule", "an event that changes an entity").Fields}
	case errors.Is(err, push.ErrProgram):
		return Problem{Status: http.StatusForbidden, Code: "forbidden", Title: "Only people have devices", Detail: "Sign in as the person who is to be notified."}
	case errors.Is(err, push.ErrTooMany):
		return Problem{Status: http.StatusConflict, Code: "too_many_devices", Title: "You have as many devices as you may have", Detail: "Remove one that you no longer use."}
	case errors.Is(err, push.ErrUnknown):
		return Problem{Status: http.StatusNotFound, Code: "not_found", Title: "You have no such device", Detail: "It may have been removed. Turn notifications on again."}
	case errors.Is(err, push.ErrNotDelivered):
		return notPushed(err)
	case errors.Is(err, wire.ErrCall), errors.Is(err, wire.ErrUTF8):
		return Problem{Status: http.StatusBadRequest, Code: "invalid_call", Title: "The message is not valid", Detail: `Send messages such as {"call":"ping","ref":"1"}.`}
	case errors.Is(err, eventlog.ErrFull):
		return Problem{Status: http.StatusInsufficientStorage, Code: "log_full", Title: "The event log is full",
			Detail: "Nothing was lost. Tell your administrator, and send it again later with the same id.", RetryAfter: 30}
	case errors.Is(err, hub.ErrNotReady):
		return Problem{Status: http.StatusServiceUnavailable, Code: "starting", Title: "The broker is still starting", Detail: "Try again in a moment.", RetryAfter: 1}
	case errors.As(err, &closed):
		return Problem{Status: http.StatusServiceUnavailable, Code: "draining", Title: "The broker is stopping", Detail: "Try again in a moment.", RetryAfter: 2}
	case errors.Is(err, eventlog.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Problem{Status: http.StatusServiceUnavailable, Code: "log_unavailable", Title: "The event log is not available",
			Detail:     "Whether it was stored is not known. Send it again with the same id: it is stored once.",
			RetryAfter: 5}
	}
	return Problem{Status: http.StatusInternalServerError, Code: "internal", Title: "Something went wrong on the server",
		Detail: "Try again. If it happens again, tell your administrator."}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // only our own types come here
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
