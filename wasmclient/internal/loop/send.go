package loop

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// EntityMoved is the code of an item that the broker refused because its entity has changed since the
// user wrote the item.
const EntityMoved = problem.CodeEntityMoved

// sendTimeout bounds one attempt to send an item.
const sendTimeout = 30 * time.Second

// sendItem sends an item of the outbox to the broker, and returns the result.
func (d *driver) sendItem(s outbox.Send) outbox.Answered {
	ctx, cancel := context.WithTimeout(d.ctx, sendTimeout)
	defer cancel()
	if s.LookUpFirst {
		at, known := d.lookUp(ctx, s.Item)
		if !known || at != (wire.Cursor{}) {
			return outbox.Answered{ID: s.Item.ID, Cursor: at}
		}
	}
	e := event.Event{ID: s.Item.ID, Type: s.Item.Type, Data: s.Item.Data, Time: s.Item.Written}
	receipt, err := rest.Publish(ctx, d.cfg.Transport, e, s.Item.Based, d.cfg.Grant)
	var refused *port.Error
	if errors.As(err, &refused) && slices.ContainsFunc(refused.Fields, isTimeRefused) {
		e.Time = time.Time{} // This device's clock is ahead, so the broker sets the time.
		receipt, err = rest.Publish(ctx, d.cfg.Transport, e, s.Item.Based, d.cfg.Grant)
	}
	if err != nil {
		return d.answerOf(s.Item, err)
	}
	return outbox.Answered{ID: s.Item.ID, Cursor: receipt.Cursor}
}

// answerOf returns the result of an item that was not stored because of err.
func (d *driver) answerOf(item outbox.Item, err error) outbox.Answered {
	a := outbox.Answered{ID: item.ID}
	var refused *port.Error
	switch {
	case errors.Is(err, port.ErrNotBroker): // such as a firewall's page with status 200
		a.Status, a.Code, a.Reachable = 200, "http_200", d.isConnected()
		a.Problem = "Something else than the broker answered. (http_200)"
	case errors.As(err, &refused):
		a.Status, a.Code, a.Problem = refused.Status, refused.Code, refused.Sentence()
		a.RetryAfter, a.Reachable = refused.RetryAfter, d.isConnected()
		if refused.Code == EntityMoved {
			a.Problem = "It has changed since you wrote this. " +
				"Look at it, then send yours all the same, or discard it. (" + EntityMoved + ")"
		}
	}
	return a
}

// isTimeRefused reports whether the broker refused the time of an event.
func isTimeRefused(f event.FieldError) bool { return f.Pointer == "/time" }

// lookUp looks for an item in the history. The zero cursor means that the item is not there. known is false if the
// broker did not answer.
func (d *driver) lookUp(ctx context.Context, item outbox.Item) (at wire.Cursor, known bool) {
	at, err := d.find(ctx, item)
	if err == nil {
		return at, true
	}
	var refused *port.Error
	return at, errors.As(err, &refused) && refused.FromBroker && refused.Status < 500
}

// find returns the place of an item in the history of its subject, or the zero cursor if it is not there.
func (d *driver) find(ctx context.Context, item outbox.Item) (wire.Cursor, error) {
	f := filter.Filter{Types: []event.Type{item.Type}}
	if item.Subject != "" { // An event that no constructor made may lack it.
		f.Subjects = []string{item.Subject}
	}
	next := "oldest"
	if item.After != (wire.Cursor{}) {
		next = item.After.String()
	}
	for {
		p, err := rest.ReadHistory(ctx, d.cfg.Transport, f, url.Values{"after": {next}})
		if err != nil {
			return wire.Cursor{}, err
		}
		for _, e := range p.Events {
			if e.ID == item.ID {
				return wire.ParseCursor(e.Cursor)
			}
		}
		if p.Next == p.Head || p.Next.String() == next {
			return wire.Cursor{}, nil
		}
		next = p.Next.String()
	}
}
