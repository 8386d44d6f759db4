// Package jetlog keeps the log in NATS JetStream: embedded in the process by
// default, without any socket and synced to the disk before every
// acknowledgement, or in an external cluster by URL.
//
// The stream is the log: its sequence is the event's, its metadata carry the
// epoch, and an event's subject is ev.<type>.<kind>.<id>, so that a read by
// type or subject is a filtered read. The store beside it is a key-value
// bucket of the same server.
package jetlog

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

const (
	streamName   = "YARDLINE_EVENTS"
	bucketName   = "YARDLINE_STORE"
	epochKey     = "epoch" // in the stream's metadata
	digestHeader = "Yardline-Digest"

	callTimeout = 5 * time.Second
	// maxSubject keeps well under the 4 KiB of NATS's control line, beyond
	// which the server closes the connection for good.
	maxSubject = 2048
)

// Config says where the log is.
type Config struct {
	Dir      string        // embedded: where the files are
	URL      string        // external: the address of a NATS server; Dir is not used then
	Replicas int           // external: on how many servers a new log is kept, 1
	Window   time.Duration // deduplication; 0 is one hour. Each remembered id costs about 100 bytes of memory
	Logger   *slog.Logger  // nil: none
}

// Log is an eventlog.Log in JetStream.
type Log struct {
	c     Config
	epoch string

	// Embedded alone.
	lock   *os.File
	keeper sync.WaitGroup
	stop   context.CancelFunc // of the keeper

	mu     sync.Mutex // guards all below
	link   *link
	health error
	failed time.Time // of the first append that failed since one succeeded
}

// A link is a connection to a server, and what is open on it. It is replaced
// as a whole when an embedded server is started again.
type link struct {
	server *server.Server // nil where it is external
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	bucket jetstream.KeyValue
}

var _ eventlog.Log = (*Log)(nil)

// Open starts or reaches the server and opens the log, a new one where there
// is none. A log that is there but damaged is an error, never replaced.
func Open(ctx context.Context, c Config) (*Log, error) {
	c.Window = cmp.Or(c.Window, time.Hour)
	c.Replicas = cmp.Or(c.Replicas, 1)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{c: c}
	var err error
	if c.URL == "" {
		if l.lock, err = lockDir(c.Dir); err != nil {
			return nil, err
		}
	}
	if l.link, l.epoch, err = connect(ctx, c, true); err != nil {
		return nil, errors.Join(err, l.unlock())
	}
	if c.URL == "" {
		var keep context.Context
		keep, l.stop = context.WithCancel(context.Background())
		l.keeper.Go(func() { l.keep(keep) })
	}
	return l, nil
}

// connect makes a link, and reads the epoch of the log at its end. A log is
// made where there is none only if create says so.
func connect(ctx context.Context, c Config, create bool) (_ *link, epoch string, err error) {
	l := &link{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if c.URL == "" {
		if l.server, err = startEmbedded(c.Dir); err != nil {
			return nil, "", err
		}
		l.conn, err = nats.Connect("", nats.InProcessServer(l.server), nats.MaxReconnects(-1))
	} else {
		l.conn, err = nats.Connect(c.URL, nats.Name("yardline"), nats.MaxReconnects(-1))
	}
	if err != nil {
		return nil, "", fmt.Errorf("jetlog: connect: %w", err)
	}
	if l.js, err = jetstream.New(l.conn); err != nil {
		return nil, "", fmt.Errorf("jetlog: %w", err)
	}
	if epoch, err = l.openStream(ctx, c, create); err != nil {
		return nil, "", err
	}
	l.bucket, err = l.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: bucketName, History: 1, Storage: jetstream.FileStorage, LimitMarkerTTL: time.Minute, Replicas: c.Replicas})
	if err != nil {
		return nil, "", fmt.Errorf("jetlog: store: %w", err)
	}
	return l, epoch, nil
}

func (l *link) close() {
	if l.conn != nil {
		l.conn.Close()
	}
	if l.server != nil {
		stopEmbedded(l.server)
	}
}

// openStream reads the epoch first: creating a stream over a damaged one, or
// updating it, would put a new epoch over old records.
func (l *link) openStream(ctx context.Context, c Config, create bool) (epoch string, err error) {
	stream, err := l.js.Stream(ctx, streamName)
	if create && errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := healthy(l.server); err != nil {
			return "", fmt.Errorf("jetlog: the log is damaged: %w", err)
		}
		stream, err = l.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: streamName, Subjects: []string{"ev.>"}, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
			MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
			AllowDirect: true, DenyDelete: true, Duplicates: c.Window, Replicas: c.Replicas,
			Metadata: map[string]string{epochKey: newEpoch()},
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another broker was first
			stream, err = l.js.Stream(ctx, streamName)
		}
	}
	if err != nil {
		return "", fmt.Errorf("jetlog: stream: %w", err)
	}
	config := stream.CachedInfo().Config
	epoch = config.Metadata[epochKey]
	if !wire.ValidEpoch(epoch) {
		return "", fmt.Errorf("jetlog: the stream %s has no epoch: it is damaged or not Yardline's", streamName)
	}
	if config.Duplicates != c.Window {
		config.Duplicates = c.Window
		if stream, err = l.js.UpdateStream(ctx, config); err != nil {
			return "", fmt.Errorf("jetlog: deduplication window: %w", err)
		}
	}
	l.stream = stream
	return epoch, nil
}

// now is the link that is in use.
func (l *Log) now() *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.link
}

// newEpoch is 40 random bits in lower case.
func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }

// Epoch implements eventlog.Log.
func (l *Log) Epoch() string { return l.epoch }

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	m := nats.NewMsg(subject(e.Type, e.Subject))
	if len(m.Subject) > maxSubject {
		return eventlog.Ack{}, fmt.Errorf("jetlog: subject of %d bytes", len(m.Subject))
	}
	m.Data = e.Body
	m.Header.Set(digestHeader, e.Digest)
	if err := l.Health(); err != nil {
		return eventlog.Ack{}, err // at once, and nothing was stored
	}
	link, caller := l.now(), ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ack, err := link.js.PublishMsg(ctx, m, jetstream.WithMsgID(e.Key))
	if err == nil || caller.Err() == nil { // that a caller is gone says nothing of the log
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
	return eventlog.Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// checkDigest tells a repetition from another event under the same id. A
// record that was purged since cannot be told and counts as a repetition.
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

// Tail implements eventlog.Log.
func (l *Log) Tail(ctx context.Context, after uint64, take func(eventlog.Record)) error {
	if b, err := l.Bounds(ctx); err != nil {
		return stopped(ctx, err)
	} else if after+1 < b.First {
		return eventlog.ErrGone
	}
	link := l.now()
	consumer, err := link.js.OrderedConsumer(ctx, streamName, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1})
	if err != nil {
		return stopped(ctx, unavailable(err))
	}
	messages, err := consumer.Messages()
	if err != nil {
		return stopped(ctx, unavailable(err))
	}
	defer link.dropConsumer(consumer)
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return stopped(ctx, unavailable(err))
		}
		r, err := recordOf(m)
		if err != nil {
			return err
		}
		// A purge ahead of the consumer shows as a jump and as nothing else.
		if r.Seq != after+1 {
			return eventlog.ErrGone
		}
		take(r)
		after = r.Seq
	}
}

// dropConsumer removes what the server would keep for five minutes more.
func (l *link) dropConsumer(c jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if info := c.CachedInfo(); info != nil && l.conn.IsConnected() {
		_ = l.js.DeleteConsumer(ctx, streamName, info.Name) // it goes away by itself, later
	}
}

func recordOf(m jetstream.Msg) (eventlog.Record, error) {
	meta, err := m.Metadata()
	if err != nil {
		return eventlog.Record{}, fmt.Errorf("jetlog: %w", err)
	}
	typ, subject := parseSubject(m.Subject())
	return eventlog.Record{Seq: meta.Sequence.Stream, Type: typ, Subject: subject, Stored: meta.Timestamp, Body: m.Data()}, nil
}

// Bounds implements eventlog.Log.
func (l *Log) Bounds(ctx context.Context) (eventlog.Bounds, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := l.now().stream.Info(ctx)
	if err != nil {
		return eventlog.Bounds{}, unavailable(err)
	}
	b := eventlog.Bounds{First: info.State.FirstSeq, Last: info.State.LastSeq}
	if info.State.Msgs == 0 {
		b.First = b.Last + 1 // JetStream says 0 for a stream that was never written to
	}
	return b, nil
}

// Purge implements eventlog.Log.
func (l *Log) Purge(ctx context.Context, through uint64) error {
	b, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	keep := min(through, b.Last) + 1 // a place beyond the head would move the head
	if keep <= b.First {
		return nil
	}
	return unavailable(l.now().stream.Purge(ctx, jetstream.WithPurgeSequence(keep)))
}

// Close implements eventlog.Log.
func (l *Log) Close() error {
	if l.stop != nil {
		l.stop()
		l.keeper.Wait()
	}
	l.now().close()
	return l.unlock()
}

func (l *Log) unlock() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}

// unavailable marks what the server could not do, so that the caller knows
// that trying again is right.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
}

// stopped is nil where the caller ended it.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// subject is the NATS subject of an event: ev.<type>.<kind>.<id>.
func subject(t event.Type, s string) string {
	kind, id, _ := strings.Cut(s, "/")
	return "ev." + string(t) + "." + token(kind) + "." + token(id)
}

// parseSubject reads it back. What a foreign writer put into the stream has no
// type and no subject: it takes its place, and means nothing.
func parseSubject(s string) (event.Type, string) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return "", ""
	}
	kind, kindErr := untoken(parts[2])
	id, idErr := untoken(parts[3])
	if kindErr != nil || idErr != nil {
		return "", ""
	}
	return event.Type(parts[1]), kind + "/" + id
}
