package wasmclient

import (
	"context"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/loop"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// A Client is one connection to a broker, or a tab's share of one, with the store that it feeds. Call [Client.Run]
// once. All other methods are safe for concurrent use.
type Client struct {
	API
	loop  *loop.Loop
	grant access.Grant // the rights for which View has figures
}

// New returns a client that is disconnected until [Client.Run].
func New(o Options) *Client {
	return &Client{API: API{o.Transport}, loop: loop.New(loop.Config(o)), grant: o.Grant}
}

// Run connects, and stays connected until ctx ends: it reconnects and resumes by itself. It starts disconnected if
// [Options.Disabled] is set. It returns when every goroutine that it started has ended. Afterwards [Client.Publish]
// returns ErrEnded.
func (c *Client) Run(ctx context.Context) { c.loop.Run(ctx) }

// Connect connects. A client that waits for its next attempt tries at once. If another tab holds the connection, that
// tab tries. An existing connection is kept.
func (c *Client) Connect() { c.loop.Command(conn.Start{}) }

// Reconnect drops the connection and makes another one, by the best transport. If another tab holds the connection,
// that tab does so.
func (c *Client) Reconnect() { c.loop.Reconnect() }

// Disconnect ends the connection of this tab until [Client.Connect]. Other tabs stay connected.
func (c *Client) Disconnect() { c.loop.Command(conn.Stop{}) }

// Pause stops the delivery of events until [Client.Resume], which delivers the missed ones. Other tabs still get
// events.
func (c *Client) Pause() { c.loop.Command(conn.Pause{}) }

// Resume ends a [Client.Pause].
func (c *Client) Resume() { c.loop.Command(conn.Resume{}) }

// Clear empties history and counts.
func (c *Client) Clear() { c.loop.Update(func(s *loop.State) { s.Store.Clear() }) }

// Entities returns the last state of every entity that the user may see, or nil before the first snapshot.
func (c *Client) Entities() (all []*projection.Entity) {
	c.loop.Read(func(s *loop.State) { all = s.Store.Entities() })
	return all
}

// Transitions returns the last 200 changes of state, oldest first.
func (c *Client) Transitions() (all []Transition) {
	c.loop.Read(func(s *loop.State) {
		all = slices.Grow(all, len(s.Transitions))
		for _, t := range s.Transitions {
			all = append(all, Transition(t))
		}
	})
	return all
}

// ErrEnded means that the client's Run has returned, so that nothing would send an event.
var ErrEnded = loop.ErrEnded

// Publish writes an event into the outbox under an id of its own. The event is kept when Publish returns. Run sends it,
// connected or not: at once if it can reach the broker, and otherwise as soon as it can. [View.Outbox] shows the
// result. To wait for the broker's answer, or to publish without Run, call [API.Publish]. The error is ErrEnded after
// Run, or ctx's.
func (c *Client) Publish(ctx context.Context, e event.Event) (outbox.Item, error) {
	return c.loop.Publish(ctx, e)
}

// RetryItem sends a rejected item of the outbox again, whatever state its entity is in now.
func (c *Client) RetryItem(id string) { c.loop.CommandOutbox(outbox.Retry{ID: id}) }

// DiscardItem drops an item of the outbox that was not sent.
func (c *Client) DiscardItem(id string) { c.loop.CommandOutbox(outbox.Discard{ID: id}) }

// AcknowledgeLost records that the user has read about the lost items of [View.Lost].
func (c *Client) AcknowledgeLost() { c.loop.Update(func(s *loop.State) { s.Lost = 0 }) }

// UpdateToasts lets f change the queue of toasts: dismiss one, or stop their clock. f must not call the client.
func (c *Client) UpdateToasts(f func(q *toast.Queue, now time.Time)) { c.loop.UpdateToasts(f) }
