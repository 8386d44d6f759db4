// Package rest calls the broker's JSON resources and reads their answers.
package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// Call sends a request with body as JSON, unless body is nil, and decodes the answer into the value that into
// points to. A nil into ignores the body of the answer. The error is a [*port.Error] or wraps [port.ErrNotBroker]
// if an answer came; otherwise it is the transport's.
func Call(ctx context.Context, t port.Transport, method, path string, body, into any) error {
	return send(ctx, t, port.Request{Method: method, Path: path, Header: map[string]string{}}, body, into)
}

// send is Call for a request with headers of its own.
func send(ctx context.Context, t port.Transport, r port.Request, body, into any) error {
	r.Header["Accept"] = "application/json"
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("wasmclient: %w", err)
		}
		r.Body, r.Header["Content-Type"] = raw, "application/json"
	}
	response, err := t.Do(ctx, r)
	if err != nil {
		return err
	}
	if err := port.ErrorOf(response); err != nil {
		return err
	}
	switch {
	case response.Status == 204 && into == nil:
		return nil
	case response.ContentType != "application/json":
		return port.UnexpectedAnswer(response)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return fmt.Errorf("%w: %w", port.ErrNotBroker, err)
	}
	return nil
}

// RequireComplete returns err, or [port.ErrNotBroker] if err is nil and the answer lacks a field that the broker
// always sends.
func RequireComplete(err error, complete bool) error {
	if err == nil && !complete {
		return port.ErrNotBroker
	}
	return err
}

// Snapshot reads the state that the caller may see.
func Snapshot(ctx context.Context, t port.Transport) (s projection.Snapshot, err error) {
	err = Call(ctx, t, "GET", "/api/snapshot", nil, &s)
	return s, RequireComplete(err, s.Cursor.Epoch != "")
}

// Receipt is the broker's answer to a published event. wasmclient.Receipt documents the fields.
type Receipt struct {
	ID        string               `json:"id"`
	Cursor    wire.Cursor          `json:"cursor"`
	Duplicate bool                 `json:"duplicate"`
	Warnings  []event.FieldWarning `json:"warnings"`
}

// Publish sends an event without the envelope's fields that the broker sets. A non-zero basedOn tells the broker which
// state of its entity the author has seen. A non-zero author makes the broker refuse the event when somebody else is
// signed in by now.
func Publish(
	ctx context.Context, t port.Transport, e event.Event, basedOn wire.Cursor, author access.Grant,
) (r Receipt, err error) {
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
	if basedOn != (wire.Cursor{}) {
		header["If-Entity-Cursor"] = basedOn.String()
	}
	if author.User != "" {
		header["If-Grant"] = author.ID()
	}
	request := port.Request{Method: "POST", Path: "/api/sse", Header: header, Repeatable: e.ID != ""}
	err = send(ctx, t, request, body, &r)
	return r, RequireComplete(err, r.Cursor.Epoch != "")
}

// PublishJSON sends an event as it is written.
func PublishJSON(ctx context.Context, t port.Transport, body json.RawMessage) (r Receipt, err error) {
	err = Call(ctx, t, "POST", "/api/sse", body, &r)
	return r, RequireComplete(err, r.Cursor.Epoch != "")
}

// PathOf returns the path of a resource. It escapes each part.
func PathOf(parts ...string) (path string) {
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}
