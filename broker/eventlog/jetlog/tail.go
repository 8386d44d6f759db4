package jetlog

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// maxRecent is the number of records in Log.recent. Between two cleanups there may
// be up to twice as many.
const maxRecent = 1024

// Tail implements eventlog.Log. An embedded log has one writer, this process, so
// Tail takes new records from memory. Their field Stored is the time when they
// were sent to the server.
func (l *Log) Tail(ctx context.Context, after uint64, handle func(eventlog.Record)) error {
	if l.config.URL == "" {
		return eventlog.TailByReading(ctx, l.readNext, after, l.growth, handle)
	}
	return l.tailServer(ctx, after, handle)
}

// readNext is Read for the embedded log's Tail. It makes no request to the server
// for recent records, or when there is no further record.
func (l *Log) readNext(
	ctx context.Context, after uint64, limit int, s eventlog.Selection,
) (eventlog.Page, error) {
	l.mu.Lock()
	recent, head, gone := l.recent, l.head, after+1 < l.first
	l.mu.Unlock()
	switch {
	case gone:
		return eventlog.Page{}, eventlog.ErrGone
	case after >= head:
		return eventlog.Page{Through: after}, nil
	case len(recent) > 0 && after+1 >= recent[0].Seq:
		return eventlog.Page{Records: recent[after+1-recent[0].Seq:], Through: recent[len(recent)-1].Seq}, nil
	}
	page, err := l.Read(ctx, after, limit, s)
	l.ids.add(page.Records...)
	return page, err
}

// growth returns a channel that is closed when the embedded log gets another
// record.
func (l *Log) growth() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// noteRecords notes records that the server has stored. They have consecutive
// numbers.
func (l *Log) noteRecords(records []eventlog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first := records[0].Seq; l.config.URL == "" && first > l.head {
		if first != l.head+1 { // the log has a record of which this process had no ack
			l.recent = nil
		}
		if len(l.recent) >= 2*maxRecent {
			l.recent = append([]eventlog.Record(nil), l.recent[len(l.recent)-maxRecent:]...)
		}
		l.recent = append(l.recent, records...)
	}
	l.noteHeadLocked(records[len(records)-1].Seq)
}

// noteHead notes that the log has reached a number.
func (l *Log) noteHead(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteHeadLocked(seq)
}

// noteHeadLocked is noteHead for a caller that holds l.mu.
func (l *Log) noteHeadLocked(seq uint64) {
	if seq <= l.head {
		return
	}
	if l.head = seq; len(l.recent) > 0 && l.recent[len(l.recent)-1].Seq != seq {
		l.recent = nil
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// noteFirst notes that the log keeps no record before a number.
func (l *Log) noteFirst(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = max(l.first, seq)
	l.ids.notePurged(l.first - 1)
}

// tailServer is Tail for an external log.
func (l *Log) tailServer(ctx context.Context, after uint64, handle func(eventlog.Record)) error {
	if b, err := l.Bounds(ctx); err != nil {
		return nilIfDone(ctx, err)
	} else if after+1 < b.First {
		return eventlog.ErrGone
	}
	link := l.currentLink()
	consumer, err := link.js.OrderedConsumer(ctx, l.config.streamName(), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   after + 1,
	})
	if err != nil {
		return nilIfDone(ctx, unavailable(err))
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nilIfDone(ctx, unavailable(err))
	}
	defer link.dropConsumer(consumer)
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nilIfDone(ctx, unavailable(err))
		}
		r, err := l.config.recordOf(m)
		if err != nil {
			return err
		}
		// A purge ahead of the consumer shows only as a jump of the numbers.
		if r.Seq != after+1 {
			return eventlog.ErrGone
		}
		l.noteHead(r.Seq)
		l.ids.add(r)
		handle(r)
		after = r.Seq
	}
}

// dropConsumer deletes a consumer, which the server would otherwise keep for
// five more minutes.
func (l *link) dropConsumer(c jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if info := c.CachedInfo(); info != nil && l.conn.IsConnected() {
		_ = l.js.DeleteConsumer(ctx, info.Stream, info.Name) // on failure the server deletes it later
	}
}

// recordOf returns the record that a message of the stream holds.
func (c Config) recordOf(m jetstream.Msg) (eventlog.Record, error) {
	meta, err := m.Metadata()
	if err != nil {
		return eventlog.Record{}, fmt.Errorf("jetlog: %w", err)
	}
	typ, subject := c.parseSubject(m.Subject())
	return eventlog.Record{
		Seq:     meta.Sequence.Stream,
		Type:    typ,
		Subject: subject,
		Stored:  meta.Timestamp,
		Body:    m.Data(),
		Key:     m.Headers().Get(nats.MsgIdHdr),
		Digest:  m.Headers().Get(digestHeader),
	}, nil
}
