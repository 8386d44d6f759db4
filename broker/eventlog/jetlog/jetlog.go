// Package jetlog keeps the log in NATS JetStream: embedded in the process by
// default, without any socket and synced to the disk before every
// acknowledgement, or in an external cluster by URL.
//
// The stream is the log: its sequence is the event's, its metadata carry the
// first epoch, and an event's subject is ev.<type>.<kind>.<id>, so that a read by
// type or subject is a filtered read. The store beside it is a key-value
// bucket of the same server. It holds the present epoch; see settle.
package jetlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/event"
)

const (
	digestHeader = "Yardline-Digest"

	callTimeout = 5 * time.Second
	// maxSubject keeps well under the 4 KiB of NATS's control line, beyond
	// which the server closes the connection for good.
	maxSubject = 2048
)

// DefaultPrefix begins the names of the stream and the store.
const DefaultPrefix = "YARDLINE"

// Config says where the log is.
type Config struct {
	// Dir is the data directory. It holds an embedded log. With URL it holds the
	// broker's notes about the log, by which the broker notices a log that went
	// back to an earlier state. With URL, "" keeps no notes.
	Dir string
	// URL is the address of an external NATS server. "" embeds a server.
	URL string
	// Prefix begins the names of the stream and the store of an external
	// server, so that several installations can share it. It consists of
	// letters, digits, _ and -. Defaults to DefaultPrefix.
	Prefix string
	// Owner identifies the installation at an external server. Open refuses a
	// log of another owner. "" disables the check.
	Owner string
	// NewEpoch gives the log a new epoch when it is opened.
	NewEpoch bool
	// Replicas is the number of servers that keep a new external log. Defaults
	// to 1.
	Replicas int
	// Window is how long ids are remembered. Each takes about 100 bytes of
	// memory. Defaults to one hour.
	Window time.Duration
	// Logger defaults to one that discards everything.
	Logger *slog.Logger
}

// ValidPrefix tells whether a text may be a Prefix.
func ValidPrefix(s string) bool { return s != "" && len(s) <= 32 && token(s) == s }

func (c Config) stream() string { return c.Prefix + "_EVENTS" }
func (c Config) bucket() string { return c.Prefix + "_STORE" }

// root begins the subjects of events. Streams of one server must not share
// subjects, and the first installation has had "ev." from the beginning.
func (c Config) root() string {
	if c.Prefix == DefaultPrefix {
		return "ev."
	}
	return c.Prefix + ".ev."
}

// Log is an eventlog.Log in JetStream.
type Log struct {
	c         Config
	epoch     string
	ancestors []eventlog.Ancestor

	lock    *os.File // embedded only
	keeper  sync.WaitGroup
	stop    context.CancelFunc // of the keeper
	poke    chan struct{}      // asks the keeper to check the log; one request at a time is enough
	changed chan struct{}      // closed when the log got another epoch
	change  sync.Once          // closes changed
	// overtaken tells that a new record got a sequence that was there before.
	overtaken atomic.Bool

	state keptState // only Open, and then the keeper and Close, use it

	mu     sync.Mutex // guards all below
	link   *link
	head   uint64 // the newest sequence that this process has heard of
	health error
	failed time.Time // of the first append that failed since one succeeded
}

var _ eventlog.Log = (*Log)(nil)

// Open starts or reaches the server and opens the log, a new one where there
// is none. A log that is there but damaged is an error, never replaced.
func Open(ctx context.Context, c Config) (_ *Log, err error) {
	c.Window = cmp.Or(c.Window, time.Hour)
	c.Replicas = cmp.Or(c.Replicas, 1)
	if c.Prefix = cmp.Or(c.Prefix, DefaultPrefix); c.URL == "" {
		c.Prefix, c.Owner = DefaultPrefix, "" // an embedded server has one installation
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{c: c, poke: make(chan struct{}, 1), changed: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.unlock())
		}
	}()
	if c.URL == "" {
		if l.lock, err = lockDir(c.Dir); err != nil {
			return nil, err
		}
	}
	if l.link, err = connect(ctx, c, true, l.checkSoon); err != nil {
		return nil, err
	}
	if err := l.settle(ctx); err != nil {
		l.link.close()
		return nil, err
	}
	var keep context.Context
	keep, l.stop = context.WithCancel(context.Background())
	l.keeper.Go(func() { l.keep(keep) })
	return l, nil
}

// now is the link that is in use.
func (l *Log) now() *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.link
}

// Epoch implements eventlog.Log.
func (l *Log) Epoch() string { return l.epoch }

// Ancestors implements eventlog.Log.
func (l *Log) Ancestors() []eventlog.Ancestor { return l.ancestors }

// Tail implements eventlog.Log.
func (l *Log) Tail(ctx context.Context, after uint64, take func(eventlog.Record)) error {
	if b, err := l.Bounds(ctx); err != nil {
		return stopped(ctx, err)
	} else if after+1 < b.First {
		return eventlog.ErrGone
	}
	link := l.now()
	consumer, err := link.js.OrderedConsumer(ctx, l.c.stream(), jetstream.OrderedConsumerConfig{
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
		r, err := l.c.recordOf(m)
		if err != nil {
			return err
		}
		// A purge ahead of the consumer shows as a jump and as nothing else.
		if r.Seq != after+1 {
			return eventlog.ErrGone
		}
		l.hear(r.Seq)
		take(r)
		after = r.Seq
	}
}

// dropConsumer removes what the server would keep for five minutes more.
func (l *link) dropConsumer(c jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if info := c.CachedInfo(); info != nil && l.conn.IsConnected() {
		_ = l.js.DeleteConsumer(ctx, info.Stream, info.Name) // it goes away by itself, later
	}
}

func (c Config) recordOf(m jetstream.Msg) (eventlog.Record, error) {
	meta, err := m.Metadata()
	if err != nil {
		return eventlog.Record{}, fmt.Errorf("jetlog: %w", err)
	}
	typ, subject := c.parseSubject(m.Subject())
	return eventlog.Record{
		Seq: meta.Sequence.Stream, Type: typ, Subject: subject, Stored: meta.Timestamp, Body: m.Data(),
		Key: m.Headers().Get(nats.MsgIdHdr), Digest: m.Headers().Get(digestHeader)}, nil
}

// Bounds implements eventlog.Log.
func (l *Log) Bounds(ctx context.Context) (eventlog.Bounds, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := l.connected(ctx).stream.Info(ctx)
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
	return unavailable(l.connected(ctx).stream.Purge(ctx, jetstream.WithPurgeSequence(keep)))
}

// EpochChanged is closed when the log got another epoch, by another broker or because
// it went back to an earlier state. The caller must close it and open it again.
func (l *Log) EpochChanged() <-chan struct{} { return l.changed }

// ServerVersion is the version of the NATS server, such as 2.15.2.
func (l *Log) ServerVersion() string { return l.now().conn.ConnectedServerVersion() }

// Close implements eventlog.Log.
func (l *Log) Close() error {
	l.stop()
	l.keeper.Wait()
	l.leave()
	l.now().close()
	err := l.unlock()
	if l.c.URL == "" {
		err = errors.Join(err, datadir.FixOwners(l.c.Dir))
	}
	return err
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
	if errors.Is(err, errDown) {
		err = errors.New("the NATS server cannot be reached")
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

// subject is the NATS subject of an event after the root: <type>.<kind>.<id>.
func subject(t event.Type, s string) string {
	kind, id, _ := strings.Cut(s, "/")
	return string(t) + "." + token(kind) + "." + token(id)
}

// parseSubject reads it back. What a foreign writer put into the stream has no
// type and no subject: it takes its place, and means nothing.
func (c Config) parseSubject(s string) (event.Type, string) {
	s, ours := strings.CutPrefix(s, c.root())
	parts := strings.Split(s, ".")
	if !ours || len(parts) != 3 {
		return "", ""
	}
	kind, kindErr := untoken(parts[1])
	id, idErr := untoken(parts[2])
	if kindErr != nil || idErr != nil {
		return "", ""
	}
	return event.Type(parts[0]), kind + "/" + id
}
