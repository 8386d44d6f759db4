package hub

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// Config configures a [Hub]. Only Log is required.
type Config struct {
	// Log is the event log that the hub serves. It is required. The hub does
	// not close it.
	Log eventlog.Log
	// Logger receives the hub's log lines. nil discards them.
	Logger *slog.Logger
	// Heartbeat is the interval between two heartbeats of a stream. Defaults
	// to 15 seconds.
	Heartbeat time.Duration
	// Retry is the time that clients wait before their first attempt to
	// reconnect. Every stream announces it. Defaults to 1 second.
	Retry time.Duration
	// Ring is the number of recent events kept in memory. Between two
	// cleanups there may be up to twice as many. Defaults to 4096.
	Ring int
	// MaxLag is the number of bytes that may wait for one subscriber. The hub
	// closes a subscriber with more. Defaults to 4 MiB.
	MaxLag int64
	// MaxViewBytes is the number of bytes that all views together may keep for
	// subscribers that lag. While there are more, the hub applies a smaller
	// MaxLag. Defaults to 256 MiB.
	MaxViewBytes int64
	// CheckpointInterval is the time between two checkpoints of the state.
	// Defaults to 30 seconds.
	CheckpointInterval time.Duration
	// Location is the time zone of the installation. nil means UTC.
	Location *time.Location
	// Currency is the currency of the installation. Defaults to EUR.
	Currency string
	// Fleet is the number of rentable units of the installation. 0 means that
	// the number is unknown.
	Fleet int
	// Strict applies strict mode to every published event, also where the
	// publisher did not ask for it. See [PublishOptions].
	Strict bool
	// Observer measures the hub. nil disables the measurements.
	Observer Observer
	// Compressors is the number of views that have a gzip compressor at the same
	// time, of 0.85 MB each. The streams of other views become about 1.5 times as
	// large. Defaults to 64.
	Compressors int
	// Groups writes frames to the readers of a view. nil means that each
	// reader pulls its frames with [Subscriber.Next].
	Groups Groups
	// TrustClock makes the hub believe the machine's clock at once, for
	// platforms that keep the clock right. Without it the hub purges much of
	// the log, and forgets closed entities, only after the clock has run
	// steadily for an hour. Defaults to false.
	TrustClock bool
}

// withDefaults returns the configuration with defaults in place of zero values.
func (c Config) withDefaults() Config {
	c.Heartbeat = cmp.Or(c.Heartbeat, 15*time.Second)
	c.Retry = cmp.Or(c.Retry, time.Second)
	c.Ring = cmp.Or(c.Ring, 4096)
	c.MaxLag = cmp.Or(c.MaxLag, 4<<20)
	c.MaxViewBytes = cmp.Or(c.MaxViewBytes, 256<<20)
	c.Compressors = cmp.Or(c.Compressors, 64)
	c.CheckpointInterval = cmp.Or(c.CheckpointInterval, 30*time.Second)
	c.Currency = cmp.Or(c.Currency, "EUR")
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Groups writes frames to readers by view. It is for platforms where writes
// and goroutines are expensive: the hub hands over every frame of a view once,
// and the platform copies it to all readers of the view.
//
// The hub calls all methods under its lock, so that a reader that joins a view
// gets exactly the frames that follow. The methods must not block, and must
// not call the hub. The argument view is the key of a view, and reader is the ID
// of a [Subscriber].
type Groups interface {
	// Join adds a reader to a view.
	Join(view, reader string)
	// Leave removes a reader from a view.
	Leave(view, reader string)
	// Write sends frames to all readers of a view.
	Write(view string, frames []byte)
	// Send sends frames to one reader.
	Send(reader string, frames []byte)
}
