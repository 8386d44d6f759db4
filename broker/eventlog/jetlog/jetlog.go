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

	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/event"
)

const (
	// digestHeader is the header that holds an entry's digest.
	digestHeader = "Yardline-Digest"
	// callTimeout is the time limit of one request to the server.
	callTimeout = 5 * time.Second
	// maxSubject is the largest length of a NATS subject, in bytes. It is well
	// below the limit of 4 KiB for a control line, because the server closes a
	// connection that exceeds the limit.
	maxSubject = 2048
)

// DefaultPrefix is the default of Config.Prefix.
const DefaultPrefix = "YARDLINE"

// Config configures a log.
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
	// DedupWindow is the deduplication window. Each id takes about 100 bytes of
	// the server's memory. Defaults to one hour.
	DedupWindow time.Duration
	// Logger receives the log lines. nil discards them.
	Logger *slog.Logger
}

// ValidPrefix reports whether a text may be a Config.Prefix.
func ValidPrefix(s string) bool { return s != "" && len(s) <= 32 && token(s) == s }

// streamName and bucketName are the names of the stream and the store.
func (c Config) streamName() string { return c.Prefix + "_EVENTS" }
func (c Config) bucketName() string { return c.Prefix + "_STORE" }

// subjectRoot returns the beginning of the subjects of events. It contains the
// prefix, because streams of one server must not share subjects. The default
// prefix has no prefix in its subjects, for the sake of existing logs.
func (c Config) subjectRoot() string {
	if c.Prefix == DefaultPrefix {
		return "ev."
	}
	return c.Prefix + ".ev."
}

// Log is an eventlog.Log in JetStream.
type Log struct {
	config    Config
	epoch     string
	ancestors []eventlog.Ancestor

	lock       *os.File       // lock of the data directory; nil for an external log
	keeperDone sync.WaitGroup // counts the keeper and loadIDs
	stopKeeper context.CancelFunc
	// checkRequests asks the keeper to check the log. It has room for one
	// request, because one check answers all requests before it.
	checkRequests chan struct{}
	epochChanged  chan struct{} // closed by giveUp
	giveUpOnce    sync.Once
	// numberReused is set when a new record got the number of an earlier one,
	// which proves that the log went back to an earlier state.
	numberReused atomic.Bool

	writer    groupWriter
	ids       ids
	idsLoaded chan struct{} // closed when ids holds the ids from before the start

	// kept belongs to Open, then to the keeper, and after the keeper's end to
	// Close.
	kept keptEpochRecord

	mu    sync.Mutex // guards all below
	link  *link
	head  uint64 // newest number that this process has seen in the log
	first uint64 // oldest kept number that this process knows of
	// recent holds the newest records of an embedded log up to and including
	// head. It is empty when this process has not stored head itself.
	recent       []eventlog.Record
	grown        chan struct{} // closed and replaced when head changes
	health       error
	failingSince time.Time // first failed append after the last successful one, or zero
}

var _ eventlog.Log = (*Log)(nil)

// Open starts the embedded server, or connects to the external one, and opens
// the log. It makes a new log when there is none. It returns an error when the
// log is damaged, when another broker uses the data directory, or when the log
// belongs to another installation ([ErrForeign]). ctx limits the time of Open
// only. The caller must call Close.
func Open(ctx context.Context, c Config) (_ *Log, err error) {
	c.DedupWindow = cmp.Or(c.DedupWindow, time.Hour)
	c.Replicas = cmp.Or(c.Replicas, 1)
	if c.Prefix = cmp.Or(c.Prefix, DefaultPrefix); c.URL == "" {
		c.Prefix, c.Owner = DefaultPrefix, "" // an embedded server has one installation
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		config:        c,
		ids:           ids{window: c.DedupWindow, max: maxIDs},
		idsLoaded:     make(chan struct{}),
		checkRequests: make(chan struct{}, 1),
		epochChanged:  make(chan struct{}),
		grown:         make(chan struct{}),
	}
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
	l.noteBounds(l.link)
	if err := l.findEpoch(ctx); err != nil {
		l.link.close()
		return nil, err
	}
	var keeperCtx context.Context
	keeperCtx, l.stopKeeper = context.WithCancel(context.Background())
	l.keeperDone.Go(func() { l.runKeeper(keeperCtx) })
	l.keeperDone.Go(func() { l.loadIDs(keeperCtx) })
	return l, nil
}

// noteBounds notes the bounds that the stream had when a link was made.
func (l *Log) noteBounds(link *link) {
	b := boundsOf(link.stream.CachedInfo())
	l.noteFirst(b.First)
	if l.config.URL == "" {
		l.noteHead(b.Last)
	}
}

// currentLink returns the link that is in use.
func (l *Log) currentLink() *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.link
}

// Epoch implements eventlog.Log.
func (l *Log) Epoch() string { return l.epoch }

// Ancestors implements eventlog.Log.
func (l *Log) Ancestors() []eventlog.Ancestor { return l.ancestors }

// Bounds implements eventlog.Log. An embedded log has one writer, this process, so
// its bounds are known without a request to the server. A record of which this
// process has no acknowledgment counts once the process learns of it: by the next
// record, or by the restart of the server.
func (l *Log) Bounds(ctx context.Context) (eventlog.Bounds, error) {
	if l.config.URL == "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		return eventlog.Bounds{First: l.first, Last: l.head}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := l.connected(ctx).stream.Info(ctx)
	if err != nil {
		return eventlog.Bounds{}, unavailable(err)
	}
	return boundsOf(info), nil
}

// boundsOf returns the bounds of a stream.
func boundsOf(info *jetstream.StreamInfo) eventlog.Bounds {
	b := eventlog.Bounds{First: info.State.FirstSeq, Last: info.State.LastSeq}
	if info.State.Msgs == 0 {
		b.First = b.Last + 1 // JetStream reports 0 for a stream that was never written to
	}
	return b
}

// Purge implements eventlog.Log. In an embedded log the records count as purged
// already when the server fails to remove them.
func (l *Log) Purge(ctx context.Context, through uint64) error {
	b, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	firstKept := min(through, b.Last) + 1 // a later number would move the head of the stream
	if firstKept <= b.First {
		return nil
	}
	// The number is noted first, so that no reader takes a hole for a page.
	l.noteFirst(firstKept)
	return unavailable(l.connected(ctx).stream.Purge(ctx, jetstream.WithPurgeSequence(firstKept)))
}

// EpochChanged returns a channel that is closed when the log got another epoch
// from another broker, or went back to an earlier state. The caller must then
// close the log and open it again.
func (l *Log) EpochChanged() <-chan struct{} { return l.epochChanged }

// ServerVersion returns the version of the NATS server, such as 2.15.2.
func (l *Log) ServerVersion() string { return l.currentLink().conn.ConnectedServerVersion() }

// Close implements eventlog.Log.
func (l *Log) Close() error {
	l.writer.close()
	l.stopKeeper()
	l.keeperDone.Wait()
	l.keepLastEpochRecord()
	l.currentLink().close()
	err := l.unlock()
	if l.config.URL == "" {
		err = errors.Join(err, datadir.FixOwners(l.config.Dir))
	}
	return err
}

// unlock releases the lock of the data directory.
func (l *Log) unlock() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}

// unavailable wraps an error of the server in eventlog.ErrUnavailable, so that
// the caller knows that it may try again. It returns nil for nil.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errNotConnected) {
		err = errors.New("the NATS server cannot be reached")
	}
	return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
}

// nilIfDone returns nil when ctx has ended, and err otherwise.
func nilIfDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// subject returns the NATS subject of an event, without subjectRoot:
// <type>.<kind>.<id>. s is the event's subject.
func subject(t event.Type, s string) string {
	kind, id, _ := strings.Cut(s, "/")
	return string(t) + "." + token(kind) + "." + token(id)
}

// parseSubject returns the type and the subject of an event by its NATS subject.
// Both are empty for a message that another program stored in the stream.
func (c Config) parseSubject(s string) (event.Type, string) {
	s, ours := strings.CutPrefix(s, c.subjectRoot())
	parts := strings.Split(s, ".")
	if !ours || len(parts) != 3 {
		return "", ""
	}
	kind, kindErr := parseToken(parts[1])
	id, idErr := parseToken(parts[2])
	if kindErr != nil || idErr != nil {
		return "", ""
	}
	return event.Type(parts[0]), kind + "/" + id
}
