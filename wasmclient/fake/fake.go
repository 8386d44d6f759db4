// Package fake has a broker and a browser in memory, for tests of programs that use the client. Tests
// drive them in virtual time (testing/synctest). End-to-end tests use real brokers and browsers.
//
// A [Broker] is a transport of the client. A [Browser] makes tabs, which are pages of the client.
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

// A Broker answers requests of one user, as a real broker would. It is safe for concurrent use.
type Broker struct {
	mu      sync.Mutex // guards all below
	grant   access.Grant
	epoch   string
	events  []event.Event
	down    bool           // all requests fail
	refusal *port.Response // the answer to all requests; nil means the usual ones

	signedIn bool
	streams  map[chan struct{}]bool // the open streams; closing the channel ends one
	grown    chan struct{}          // closed when an event is stored
	opened   int                    // the number of streams that were opened
	filters  []string               // of those streams, as queries
	farewell []byte                 // the last bytes of a stream that is cut
}

var _ port.Transport = (*Broker)(nil)

// New makes a broker with an empty log, to which the grant's user is signed in.
func New(g access.Grant) *Broker {
	return &Broker{grant: g, epoch: "k", signedIn: true, streams: map[chan struct{}]bool{}, grown: make(chan struct{})}
}

// Publish stores an event. It gives the event an id: the number of events before it.
func (b *Broker) Publish(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.ID = fmt.Sprint(len(b.events))
	b.events = append(b.events, e.Stamp("", time.Now()))
	close(b.grown)
	b.grown = make(chan struct{})
}

// Cut ends every stream.
func (b *Broker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.streams {
		close(s)
	}
	b.streams = map[chan struct{}]bool{}
}

// Bye ends every stream with a bye.
func (b *Broker) Bye(reason wire.Reason) {
	b.mu.Lock()
	b.farewell = wire.AppendSSE(nil, &wire.Bye{Reason: reason})
	b.mu.Unlock()
	b.Cut()
}

// Regrant gives the user another grant, and cuts the streams.
func (b *Broker) Regrant(g access.Grant) {
	b.mu.Lock()
	b.grant = g
	b.mu.Unlock()
	b.Cut()
}

// SetDown says whether all requests fail.
func (b *Broker) SetDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// Refusal returns a problem document of a broker.
func Refusal(status int, code string) *port.Response {
	body := fmt.Sprintf(`{"type":"`+problem.TypePrefix+`%[2]s","status":%[1]d,"code":"%[2]s","title":"Refused"}`,
		status, code)
	return &port.Response{Status: status, ContentType: problem.MediaType, Body: []byte(body)}
}

// Refuse sets the answer to all requests. Nil means the usual answers.
func (b *Broker) Refuse(r *port.Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusal = r
}

// Replace replaces the log by an empty one of another epoch. Open streams go on after a gap.
func (b *Broker) Replace(epoch string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch, b.events = epoch, nil
	close(b.grown)
	b.grown = make(chan struct{})
}

// Opened returns the number of streams that were opened.
func (b *Broker) Opened() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened
}

// Filters returns the filters of the streams that were opened, as queries.
func (b *Broker) Filters() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.filters)
}

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

// Events returns all events of the log.
func (b *Broker) Events() []event.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// Streams returns the number of open streams.
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
	installation := projection.Installation{Currency: "EUR"}
	return projection.NewSnapshot(b.headLocked(), state.Entities(), b.grant, time.Now(), installation)
}

// heartbeat is the interval of heartbeats on a quiet stream.
const heartbeat = 15 * time.Second

// Socket implements port.Transport. This broker has no WebSockets.
func (b *Broker) Socket(context.Context, string, func([]byte) error) error {
	return port.ErrNoUpgrade
}

// subscription returns the start and the filter of a request for a stream.
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
	s, answer, err := b.openStream(r)
	if s == nil {
		return answer, err
	}
	defer b.closeStream(s)
	for {
		frames, grown := b.nextFrames(s)
		if len(frames) > 0 {
			if err := take(frames); err != nil {
				return port.Response{Status: 200}, err
			}
		}
		select {
		case <-grown:
		case <-time.After(heartbeat):
			b.mu.Lock()
			if s.at.Epoch == b.epoch {
				place := wire.Cursor{Epoch: b.epoch, Seq: uint64(s.next)}
				s.pending = wire.AppendSSE(nil, &wire.Heartbeat{Cursor: place})
			}
			b.mu.Unlock()
		case <-s.cut:
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

// stream is an open stream. Only the goroutine of Broker.Stream uses it.
type stream struct {
	cut     chan struct{} // closed to end the stream
	filter  filter.Filter
	at      wire.Cursor // where the stream began, or went on in another log
	next    int         // the index in Broker.events of the next event
	pending []byte      // frames to send before the next event
}

// openStream opens a stream whose first frame is a hello. If it returns no stream, it returns the answer.
func (b *Broker) openStream(r port.Request) (*stream, port.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, port.Response{}, errors.New("fake: down")
	}
	if b.refusal != nil {
		return nil, *b.refusal, nil
	}
	s := &stream{cut: make(chan struct{})}
	b.streams[s.cut] = true
	b.opened++
	var err error
	if s.at, s.filter, err = b.subscription(r.Path); err != nil {
		return nil, *Refusal(400, problem.CodeInvalidFilter), nil
	}
	b.filters = append(b.filters, s.filter.Key())
	head := b.headLocked()
	if s.at == (wire.Cursor{}) {
		s.at = head
	}
	s.next = int(s.at.Seq)
	s.pending = wire.AppendSSE(nil, &wire.Hello{
		Start:     s.at,
		Head:      head,
		Heartbeat: heartbeat,
		Retry:     time.Second,
		Grant:     b.grant.ID(),
	})
	return s, port.Response{}, nil
}

func (b *Broker) closeStream(s *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, s.cut)
}

// nextFrames returns the frames that a stream has not sent yet, and a channel that is closed when there
// are more events.
func (b *Broker) nextFrames(s *stream) (frames []byte, grown chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	frames, s.pending = s.pending, nil
	if s.at.Epoch != b.epoch { // the log was replaced, before the stream began or since
		frames = wire.AppendSSE(frames, &wire.Gap{From: s.at, To: b.headLocked()})
		s.at, s.next = b.headLocked(), len(b.events)
	}
	for ; s.next < len(b.events); s.next++ {
		// The present grant is that of the stream, because Regrant cuts the streams.
		if redacted, ok := access.Redact(b.grant, b.events[s.next]); ok && s.filter.Match(redacted) {
			place := wire.Cursor{Epoch: b.epoch, Seq: uint64(s.next + 1)}
			frames = wire.AppendSSE(frames, &wire.Event{Cursor: place, Event: redacted})
		}
	}
	return frames, b.grown
}
