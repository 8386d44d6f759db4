package loop

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

// ErrEnded means that Run has returned, so that nothing would send an event.
var ErrEnded = errors.New("wasmclient: the client has ended")

// Publish writes an event into the outbox under an id of its own. The storage has it when Publish returns, unless the
// storage fails. The error is ErrEnded after Run, or ctx's.
func (l *Loop) Publish(ctx context.Context, e event.Event) (outbox.Item, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return outbox.Item{}, err
	}
	item := outbox.Item{
		ID:      id.String(),
		Type:    e.Type,
		Data:    e.Data,
		Written: time.Now(),
		Subject: e.Subject,
		Key:     event.ReusableEntityKey(e),
		State:   outbox.Queued,
	}
	if l.cfg.Page != nil {
		item.Tab = l.cfg.Page.Tab()
	}
	if err := l.setPlaces(&item); err != nil {
		return outbox.Item{}, err
	}
	if err := l.saveItem(ctx, item); err != nil {
		return outbox.Item{}, err
	}
	l.mailbox.put(outboxMessage{outbox.Learn{Items: []outbox.Item{item}}})
	l.mailbox.put(itemWritten{item})
	return item, nil
}

// setPlaces records in an item which state of its entity the author has seen.
func (l *Loop) setPlaces(item *outbox.Item) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Ended {
		return ErrEnded
	}
	if item.After = l.state.Machine.Cursor(); item.After == (wire.Cursor{}) {
		item.After = l.state.Store.Cursor() // the end of the last visit
	}
	if item.Key != "" && !l.state.Machine.Status().Connected() {
		item.Based = item.After // The client does not know what has happened since.
	}
	return nil
}
