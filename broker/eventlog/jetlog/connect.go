package jetlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/shared/wire"
)

// epochKey is where the stream's metadata hold the first epoch of the log.
const epochKey = "epoch"

// A link is a connection to a server, with the stream and the store that are open
// on it. A new start of the embedded server replaces the whole link.
type link struct {
	c      Config
	server *server.Server // nil where it is external
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	bucket jetstream.KeyValue
	first  string // the first epoch of the log
	// storeLost tells that the log has records while its store is new.
	storeLost bool
}

// connect makes a link. A log is made where there is none only if create says
// so. The connection calls reconnected after each loss of an external server.
func connect(ctx context.Context, c Config, create bool, reconnected func()) (_ *link, err error) {
	l := &link{c: c}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	// The client refuses a message at once when it cannot send it. A message that
	// waits in the client would be stored after its publisher got an error.
	options := []nats.Option{nats.Name("yardline"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectHandler(func(*nats.Conn) { reconnected() })}
	if c.URL == "" {
		if l.server, err = startEmbedded(c.Dir); err != nil {
			return nil, err
		}
		l.conn, err = nats.Connect("", append(options, nats.InProcessServer(l.server))...)
	} else {
		l.conn, err = nats.Connect(c.URL, options...)
	}
	if err != nil {
		return nil, fmt.Errorf("jetlog: connect: %w", err)
	}
	if l.js, err = jetstream.New(l.conn); err != nil {
		return nil, fmt.Errorf("jetlog: %w", err)
	}
	if err := l.checkServer(ctx); err != nil {
		return nil, err
	}
	if err := l.openStream(ctx, create); err != nil {
		return nil, err
	}
	if err := l.openBucket(ctx, create); err != nil {
		return nil, err
	}
	return l, nil
}

// The oldest NATS server that has all that the log needs: metadata of streams
// (2.10), batches of direct gets and markers that expire (2.11).
const (
	minMajor, minMinor = 2, 11
	minLevel           = 1 // of JetStream's API, since 2.11
)

// checkServer refuses a server that cannot keep the log, before anything is
// made there.
func (l *link) checkServer(ctx context.Context) error {
	version := l.conn.ConnectedServerVersion()
	if isOlder(version) {
		return fmt.Errorf("the NATS server at %s has version %s; Yardline needs %d.%d or later",
			l.conn.ConnectedUrlRedacted(), version, minMajor, minMinor)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	account, err := l.js.AccountInfo(ctx)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("the NATS server at %s has no JetStream for this account: turn it on (nats-server -js)",
			l.conn.ConnectedUrlRedacted())
	case err != nil:
		return fmt.Errorf("jetlog: the server's JetStream: %w", err)
	case account.API.Level < minLevel:
		return fmt.Errorf("a server of the NATS cluster at %s is older than %d.%d: Yardline needs that version or a "+
			"later one on all",
			l.conn.ConnectedUrlRedacted(), minMajor, minMinor)
	}
	return nil
}

// isOlder tells whether a version is before the oldest that can be used. It
// takes a version that it cannot read for a new one.
func isOlder(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return false
	}
	major, majorErr := strconv.Atoi(parts[0])
	minor, minorErr := strconv.Atoi(parts[1])
	if majorErr != nil || minorErr != nil {
		return false
	}
	return major < minMajor || major == minMajor && minor < minMinor
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
func (l *link) openStream(ctx context.Context, create bool) error {
	name := l.c.stream()
	stream, err := l.js.Stream(ctx, name)
	if create && errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := healthy(l.server); err != nil {
			return fmt.Errorf("the log is damaged: %w: put a backup back by yardline restore", err)
		}
		stream, err = l.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{l.c.root() + ">"}, Storage: jetstream.FileStorage,
			Retention: jetstream.LimitsPolicy,
			MaxMsgs:   -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
			AllowDirect: true, DenyDelete: true, Duplicates: l.c.Window, Replicas: l.c.Replicas,
			Metadata: map[string]string{epochKey: newEpoch()},
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another broker was first
			stream, err = l.js.Stream(ctx, name)
		}
	}
	if err != nil {
		return fmt.Errorf("jetlog: stream: %w", err)
	}
	config := stream.CachedInfo().Config
	changed := false
	if config.Metadata[epochKey] == "" && l.unused(stream.CachedInfo()) {
		// An older server made it: it left out the metadata without a word.
		if config.Metadata == nil {
			config.Metadata = map[string]string{}
		}
		config.Metadata[epochKey], changed = newEpoch(), true
	}
	if l.first = config.Metadata[epochKey]; !wire.ValidEpoch(l.first) {
		return fmt.Errorf("jetlog: the stream %s has records and no epoch: it is damaged, or not Yardline's. "+
			"Restore it from a backup, or keep the log in another one by --nats-prefix", name)
	}
	if changed || config.Duplicates != l.c.Window {
		config.Duplicates = l.c.Window
		if stream, err = l.js.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("jetlog: the stream could not be changed: %w", err)
		}
	}
	l.stream = stream
	return nil
}

// unused tells whether a stream is one of ours that never held a record.
func (l *link) unused(info *jetstream.StreamInfo) bool {
	subjects := info.Config.Subjects
	return info.State.LastSeq == 0 && len(subjects) == 1 && subjects[0] == l.c.root()+">"
}

// openBucket opens the store. One that is there is used as it is: an update
// that changes nothing would still write the bucket's files.
func (l *link) openBucket(ctx context.Context, create bool) (err error) {
	name := l.c.bucket()
	l.bucket, err = l.js.KeyValue(ctx, name)
	if create && errors.Is(err, jetstream.ErrBucketNotFound) {
		if err := healthy(l.server); err != nil {
			return fmt.Errorf("the log's store is damaged: %w: put a backup back by yardline restore", err)
		}
		l.bucket, err = l.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, Storage: jetstream.FileStorage, LimitMarkerTTL: markerTTL,
			Replicas: l.c.Replicas})
		if errors.Is(err, jetstream.ErrBucketExists) { // another broker was first
			l.bucket, err = l.js.KeyValue(ctx, name)
		}
	}
	if err != nil {
		return fmt.Errorf("jetlog: store: %w", err)
	}
	status, err := l.bucket.Status(ctx)
	if err != nil {
		return fmt.Errorf("jetlog: store: %w", err)
	}
	// A store that was ever used holds keys, such as those of push.
	info := status.(*jetstream.KeyValueBucketStatus).StreamInfo()
	l.storeLost = info.State.LastSeq == 0 && l.stream.CachedInfo().State.LastSeq > 0
	if info.Config.SubjectDeleteMarkerTTL == 0 {
		_, err = l.js.UpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, Storage: jetstream.FileStorage, LimitMarkerTTL: markerTTL,
			Replicas: info.Config.Replicas})
	}
	return unavailable(err)
}

// markerTTL is how long the server keeps the mark of a deleted key, which tells
// watchers of it.
const markerTTL = time.Minute

// newEpoch is 40 random bits in lower case.
func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }
