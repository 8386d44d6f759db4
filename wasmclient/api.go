package wasmclient

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// An API calls the broker's resources. An error is an *Error where the broker
// or something between refused, and ErrNotBroker where something between
// answered as if all were well.
type API struct {
	Transport Transport
}

// A Session is who is signed in, and how one signs in.
type Session struct {
	User   *User    `json:"user"` // nil where nobody is
	Grant  string   `json:"grant"`
	Users  []string `json:"users"`   // who may sign in by name alone
	SignIn string   `json:"sign_in"` // name, password, or provider for elsewhere

	Warning *Warning `json:"warning,omitempty"` // nil: all is well
}

// A Warning explains to the user why a sign-in or sign-out did not work.
type Warning struct {
	Code   string `json:"code"` // stable: still_signed_in, needs_tls, …
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// Sentence returns the fault and the remedy, with the code to quote.
func (w *Warning) Sentence() string {
	return (&Error{Code: w.Code, Title: w.Title, Detail: w.Detail}).Sentence()
}

// A User is who is signed in.
type User struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee"`
	Tenant   string        `json:"tenant"`
}

// Grant is what the user may, to hide what they may not; the broker decides.
func (u User) Grant() access.Grant {
	return access.Grant{User: u.ID, Name: u.Name, Roles: u.Roles, Employee: u.Employee, Tenant: u.Tenant}
}

// Receipt says where a published event is.
type Receipt struct {
	ID        string               `json:"id"`
	Cursor    wire.Cursor          `json:"cursor"`
	Duplicate bool                 `json:"duplicate"`
	Warnings  []event.FieldWarning `json:"warnings"`
}

// Session asks who is signed in.
func (a API) Session(ctx context.Context) (s Session, err error) {
	err = a.call(ctx, "GET", "/api/session", nil, &s)
	return s, genuine(err, s.User != nil || s.Users != nil)
}

// SignIn signs in; demo users have no password.
func (a API) SignIn(ctx context.Context, user, password string) (s Session, err error) {
	err = a.call(ctx, "POST", "/api/session", map[string]string{"user": user, "password": password}, &s)
	return s, genuine(err, s.User != nil)
}

// SignOut ends the session.
func (a API) SignOut(ctx context.Context) error {
	return a.call(ctx, "DELETE", "/api/session", nil, nil)
}

// Snapshot asks for the state that the caller may see.
func (a API) Snapshot(ctx context.Context) (s projection.Snapshot, err error) {
	err = a.call(ctx, "GET", "/api/snapshot", nil, &s)
	return s, genuine(err, s.Cursor.Epoch != "")
}

// Publish sends an event. Give it an ID where it may be sent twice. The
// envelope's fields that the broker sets are left out.
func (a API) Publish(ctx context.Context, e event.Event) (r Receipt, err error) {
	return a.publish(ctx, e, wire.Cursor{}, access.Grant{})
}

// publish says too which state of its thing the event was based on, and who
// wrote it, unless that is zero: by now somebody else may be signed in.
func (a API) publish(ctx context.Context, e event.Event, based wire.Cursor, by access.Grant) (r Receipt, err error) {
	body := map[string]any{"type": e.Type, "data": e.Data}
	if e.ID != "" {
		body["id"] = e.ID
	}
	if e.Source != "" {
		body["source"] = e.Source
	}
	if !e.Time.IsZero() {
		body["time"] = e.Time
	}
	if e.Severity != "" {
		body["severity"] = e.Severity
	}
	header := map[string]string{}
	if based != (wire.Cursor{}) {
		header["If-Entity-Cursor"] = based.String()
	}
	if by.User != "" {
		header["If-Grant"] = by.ID()
	}
	request := Request{Method: "POST", Path: "/api/sse", Header: header, Repeatable: e.ID != ""}
	err = a.send(ctx, request, body, &r)
	return r, genuine(err, r.Cursor.Epoch != "")
}

// PublishJSON sends an event as it is written.
func (a API) PublishJSON(ctx context.Context, body json.RawMessage) (r Receipt, err error) {
	err = a.call(ctx, "POST", "/api/sse", body, &r)
	return r, genuine(err, r.Cursor.Epoch != "")
}

func (a API) call(ctx context.Context, method, path string, body, into any) error {
	return a.send(ctx, Request{Method: method, Path: path, Header: map[string]string{}}, body, into)
}

// send sends a request with a body of JSON, if it has one.
func (a API) send(ctx context.Context, r Request, body, into any) error {
	r.Header["Accept"] = "application/json"
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("wasmclient: %w", err)
		}
		r.Body, r.Header["Content-Type"] = raw, "application/json"
	}
	response, err := a.Transport.Do(ctx, r)
	if err != nil {
		return err
	}
	if err := ErrorOf(response); err != nil {
		return err
	}
	switch {
	case response.Status == 204 && into == nil:
		return nil
	case response.ContentType != "application/json":
		return notBroker(response)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return fmt.Errorf("%w: %w", ErrNotBroker, err)
	}
	return nil
}

// genuine returns the error of a successful call whose answer lacks a field that
// the broker always sends.
func genuine(err error, complete bool) error {
	if err == nil && !complete {
		return ErrNotBroker
	}
	return err
}
