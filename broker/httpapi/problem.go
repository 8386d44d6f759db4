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
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Problem is the document of a refusal (RFC 9457). The package [problem] lists all of
// them.
type Problem struct {
	// Type is a URI that identifies the kind of problem.
	Type string `json:"type"`
	// Title is a sentence about the problem, for people.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Code identifies the kind of problem for programs. It never changes.
	Code string `json:"code"`
	// Detail is advice for people. It may be empty.
	Detail string `json:"detail,omitempty"`
	// Errors are the refused fields. It may be empty.
	Errors []event.FieldError `json:"errors,omitempty"`
	// RetryAfter is the number of seconds that the client should wait before it tries
	// again. 0 means that the broker recommends no time.
	RetryAfter int `json:"retry_after,omitempty"`
	// Stored are the receipts of the events of a batch that were stored before a failure.
	Stored []hub.Receipt `json:"stored,omitempty"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Title }

// Refuse answers a request with the document of err. It logs the errors that are the
// broker's fault.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problemFor(requestLog(r), err, "method", r.Method, "path", r.URL.Path)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="yardline"`)
	}
	w.Header().Set("Content-Type", problem.MediaType)
	w.Header().Set("Cache-Control", "no-store")
	body, _ := json.Marshal(p) // strings and integers always marshal
	w.WriteHeader(p.Status)
	w.Write(append(body, '\n'))
}

// newProblem returns the document of a problem, with the fields that were refused.
func newProblem(p problem.Problem, fields ...event.FieldError) *Problem {
	return &Problem{
		Type:       p.Type(),
		Title:      p.Title,
		Status:     p.Status,
		Code:       p.Code,
		Detail:     p.Advice,
		Errors:     fields,
		RetryAfter: p.RetryAfter,
	}
}

// problemFor returns the document of an error for the client. When the fault is the
// broker's, it logs the cause for the operator, with the attributes attrs.
func (a *API) problemFor(log *slog.Logger, err error, attrs ...any) Problem {
	p := problemOf(err)
	if p.Status >= 500 && !isExpected(p.Code) && !errors.Is(err, context.Canceled) { // a client that left is no failure
		log.Error("request failed", append(attrs, "code", p.Code, "error", err)...)
	}
	return p
}

// isExpected reports whether a problem of the broker is part of its normal operation.
func isExpected(code string) bool {
	switch code {
	case problem.CodeStarting, problem.CodeDraining, problem.CodeFull, problem.CodeLogFull:
		return true
	}
	return false
}

// problemOf returns the document of an error.
func problemOf(err error) Problem {
	var partial *hub.PartialError
	if errors.As(err, &partial) {
		p := problemOf(partial.Err)
		p.Stored = partial.Stored
		return p
	}
	var refused *hub.RefusedError
	if errors.As(err, &refused) {
		p := problemOf(refused.Err)
		p.Errors = refused.Fields
		return p
	}
	return *problemOfCause(err)
}

// problemOfCause returns the document of an error that is neither a *hub.PartialError nor
// a *hub.RefusedError. The first case that matches applies.
func problemOfCause(err error) *Problem {
	var (
		own     *Problem
		refused *event.Problem
		filters *filter.Error
		closed  *hub.ClosedError
		moved   *hub.MovedError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &refused):
		return newProblem(problem.InvalidEvent.FillAdvice(refused.Error()), refused.Fields...)
	case errors.As(err, &filters):
		return newProblem(problem.InvalidFilter.FillAdvice(filters.Error()),
			event.FieldError{Pointer: "/" + filters.Parameter, Code: event.CodeUnknownName, Expected: filters.Expected})
	}
	if p := problemOfIdentity(err); p != nil {
		return p
	}
	switch {
	case errors.Is(err, hub.ErrForbidden):
		return newProblem(problem.MayNotPublish)
	case errors.Is(err, hub.ErrOwner):
		return newProblem(problem.OwnerChanged)
	case errors.Is(err, eventlog.ErrConflict):
		return newProblem(problem.IDConflict)
	case errors.As(err, &moved):
		return newProblem(problem.EntityMoved.FillAdvice(moved.Cursor),
			event.Refuse("/"+ifEntityCursor, event.CodeConflict, "the cursor of its last change, or later").Fields...)
	case errors.Is(err, hub.ErrNoEntity):
		return newProblem(problem.NoEntity,
			event.Refuse("/"+ifEntityCursor, event.CodeRule, "an event that changes an entity").Fields...)
	case errors.Is(err, push.ErrNotPerson):
		return newProblem(problem.PeopleOnly)
	case errors.Is(err, push.ErrTooManyDevices):
		return newProblem(problem.TooManyDevices)
	case errors.Is(err, push.ErrUnknownDevice):
		return newProblem(problem.UnknownDevice)
	case errors.Is(err, push.ErrNotDelivered):
		return pushProblem(err)
	case errors.Is(err, wire.ErrCall), errors.Is(err, wire.ErrUTF8):
		return newProblem(problem.InvalidCall)
	case errors.Is(err, eventlog.ErrFull):
		return newProblem(problem.LogFull)
	case errors.Is(err, hub.ErrNotReady):
		return newProblem(problem.Starting)
	case errors.As(err, &closed):
		return newProblem(problem.Draining)
	case errors.Is(err, eventlog.ErrUnavailable),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(problem.LogUnavailable)
	}
	return newProblem(problem.Internal)
}

// problemOfIdentity returns the document of an error of package identity, or nil for any
// other error.
func problemOfIdentity(err error) *Problem {
	var token *identity.Refusal
	switch {
	case errors.Is(err, identity.ErrNotSignedIn):
		return newProblem(problem.SignInRequired)
	case errors.Is(err, identity.ErrExpired):
		return newProblem(problem.Expired)
	case errors.As(err, &token):
		return newProblem(problem.RefusedToken.FillAdvice(token.Advice))
	case errors.Is(err, identity.ErrInvalid):
		return newProblem(problem.InvalidToken)
	case errors.Is(err, identity.ErrNoKeys):
		return newProblem(problem.NoKeys)
	case errors.Is(err, identity.ErrWrongPassword):
		return newProblem(problem.SignInFailed)
	case errors.Is(err, identity.ErrNoSignIn):
		return newProblem(problem.NoSignIn)
	}
	return nil
}

// writeJSON answers with v as JSON and a line feed.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // v is always of a type of the broker, which marshals
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
