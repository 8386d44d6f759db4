package wasmclient

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
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
	return s, rest.RequireComplete(err, s.User != nil || s.Users != nil)
}

// SignIn signs in; demo users have no password.
func (a API) SignIn(ctx context.Context, user, password string) (s Session, err error) {
	err = a.call(ctx, "POST", "/api/session", map[string]string{"user": user, "password": password}, &s)
	return s, rest.RequireComplete(err, s.User != nil)
}

// SignOut ends the session.
func (a API) SignOut(ctx context.Context) error {
	return a.call(ctx, "DELETE", "/api/session", nil, nil)
}

// Snapshot reads the state that the caller may see.
func (a API) Snapshot(ctx context.Context) (projection.Snapshot, error) {
	return rest.Snapshot(ctx, a.Transport)
}

// Publish sends an event. Give it an ID where it may be sent twice. The envelope's fields that the broker sets are left
// out.
func (a API) Publish(ctx context.Context, e event.Event) (Receipt, error) {
	r, err := rest.Publish(ctx, a.Transport, e, wire.Cursor{}, access.Grant{})
	return Receipt(r), err
}

// PublishJSON sends an event as it is written.
func (a API) PublishJSON(ctx context.Context, body json.RawMessage) (Receipt, error) {
	r, err := rest.PublishJSON(ctx, a.Transport, body)
	return Receipt(r), err
}

// A HistoryPage is a part of the history, oldest first.
type HistoryPage struct {
	Events   []event.Event `json:"events"`
	Gap      *wire.Gap     `json:"gap"`      // what is no longer kept
	Previous wire.Cursor   `json:"previous"` // ask before it for the page before this
	Next     wire.Cursor   `json:"next"`     // ask after it for the page after this
	Head     wire.Cursor   `json:"head"`
	Grant    string        `json:"grant"`
}

// History asks for at most limit events that match, before a place; the zero
// place is the end of the log. It leaves out the events that this build cannot read.
func (a API) History(ctx context.Context, f filter.Filter, before wire.Cursor, limit int) (HistoryPage, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if before != (wire.Cursor{}) {
		q.Set("before", before.String())
	}
	p, err := rest.ReadHistory(ctx, a.Transport, f, q)
	return HistoryPage(p.History), err
}

func (a API) call(ctx context.Context, method, path string, body, into any) error {
	return rest.Call(ctx, a.Transport, method, path, body, into)
}
