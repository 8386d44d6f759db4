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
	m := nats.NewMsg(l.config.subjectRoot() + subject(e.Type, e.Subject))
	if len(m.Subject) > maxSubject {
		return eventlog.Ack{}, fmt.Errorf("jetlog: subject of %d bytes", len(m.Subject))
	}
	m.Data = e.Body
	m.Header.Set(digestHeader, e.Digest)
	if err := l.Health(); err != nil {
		return eventlog.Ack{}, err // nothing was sent, so nothing was stored
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	head := l.knownHead()
	link := l.connected(ctx)
	ack, err := link.publish(ctx, m, e.Key)
	// When the caller has cancelled the call, an error is no failure of the log.
	if err == nil || caller.Err() == nil {
		l.noteAppend(err)
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
		l.numberReused.Store(true)
		l.checkSoon()
		return eventlog.Ack{}, unavailable(errWentBack)
	}
	l.noteHead(ack.Sequence)
	return eventlog.Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// errWentBack means that the server has put the log back to an earlier state.
var errWentBack = errors.New("jetlog: the log went back to an earlier state")

// codeSameIDInProgress is the error code of a server that is storing another
// message with the same id at this moment.
const codeSameIDInProgress = 10158

// retryPause is the time between two attempts of a request.
const retryPause = 20 * time.Millisecond

// pause waits for retryPause. It returns false when ctx ends first.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errNotConnected is the client library's error for a message that it did not
// send because it has no connection.
var errNotConnected = nats.ErrReconnectBufExceeded

// publish stores a message under a key. It tries again until ctx ends in two
// cases. When the server is storing the same key for another client, publish must
// wait for that client's result to get the number of the record. When there is no
// connection, publish has sent nothing, so that it may try again.
func (l *link) publish(ctx context.Context, m *nats.Msg, key string) (*jetstream.PubAck, error) {
	for {
		ack, err := l.js.PublishMsg(ctx, m, jetstream.WithMsgID(key))
		var refused *jetstream.APIError
		inProgress := errors.As(err, &refused) && refused.ErrorCode == codeSameIDInProgress
		if !inProgress && !errors.Is(err, errNotConnected) {
			return ack, err
		}
		if !pause(ctx) {
			return nil, err
		}
	}
}

// noteHead notes that the log has reached a number.
func (l *Log) noteHead(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = max(l.head, seq)
}

// checkDigest returns eventlog.ErrConflict when the record has another digest:
// then it is another event with the same id. A purged record cannot be compared,
// so it counts as the same event.
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

// connected returns the current link. When an external server is not connected,
// connected waits up to callTimeout until it is.
func (l *Log) connected(ctx context.Context) *link {
	link := l.currentLink()
	if l.config.URL == "" || link.conn.IsConnected() {
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
