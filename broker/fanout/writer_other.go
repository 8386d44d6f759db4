//go:build !linux

package fanout

import (
	"errors"
	"log/slog"
	"net"

	"github.com/snd-rental/yardline/broker/hub"
)

// Config configures a [Writer].
type Config struct {
	Hub    *hub.Hub
	Shards int
	Logger *slog.Logger
}

// A Writer writes streams. It exists on Linux only.
type Writer struct{}

// New returns errors.ErrUnsupported.
func New(Config) (*Writer, error) { return nil, errors.ErrUnsupported }

// EndAll does nothing.
func (*Writer) EndAll() {}

// Close does nothing.
func (*Writer) Close() error { return nil }

// A Stream is one connection of a Writer.
type Stream struct{}

// NewStream returns nil.
func (*Writer) NewStream() *Stream { return nil }

// Wake does nothing.
func (*Stream) Wake() {}

// Abort does nothing.
func (*Stream) Abort() {}

// Start returns errors.ErrUnsupported.
func (*Stream) Start(net.Conn, *hub.Subscriber, Response) error { return errors.ErrUnsupported }
