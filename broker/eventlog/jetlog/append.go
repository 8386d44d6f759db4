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

// Append implements eventlog.Log. The entries of all callers that wait at the
// same time share one flush.
func (l *Log) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	if err := l.canAppend(e); err != nil {
		return eventlog.Ack{}, err
	}
	if !l.currentLink().atomic {
		return l.appendOne(ctx, e)
	}
	return eventlog.SingleAck(l.await(ctx, []eventlog.Entry{e}))
}

// AppendBatch implements eventlog.Log. It waits until the log knows the ids that
// were stored before the start. It may store a part of the entries in three
// cases: the server is older than 2.12, another broker has just stored one of the
// ids, or there are more than maxGroup entries.
func (l *Log) AppendBatch(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Ack, error) {
	if err := l.canAppend(entries...); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case <-l.idsLoaded:
	case <-wait.Done():
		return nil, unavailable(wait.Err()) // nothing was sent
	}
	return l.await(ctx, entries)
}

// canAppend returns an error when entries cannot be stored. Then nothing was sent.
func (l *Log) canAppend(entries ...eventlog.Entry) error {
	for _, e := range entries {
		if n := len(l.config.subjectRoot()) + len(subject(e.Type, e.Subject)); n > maxSubject {
			return fmt.Errorf("jetlog: subject of %d bytes", n)
		}
	}
	return l.Health()
}

// appendOne stores an entry by an ordinary publish.
func (l *Log) appendOne(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	head, now := l.knownHead(), time.Now()
	link := l.connected(ctx)
	ack, err := link.publish(ctx, l.config.message(e))
	if err == nil && ack.Duplicate && ack.Sequence > head && l.config.URL == "" {
		err = errUnproven
	}
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
		l.noteHead(ack.Sequence)
		return eventlog.Ack{Seq: ack.Sequence, Duplicate: true}, nil
	}
	if err := l.noteStored([]eventlog.Entry{e}, ack.Sequence, head, now); err != nil {
		return eventlog.Ack{}, err
	}
	return eventlog.Ack{Seq: ack.Sequence}, nil
}

// errUnproven means that the embedded server has a record in memory that it has never
// acknowledged. The flush of the record may have failed: a server of nats-server 2.15.2
// then knows the id of the record, and would call a repetition a duplicate. A later
// record that is acknowledged proves that the flush worked, and so does the restart
// after some failures; see checkEmbedded.
var errUnproven = errors.New("jetlog: the record may not be on the disk")

// message returns the message that stores an entry.
func (c Config) message(e eventlog.Entry) *nats.Msg {
	return &nats.Msg{
		Subject: c.subjectRoot() + subject(e.Type, e.Subject),
		Header:  nats.Header{digestHeader: {e.Digest}, nats.MsgIdHdr: {e.Key}},
		Data:    e.Body,
	}
}

// noteStored notes entries that the server has stored under the numbers from
// first on. head is the known head before they were sent. The error means that
// the server gave them the numbers of earlier records.
func (l *Log) noteStored(entries []eventlog.Entry, first, head uint64, sent time.Time) error {
	if first <= head {
		l.numberReused.Store(true)
		l.checkSoon()
		return unavailable(errWentBack)
	}
	records := make([]eventlog.Record, len(entries))
	for i, e := range entries {
		records[i] = eventlog.Record{
			Seq:     first + uint64(i),
			Type:    e.Type,
			Subject: e.Subject,
			Stored:  sent,
			Body:    e.Body,
			Key:     e.Key,
			Digest:  e.Digest,
			Value:   e.Value,
		}
	}
	l.ids.add(records...)
	l.noteRecords(records)
	return nil
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

// publish stores a message. It tries again until ctx ends in two cases. When the
// server is storing a message with the same id for another client, publish must
// wait for that client's result to get the number of the record. When there is no
// connection, publish has sent nothing, so that it may try again.
func (l *link) publish(ctx context.Context, m *nats.Msg) (*jetstream.PubAck, error) {
	for {
		ack, err := l.js.PublishMsg(ctx, m)
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
