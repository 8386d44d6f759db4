// Package fake has a broker and a browser in memory, for tests of programs that use the client. Tests
// drive them in virtual time (testing/synctest). End-to-end tests use real brokers and browsers.
//
// A [Broker] is a transport of the client. A [Browser] makes tabs, which are pages of the client.
package fake

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
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

// SetDown makes all requests fail, or ends that.
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
