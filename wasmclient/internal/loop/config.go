package loop

import (
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Config has the fields of wasmclient.Options, which documents them. The two are converted into each other, so that the
// compiler checks that they agree.
type Config struct {
	Transport port.Transport
	Disabled  bool
	Grant     access.Grant
	Ladder    []conn.Transport

	Filter    filter.Filter
	MaxEvents int
	Toasts    bool
	MaxToasts int

	Snapshot bool
	After    wire.Cursor
	Oldest   bool
	Backfill uint64

	Page    port.Page
	Grace   time.Duration
	Storage port.Storage

	OnEvent  func(store.Received)
	OnGap    func(wire.Gap)
	OnChange func()
	OnStep   func(conn.Input, conn.Status)

	Random func() float64
}

// DefaultGrace is how long all tabs must be hidden before the stream is closed, by default.
const DefaultGrace = 30 * time.Second
