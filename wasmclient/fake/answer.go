package fake

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// Do implements port.Transport.
func (b *Broker) Do(ctx context.Context, r port.Request) (port.Response, error) {
	b.awaitEvents(ctx, r.Path)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return port.Response{}, errors.New("fake: down")
	}
	if b.refusal != nil {
		return *b.refusal, nil
	}
	var answer any
	resource, query, _ := strings.Cut(r.Path, "?")
	switch r.Method + " " + resource {
	case "GET /api/events":
		answer = b.pageLocked(query)
	case "POST /api/sse":
		receipt, err := b.storeLocked(r.Body)
		if err != nil {
			return *Refusal(422, problem.CodeInvalidEvent), nil
		}
		answer = receipt
	case "GET /api/snapshot":
		answer = b.snapshotLocked()
	case "GET /api/session":
		answer = b.sessionLocked()
	case "POST /api/session":
		b.signedIn = true
		answer = b.sessionLocked()
	case "DELETE /api/session":
		b.signedIn = false
		return port.Response{Status: 204}, nil
	default:
		return *Refusal(404, problem.CodeNotFound), nil
	}
	raw, err := json.Marshal(answer)
	return port.Response{Status: 200, ContentType: "application/json", Body: raw}, err
}

// awaitEvents holds back the answer to a long poll until there are events.
func (b *Broker) awaitEvents(ctx context.Context, path string) {
	u, err := url.Parse(path)
	if err != nil || u.Query().Get("wait") == "" {
		return
	}
	after, _ := wire.ParseCursor(u.Query().Get("after"))
	b.mu.Lock()
	isReady, grown := b.down || b.refusal != nil || after != b.headLocked(), b.grown
	b.mu.Unlock()
	if isReady {
		return
	}
	select {
	case <-grown:
	case <-time.After(25 * time.Second):
	case <-ctx.Done():
	}
}

func (b *Broker) sessionLocked() wasmclient.Session {
	s := wasmclient.Session{Users: []string{b.grant.Name}}
	if b.signedIn {
		g := b.grant
		s.User = &wasmclient.User{ID: g.User, Name: g.Name, Roles: g.Roles, Employee: g.Employee}
		s.Grant = b.grant.ID()
	}
	return s
}

// storeLocked stores a published event, once for each id.
func (b *Broker) storeLocked(body []byte) (wasmclient.Receipt, error) {
	e, _, err := event.Parse(body, event.Rules{})
	if err != nil {
		return wasmclient.Receipt{}, err
	}
	at := slices.IndexFunc(b.events, func(old event.Event) bool { return old.ID == e.ID })
	duplicate := at >= 0
	if !duplicate {
		at = len(b.events)
		b.events = append(b.events, e.Stamp("", time.Now()))
		close(b.grown)
		b.grown = make(chan struct{})
	}
	cursor := wire.Cursor{Epoch: b.epoch, Seq: uint64(at + 1)}
	return wasmclient.Receipt{ID: e.ID, Cursor: cursor, Duplicate: duplicate}, nil
}

// pageLocked returns a page of the history: the events after a cursor, or the last ones.
func (b *Broker) pageLocked(query string) map[string]any {
	q, err := url.ParseQuery(query)
	if err != nil {
		panic(err) // the client wrote the query
	}
	f, err := filter.Parse(q)
	if err != nil {
		panic(err)
	}
	after, _ := wire.ParseCursor(q.Get("after"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	limit = max(limit, 1)
	at := func(n int) wire.Cursor { return wire.Cursor{Epoch: b.epoch, Seq: uint64(n)} }
	page := map[string]any{"head": b.headLocked(), "grant": b.grant.ID()}
	first := min(int(after.Seq), len(b.events))
	switch {
	case q.Get("after") == "":
		first = max(0, len(b.events)-limit)
	case after != wire.Cursor{} && after.Epoch != b.epoch:
		first = len(b.events)
		page["gap"] = &wire.Gap{From: after, To: b.headLocked()}
	}
	last := min(first+limit, len(b.events))
	events := []event.Event{}
	for i, e := range b.events[first:last] {
		if redacted, ok := access.Redact(b.grant, e); ok && f.Match(redacted) {
			redacted.Cursor = at(first + i + 1).String()
			events = append(events, redacted)
		}
	}
	page["events"], page["previous"], page["next"] = events, at(first+1), at(last)
	return page
}

func (b *Broker) headLocked() wire.Cursor {
	return wire.Cursor{Epoch: b.epoch, Seq: uint64(len(b.events))}
}

func (b *Broker) snapshotLocked() projection.Snapshot {
	state := projection.NewState(b.epoch)
	for i, e := range b.events {
		state.Apply(e, wire.Cursor{Epoch: b.epoch, Seq: uint64(i + 1)})
	}
	installation := projection.Installation{Currency: "EUR"}
	return projection.NewSnapshot(b.headLocked(), state.Entities(), b.grant, time.Now(), installation)
}
