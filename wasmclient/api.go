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

// An API calls the resources of a broker. Its methods return an [*Error] if the broker, or a proxy in front of it,
// refused the request. They return [ErrNotBroker] if a proxy answered with success in the broker's place, and the
// transport's error if no answer came.
type API struct {
	Transport Transport
}

// call sends a request with body as JSON, and decodes the answer into the value that into points to.
func (a API) call(ctx context.Context, method, path string, body, into any) error {
	return rest.Call(ctx, a.Transport, method, path, body, into)
}

// A Session says who is signed in, and how to sign in.
type Session struct {
	// User is the user who is signed in, or nil.
	User *User `json:"user"`

	// Grant identifies the user's rights.
	Grant string `json:"grant"`

	// Users are the users who may sign in by name alone.
	Users []string `json:"users"`

	// SignIn says how to sign in: name, password, or provider for a sign-in at the identity provider's page.
	SignIn string `json:"sign_in"`

	// Warning says that a sign-in or sign-out did not work. Nil means that all is well.
	Warning *Warning `json:"warning,omitempty"`
}

// A Warning explains to the user why a sign-in or sign-out did not work.
type Warning struct {
	Code   string `json:"code"` // stable: still_signed_in, needs_tls, …
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// Sentence tells the user the fault and the remedy, with the code to quote.
func (w *Warning) Sentence() string {
	return (&Error{Code: w.Code, Title: w.Title, Detail: w.Detail}).Sentence()
}

// A User is a person or program that is signed in.
type User struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee"` // the id of the employee that the user is; 0 for none
	Tenant   string        `json:"tenant"`   // "" in an installation without tenants
}

// Grant returns what the user may do, so that an app can hide the rest. The broker decides.
func (u User) Grant() access.Grant {
	return access.Grant{User: u.ID, Name: u.Name, Roles: u.Roles, Employee: u.Employee, Tenant: u.Tenant}
}

// Session returns the broker's session: the user who is signed in, and how to sign in.
func (a API) Session(ctx context.Context) (s Session, err error) {
	err = a.call(ctx, "GET", "/api/session", nil, &s)
	return s, rest.RequireComplete(err, s.User != nil || s.Users != nil)
}

// SignIn signs a user in. Demo users have no password.
func (a API) SignIn(ctx context.Context, user, password string) (s Session, err error) {
	err = a.call(ctx, "POST", "/api/session", map[string]string{"user": user, "password": password}, &s)
	return s, rest.RequireComplete(err, s.User != nil)
}

// SignOut ends the session.
func (a API) SignOut(ctx context.Context) error {
	return a.call(ctx, "DELETE", "/api/session", nil, nil)
}

// Snapshot returns the state that the caller may see.
func (a API) Snapshot(ctx context.Context) (projection.Snapshot, error) {
	return rest.Snapshot(ctx, a.Transport)
}

// A Receipt is the broker's answer to a published event.
type Receipt struct {
	// ID is the id of the event.
	ID string `json:"id"`

	// Cursor is the place of the event in the log.
	Cursor wire.Cursor `json:"cursor"`

	// Duplicate reports that an event with this id was there already, so that nothing was stored.
	Duplicate bool `json:"duplicate"`

	// Warnings are remarks on fields that the broker accepted.
	Warnings []event.FieldWarning `json:"warnings"`
}

// Publish sends an event, and returns when the broker has stored it. Give the event an ID if it may be sent twice: the
// broker stores one event of an id. The fields of the envelope that the broker sets are not sent.
func (a API) Publish(ctx context.Context, e event.Event) (Receipt, error) {
	r, err := rest.Publish(ctx, a.Transport, e, wire.Cursor{}, access.Grant{})
	return Receipt(r), err
}

// PublishJSON is [API.Publish] for an event in JSON, which is sent as it is.
func (a API) PublishJSON(ctx context.Context, body json.RawMessage) (Receipt, error) {
	r, err := rest.PublishJSON(ctx, a.Transport, body)
	return Receipt(r), err
}

// A HistoryPage is a part of the history.
type HistoryPage struct {
	// Events are the events of the page, oldest first.
	Events []event.Event `json:"events"`

	// Gap names the events that the broker no longer keeps, if the request asked for them. Otherwise it is nil.
	Gap *wire.Gap `json:"gap"`

	// Previous is the cursor before which the previous page ends.
	Previous wire.Cursor `json:"previous"`

	// Next is the cursor after which the next page begins.
	Next wire.Cursor `json:"next"`

	// Head is the end of the log.
	Head wire.Cursor `json:"head"`

	// Grant identifies the rights for which the page was made.
	Grant string `json:"grant"`
}

// History returns the last events before a cursor that a filter selects, at most limit. The zero cursor means the
// end of the log. History leaves out the events that this build cannot read.
func (a API) History(ctx context.Context, f filter.Filter, before wire.Cursor, limit int) (HistoryPage, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if before != (wire.Cursor{}) {
		q.Set("before", before.String())
	}
	p, err := rest.ReadHistory(ctx, a.Transport, f, q)
	return HistoryPage(p.History), err
}
