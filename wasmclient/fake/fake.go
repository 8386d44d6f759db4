// Package fake is a broker in memory, behind the client's Transport: for the
// tests of whatever is built on the client. Tests drive it in virtual time
// (testing/synctest); real brokers are for the end-to-end tests.
package fake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// Broker answers as a broker would to the one grant that it knows. It is safe
// for concurrent use.
type Broker struct {
	mu      sync.Mutex // guards all below
	grant   access.Grant
	epoch   string
	events  []event.Event
	down    bool
	refusal *port.Response
	signed  bool
	streams map[chan struct{}]bool // closed to cut
	grown   chan struct{}
	opened  int
	asked   []string

	farewell []byte // what a stream says when it is cut
}

var _ port.Transport = (*Broker)(nil)

// New makes a broker with an empty log, to which the grant's user is signed in.
func New(g access.Grant) *Broker {
	return &Broker{grant: g, epoch: "k", signed: true, streams: map[chan struct{}]bool{}, grown: make(chan struct{})}
}

// Publish stores an event; its id is its place, from 0.
func (b *Broker) Publish(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.ID = fmt.Sprint(len(b.events))
	b.events = append(b.events, e.Stamp("", time.Now()))
	close(b.grown)
	b.grown = make(chan struct{})
}

// Cut breaks every stream.
func (b *Broker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.streams {
		close(s)
	}
	b.streams = map[chan struct{}]bool{}
}

// Bye ends every stream with a reason.
func (b *Broker) Bye(reason wire.Reason) {
	b.mu.Lock()
	b.farewell = wire.AppendSSE(nil, &wire.Bye{Reason: reason})
	b.mu.Unlock()
	b.Cut()
}

// Regrant gives the user other rights, and cuts the streams.
func (b *Broker) Regrant(g access.Grant) {
	b.mu.Lock()
	b.grant = g
	b.mu.Unlock()
	b.Cut()
}

// SetDown makes every request fail, or no more.
func (b *Broker) SetDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// Refusal is a problem document of a broker.
func Refusal(status int, code string) *port.Response {
	body := fmt.Sprintf(`{"type":"`+problem.TypePrefix+`%[2]s","status":%[1]d,"code":"%[2]s","title":"Refused"}`, status,
		code)
	return &port.Response{Status: status, ContentType: problem.MediaType, Body: []byte(body)}
}

// Refuse answers everything so, nil as usual.
func (b *Broker) Refuse(r *port.Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusal = r
}

// Replace puts another, empty log in the place of the old one. Streams go on with
// a gap.
func (b *Broker) Replace(epoch string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch, b.events = epoch, nil
	close(b.grown)
	b.grown = make(chan struct{})
}

// Opened is how many streams were opened.
func (b *Broker) Opened() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened
}

// Asked are the filters of the streams that were opened, as queries.
func (b *Broker) Asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// Do implements port.Transport.
func (b *Broker) Do(ctx context.Context, r port.Request) (port.Response, error) {
	b.await(ctx, r.Path)
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
		b.signed = true
		answer = b.sessionLocked()
	case "DELETE /api/session":
		b.signed = false
		return port.Response{Status: 204}, nil
	default:
		return *Refusal(404, problem.CodeNotFound), nil
	}
	raw, err := json.Marshal(answer)
	return port.Response{Status: 200, ContentType: "application/json", Body: raw}, err
}

// await waits for what a long poll asks for.
func (b *Broker) await(ctx context.Context, path string) {
	u, err := url.Parse(path)
	if err != nil || u.Query().Get("wait") == "" {
		return
	}
	after, _ := wire.ParseCursor(u.Query().Get("after"))
	b.mu.Lock()
	ready, grown := b.down || b.refusal != nil || after != b.headLocked(), b.grown
	b.mu.Unlock()
	if ready {
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
	if b.signed {
		s.User = &wasmclient.User{ID: b.grant.User, Name: b.grant.Name, Roles: b.grant.Roles, Employee: b.grant.Employee}
		s.Grant = b.grant.ID()
	}
	return s
}

// storeLocked stores what is published, once for an id.
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
	return wasmclient.Receipt{ID: e.ID, Cursor: wire.Cursor{Epoch: b.epoch, Seq: uint64(at + 1)}, Duplicate: duplicate}, nil
}

// pageLocked is a page of history: what follows a cursor, or the end of it.
func (b *Broker) pageLocked(query string) map[string]any {
	q, err := url.ParseQuery(query)
	if err != nil {
		panic(err) // of our own client
	}
	asked, err := filter.Parse(q)
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
		if seen, ok := access.Redact(b.grant, e); ok && asked.Match(seen) {
			seen.Cursor = at(first + i + 1).String()
			events = append(events, seen)
		}
	}
	page["events"], page["previous"], page["next"] = events, at(first+1), at(last)
	return page
}

// Events are all that are stored.
func (b *Broker) Events() []event.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// Streams is how many streams are open.
func (b *Broker) Streams() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.streams)
}

func (b *Broker) headLocked() wire.Cursor {
	return wire.Cursor{Epoch: b.epoch, Seq: uint64(len(b.events))}
}

func (b *Broker) snapshotLocked() projection.Snapshot {
	state := projection.NewState(b.epoch)
	for i, e := range b.events {
		state.Apply(e, wire.Cursor{Epoch: b.epoch, Seq: uint64(i + 1)})
	}
	return projection.NewSnapshot(b.headLocked(), state.Entities(), b.grant, time.Now(), projection.Installation{Currency: "EUR"})
}

// heartbeat is how often a quiet stream is given a sign of life.
const heartbeat = 15 * time.Second

// Socket implements port.Transport: there are none here.
func (b *Broker) Socket(context.Context, string, func([]byte) error) error {
	return port.ErrNoUpgrade
}

// subscription is what a request for a stream asks for, and where it starts.
func (b *Broker) subscription(path string) (at wire.Cursor, f filter.Filter, err error) {
	u, err := url.Parse(path)
	if err != nil {
		return at, f, err
	}
	if f, err = filter.Parse(u.Query()); err != nil {
		return at, f, err
	}
	if u.Query().Get("after") == "oldest" {
		return wire.Cursor{Epoch: b.epoch}, f, nil
	}
	at, err = wire.ParseCursor(u.Query().Get("after"))
	return at, f, err
}

// Stream implements port.Transport.
func (b *Broker) Stream(ctx context.Context, r port.Request, take func([]byte) error) (port.Response, error) {
	b.mu.Lock()
	if b.down || b.refusal != nil {
		defer b.mu.Unlock()
		if b.down {
			return port.Response{}, errors.New("fake: down")
		}
		return *b.refusal, nil
	}
	cut := make(chan struct{})
	b.streams[cut] = true
	b.opened++
	at, asked, err := b.subscription(r.Path)
	if err != nil {
		b.mu.Unlock()
		return *Refusal(400, problem.CodeInvalidFilter), nil
	}
	b.asked = append(b.asked, asked.Key())
	head := b.headLocked()
	if at == (wire.Cursor{}) {
		at = head
	}
	next := int(at.Seq)
	frames := wire.AppendSSE(nil, &wire.Hello{Start: at, Head: head, Heartbeat: heartbeat, Retry: time.Second, Grant: b.grant.ID()})
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.streams, cut)
	}()
	for {
		b.mu.Lock()
		if at.Epoch != b.epoch { // the log was replaced, before or under this stream
			frames = wire.AppendSSE(frames, &wire.Gap{From: at, To: b.headLocked()})
			at, next = b.headLocked(), len(b.events)
		}
		for ; next < len(b.events); next++ {
			if seen, ok := access.Redact(b.grant, b.events[next]); ok && asked.Match(seen) { // of the grant now: the stream is cut when it changes
				frames = wire.AppendSSE(frames, &wire.Event{Cursor: wire.Cursor{Epoch: b.epoch, Seq: uint64(next + 1)}, Event: seen})
			}
		}
		grown := b.grown
		b.mu.Unlock()
		if len(frames) > 0 {
			if err := take(frames); err != nil {
				return port.Response{Status: 200}, err
			}
			frames = nil
		}
		select {
		case <-grown:
		case <-time.After(heartbeat):
			b.mu.Lock()
			if at.Epoch == b.epoch {
				frames = wire.AppendSSE(nil, &wire.Heartbeat{Cursor: wire.Cursor{Epoch: b.epoch, Seq: uint64(next)}})
			}
			b.mu.Unlock()
		case <-cut:
			b.mu.Lock()
			farewell := b.farewell
			b.mu.Unlock()
			if err := take(farewell); err != nil {
				return port.Response{Status: 200}, err
			}
			return port.Response{Status: 200, ContentType: "text/event-stream"}, nil
		case <-ctx.Done():
			return port.Response{}, ctx.Err()
		}
	}
}
