package jetlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	m := nats.NewMsg(l.c.root() + subject(e.Type, e.Subject))
	if len(m.Subject) > maxSubject {
		return eventlog.Ack{}, fmt.Errorf("jetlog: subject of %d bytes", len(m.Subject))
	}
	m.Data = e.Body
	m.Header.Set(digestHeader, e.Digest)
	if err := l.Health(); err != nil {
		return eventlog.Ack{}, err // at once, and nothing was stored
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	head := l.reached()
	link := l.connected(ctx)
	ack, err := link.publish(ctx, m, e.Key)
	if err == nil || caller.Err() == nil { // A caller that has left says nothing about the log.
		l.appended(err)
	}
	if err != nil {
		return eventlog.Ack{}, unavailable(err)
	}
	if ack.Duplicate {
		if err := link.checkDigest(ctx, ack.Sequence, e.Digest); err != nil {
			return eventlog.Ack{}, err
		}
	}
	if !ack.Duplicate && ack.Sequence <= head {
		l.overtaken.Store(true)
		l.checkSoon()
		return eventlog.Ack{}, unavailable(errWentBack)
	}
	l.hear(ack.Sequence)
	return eventlog.Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// errWentBack means that the server has put the log back to an earlier state.
var errWentBack = errors.New("jetlog: the log went back to an earlier state")

// errTwin is the code of a server that stores the same id at this moment.
const errTwin = 10158

// againPause is how long a request waits before it is made again.
const againPause = 20 * time.Millisecond

// pause waits for againPause. It returns false when ctx ends first.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(againPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errDown is the client library's error for a message that it did not send,
// because the connection is down.
var errDown = nats.ErrReconnectBufExceeded

// publish stores a message. It asks again while the server stores the same id
// for somebody else, because only the end of that tells where the record is, and
// while the connection is down, because nothing was sent then.
func (l *link) publish(ctx context.Context, m *nats.Msg, key string) (*jetstream.PubAck, error) {
	for {
		ack, err := l.js.PublishMsg(ctx, m, jetstream.WithMsgID(key))
		var refused *jetstream.APIError
		if !errors.Is(err, errDown) && (!errors.As(err, &refused) || refused.ErrorCode != errTwin) {
			return ack, err
		}
		if !pause(ctx) {
			return nil, err
		}
	}
}

// hear records that the log has a record with this sequence.
func (l *Log) hear(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = max(l.head, seq)
}

// checkDigest tells a repetition from another event under the same id. A
// purged record cannot be compared, so it counts as a repetition.
func (l *link) checkDigest(ctx context.Context, seq uint64, digest string) error {
	m, err := l.stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	if m.Header.Get(digestHeader) != digest {
		return eventlog.ErrConflict
	}
	return nil
}

// connected returns the link. It waits up to callTimeout for an external server
// to come back.
func (l *Log) connected(ctx context.Context) *link {
	link := l.now()
	if l.c.URL == "" || link.conn.IsConnected() {
		return link
	}
	changes := link.conn.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer link.conn.RemoveStatusListener(changes)
	if link.conn.IsConnected() {
		return link
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case <-changes:
	case <-ctx.Done():
	}
	return link
}
