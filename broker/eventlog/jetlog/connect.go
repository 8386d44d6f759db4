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

// epochKey is the key of the log's first epoch in the stream's metadata.
const epochKey = "epoch"

// A link is a connection to a server, with the stream and the store of the log.
// A restart of the embedded server replaces the whole link.
type link struct {
	config     Config
	server     *server.Server // nil for an external server
	conn       *nats.Conn
	js         jetstream.JetStream
	stream     jetstream.Stream
	bucket     jetstream.KeyValue
	firstEpoch string // first epoch of the log
	// atomic is true when the stream takes atomic batches. A server before 2.12
	// would store their messages one by one.
	atomic bool
	// storeLost is true when the log has records but its store is new.
	storeLost bool
}

// connect makes a link. If create is true it makes a new log when there is none.
// It calls reconnected each time that the connection to an external server has
// been restored.
func connect(ctx context.Context, c Config, create bool, reconnected func()) (_ *link, err error) {
	l := &link{config: c}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	// ReconnectBufSize(-1) makes the client refuse a message that it cannot send
	// at once. A message that waits in the client would be stored after its
	// publisher got an error.
	options := []nats.Option{
		nats.Name("yardline"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.ReconnectHandler(func(*nats.Conn) { reconnected() }),
	}
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

// The oldest version of the NATS server that has all features that the log
// needs: metadata of streams (2.10), batches of direct gets and markers that
// expire (2.11).
const (
	minMajor, minMinor = 2, 11
	minLevel           = 1 // level of JetStream's API in 2.11
	atomicLevel        = 2 // level of JetStream's API in 2.12, the first with atomic batches
)

// checkServer refuses a server that cannot keep the log, before connect makes
// anything there.
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
		return fmt.Errorf("a server of the NATS cluster at %s is older than %d.%d: "+
			"Yardline needs that version or a later one on all", l.conn.ConnectedUrlRedacted(), minMajor, minMinor)
	}
	l.atomic = account.API.Level >= atomicLevel
	return nil
}

// isOlder reports whether a version is older than the oldest usable one. It
// returns false for a version that it cannot read.
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

// close closes the connection and stops an embedded server.
func (l *link) close() {
	if l.conn != nil {
		l.conn.Close()
	}
	if l.server != nil {
		stopEmbedded(l.server)
	}
}

// openStream opens the stream of the log, and makes it if create is true and
// there is none. It makes or updates a stream only after it has checked that no
// damaged stream is in its place, because that would put a new epoch over old
// records.
func (l *link) openStream(ctx context.Context, create bool) error {
	name := l.config.streamName()
	stream, err := l.js.Stream(ctx, name)
	if create && errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := checkHealth(l.server); err != nil {
			return fmt.Errorf("the log is damaged: %w: put a backup back by yardline restore", err)
		}
		stream, err = l.js.CreateStream(ctx, l.config.newStreamConfig(l.atomic))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another broker has just made it
			stream, err = l.js.Stream(ctx, name)
		}
	}
	if err != nil {
		return fmt.Errorf("jetlog: stream: %w", err)
	}
	config := stream.CachedInfo().Config
	changed := false
	if config.Metadata[epochKey] == "" && l.isUnusedStream(stream.CachedInfo()) {
		// An older server made the stream. Such a server drops metadata silently.
		if config.Metadata == nil {
			config.Metadata = map[string]string{}
		}
		config.Metadata[epochKey], changed = newEpoch(), true
	}
	if l.firstEpoch = config.Metadata[epochKey]; !wire.ValidEpoch(l.firstEpoch) {
		return fmt.Errorf("jetlog: the stream %s has records and no epoch: it is damaged, or not Yardline's. "+
			"Restore it from a backup, or keep the log in another one by --nats-prefix", name)
	}
	if l.atomic && !config.AllowAtomicPublish {
		config.AllowAtomicPublish, changed = true, true // an earlier version of the broker made the stream
	}
	if changed || config.Duplicates != l.config.DedupWindow {
		config.Duplicates = l.config.DedupWindow
		if stream, err = l.js.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("jetlog: the stream could not be changed: %w", err)
		}
	}
	l.stream, l.atomic = stream, stream.CachedInfo().Config.AllowAtomicPublish
	return nil
}

// newStreamConfig returns the configuration of a new stream with a new epoch. -1
// means no limit.
func (c Config) newStreamConfig(atomic bool) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               c.streamName(),
		Subjects:           []string{c.subjectRoot() + ">"},
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		MaxMsgs:            -1,
		MaxBytes:           -1,
		MaxMsgsPerSubject:  -1,
		MaxMsgSize:         -1,
		MaxConsumers:       -1,
		AllowDirect:        true,
		AllowAtomicPublish: atomic,
		DenyDelete:         true,
		Duplicates:         c.DedupWindow,
		Replicas:           c.Replicas,
		Metadata:           map[string]string{epochKey: newEpoch()},
	}
}

// isUnusedStream reports whether the stream has the log's subjects and never
// held a record.
func (l *link) isUnusedStream(info *jetstream.StreamInfo) bool {
	subjects := info.Config.Subjects
	return info.State.LastSeq == 0 && len(subjects) == 1 && subjects[0] == l.config.subjectRoot()+">"
}

// openBucket opens the store, and makes it if create is true and there is none.
// It updates an existing store only when needed, because an update that changes
// nothing would still write the bucket's files.
func (l *link) openBucket(ctx context.Context, create bool) (err error) {
	name := l.config.bucketName()
	l.bucket, err = l.js.KeyValue(ctx, name)
	if create && errors.Is(err, jetstream.ErrBucketNotFound) {
		if err := checkHealth(l.server); err != nil {
			return fmt.Errorf("the log's store is damaged: %w: put a backup back by yardline restore", err)
		}
		l.bucket, err = l.js.CreateKeyValue(ctx, l.config.bucketConfig(l.config.Replicas))
		if errors.Is(err, jetstream.ErrBucketExists) { // another broker has just made it
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
	// A store that was used before has held keys, such as those of push.
	info := status.(*jetstream.KeyValueBucketStatus).StreamInfo()
	l.storeLost = info.State.LastSeq == 0 && l.stream.CachedInfo().State.LastSeq > 0
	if info.Config.SubjectDeleteMarkerTTL == 0 {
		_, err = l.js.UpdateKeyValue(ctx, l.config.bucketConfig(info.Config.Replicas))
	}
	return unavailable(err)
}

// bucketConfig returns the configuration of the store with a number of replicas.
func (c Config) bucketConfig(replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket:         c.bucketName(),
		History:        1,
		Storage:        jetstream.FileStorage,
		LimitMarkerTTL: markerTTL,
		Replicas:       replicas,
	}
}

// markerTTL is how long the server keeps the marker of a deleted key. The marker
// tells watchers that the key was deleted.
const markerTTL = time.Minute

// newEpoch returns a new epoch: 40 random bits as 8 characters in lower case.
func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }
