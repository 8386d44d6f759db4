package wasmclient

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// A Client is one connection, or a tab's share of one, and its store. Run it
// once.
type Client struct {
	API
	o      Options
	inputs chan any // unbuffered: a stream is read as fast as it is taken
	box    *mailbox // what must not wait

	storage Storage // Options.Storage, or memory

	mu          sync.Mutex // guards all below
	machine     *conn.Machine
	member      *tabs.Member
	store       *store.Store
	asOf        time.Time
	toasts      toast.Queue
	outbox      outbox.Machine
	lost        int          // items that an emptied storage had; 0 once the user has read about them
	unsaved     bool         // the storage failed, and has not yet taken what it missed
	failures    int          // of the storage
	transitions []Transition // the last of them, oldest first
	subscribers []*subscription
	ended       bool // Run has
}

// New makes a client that is disconnected; Run it.
func New(o Options) *Client {
	if o.Ladder == nil {
		o.Ladder = conn.DefaultLadder
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	c := &Client{API: API{o.Transport}, o: o, inputs: make(chan any), box: newMailbox(), store: store.New(o.MaxEvents), storage: o.Storage}
	c.machine = conn.New(conn.Config{Snapshot: o.Snapshot, Backfill: o.Backfill, After: o.After, Ladder: o.Ladder, Random: o.Random})
	c.toasts.SetMax(time.Now(), o.MaxToasts)
	c.member = tabs.NewMember(false, true, o.Grace)
	// Tabs belong together that are of one user: without a name for it they are
	// alone.
	if o.Page != nil {
		c.member = tabs.NewMember(o.Page.HasLocks() && o.Grant.User != "", o.Page.Visible(), o.Grace)
	}
	if c.storage == nil {
		c.storage = &Memory{}
	}
	return c
}

// View returns what the client knows now. Its parts are not changed later.
func (c *Client) View() View {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := c.machine.Status()
	if c.ended {
		status = conn.Status{State: conn.Disconnected, Code: "ended", Since: status.Since}
	}
	v := View{
		Status: status, Role: c.member.Role(), Cursor: c.machine.Cursor(), Connected: status.Connected(), Events: c.store.Events(),
		Counts: c.store.Counts(), Total: c.store.Total(), Figures: c.store.Figures(c.o.Grant, time.Now()),
		Today:    c.store.Today(time.Now()),
		Currency: c.store.Currency(), AsOf: c.asOf, Toasts: c.toasts.Visible(), More: c.toasts.More(),
		Outbox: c.outbox.Items(), Lost: c.lost, Unsaved: c.unsaved,
	}
	if len(v.Events) > 0 {
		v.LastEvent = &v.Events[0]
	}
	return v
}

// connected tells whether events come.
func (c *Client) connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.Status().Connected()
}

// Entities are the last states of things, nil before the first snapshot.
func (c *Client) Entities() []*projection.Entity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.Entities()
}

// Transitions are the last 200 changes of state, oldest first.
func (c *Client) Transitions() []Transition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.transitions)
}

// Connect connects, or tries at once where the client waits. Where another tab
// holds the connection it is that one's that is tried. One that is there stays.
func (c *Client) Connect() { c.box.put(conn.Start{}) }

// Reconnect drops the connection and makes another, by the best transport. Where
// another tab holds the connection it is that one's.
func (c *Client) Reconnect() { c.box.put(reconnect{}) }

// reconnect is the user's wish for another connection.
type reconnect struct{}

// Disconnect ends the connection until Connect. Other tabs keep theirs.
func (c *Client) Disconnect() { c.box.put(conn.Stop{}) }

// Pause stops taking events until Resume, which brings what was missed. Other
// tabs go on.
func (c *Client) Pause() { c.box.put(conn.Pause{}) }

// Resume ends a Pause.
func (c *Client) Resume() { c.box.put(conn.Resume{}) }

// Clear empties history and counts.
func (c *Client) Clear() {
	c.mu.Lock()
	c.store.Clear()
	c.mu.Unlock()
	c.changed()
}

// Publish writes an event into the outbox, and gives it an id of its own. It is
// kept when Publish returns; Run sends it, connected or not, at once if the
// broker can be reached and else when it can be. What becomes of it is in View.
// To be told the broker's answer, and to publish without Run, call API.Publish.
// The error is ErrEnded after Run.
func (c *Client) Publish(ctx context.Context, e event.Event) (outbox.Item, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return outbox.Item{}, err
	}
	now := time.Now()
	item := outbox.Item{ID: id.String(), Type: e.Type, Data: e.Data, Written: now, Subject: e.Subject, Key: event.ReusableEntityKey(e), State: outbox.Queued}
	if c.o.Page != nil {
		item.Tab = c.o.Page.Tab()
	}
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return outbox.Item{}, ErrEnded
	}
	if item.After = c.machine.Cursor(); item.After == (wire.Cursor{}) {
		item.After = c.store.Cursor() // of the last visit
	}
	if item.Key != "" && !c.machine.Status().Connected() {
		item.Based = item.After // nobody knows what has happened since
	}
	c.mu.Unlock()
	if err := c.keep(ctx, item); err != nil {
		return outbox.Item{}, err
	}
	c.box.put(outbox.Learn{Items: []outbox.Item{item}})
	c.box.put(outbox.Tell{Item: item})
	return item, nil
}

// ErrEnded means that the client runs no more: its user has left.
var ErrEnded = errors.New("wasmclient: the client has ended")

// end notes that Run is over.
func (c *Client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
}

// RetryItem sends a rejected item again, whatever state its thing is in now;
// DiscardItem drops it.
func (c *Client) RetryItem(id string) { c.box.put(outbox.Retry{ID: id}) }

// DiscardItem drops an item that was not sent.
func (c *Client) DiscardItem(id string) { c.box.put(outbox.Discard{ID: id}) }

// LostRead records that the user has read about the lost items of View.Lost.
func (c *Client) LostRead() {
	c.mu.Lock()
	c.lost = 0
	c.mu.Unlock()
	c.changed()
}

// WithToasts lets f change the queue of toasts: dismiss one, hold the clock.
func (c *Client) WithToasts(f func(q *toast.Queue, now time.Time)) {
	c.mu.Lock()
	f(&c.toasts, time.Now())
	c.mu.Unlock()
	c.box.put(toastsChanged{})
}

func (c *Client) changed() {
	if c.o.OnChange != nil {
		c.o.OnChange()
	}
}

// input gives Run something that may wait for it. It fails when ctx ends.
func (c *Client) input(ctx context.Context, in any) error {
	select {
	case c.inputs <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
