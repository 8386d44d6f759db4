package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/fanout"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/telemetry/report"
)

// Config holds the dependencies and the settings of an [API]. [New] requires
// Hub, Log, Authority, Preferences, UI, Reporter, Logger and IsDraining.
// [NewFront] requires Hub, Authority, UI, Logger and IsDraining. The zero value
// of every other field is useful. An API never changes its Config.
type Config struct {
	// Hub delivers events and stores those that clients publish. An API from
	// NewFront calls Hub.Check alone. Required.
	Hub *hub.Hub

	// Log is the event log of the Hub. The API reads its bounds and its health,
	// and passes it to Reporter. Required by New; NewFront does not use it.
	Log eventlog.Log

	// Authority authenticates requests, and signs users in and out. Required.
	Authority *identity.Authority

	// Preferences stores which events each user wants to be notified of.
	// Required by New; NewFront does not use it.
	Preferences PreferenceStore

	// Push sends notifications to the users' devices. nil disables push: the
	// API then has no address to add, remove or test a device, and tells
	// clients that push is unavailable. An API from NewFront calls
	// Push.ForgetSignIn alone.
	Push Push

	// UI serves every path that no route of the API has, and the script at
	// /embed/v1/status.js. Required.
	UI http.Handler

	// Reporter returns what GET /api/stats adds to the statistics of the Hub.
	// Required by New; NewFront does not use it.
	Reporter Reporter

	// Metrics serves GET /metrics, to admins alone. nil means that New adds no
	// such route. NewFront does not use it.
	Metrics http.Handler

	// Logger receives the log of the API. Each line about a request has the
	// request's id. Required: nil panics at the first request.
	Logger *slog.Logger

	// IsDraining reports whether the broker is about to stop. While it does,
	// GET /readyz answers 503 and the API opens no new WebSocket. The API may
	// call it concurrently. Required.
	IsDraining func() bool

	// Warnings returns the warnings that GET /readyz lists beside "ready". The
	// API may call it concurrently. It must not block. nil means that there are
	// none. NewFront does not use it.
	Warnings func() []Warning

	// Fanout writes the streams of HTTP/1 without TLS. nil means that each of them has a
	// goroutine, as all other streams have. The caller closes it after Shutdown. NewFront
	// does not use it.
	Fanout *fanout.Writer

	// GzipStreams compresses the streams of clients that accept gzip. A publisher who can
	// also measure the sizes of a user's encrypted stream could then guess fields of events
	// that come at the same time. Defaults to false. NewFront does not use it.
	GzipStreams bool

	// Socket handles GET /api/ws. nil means that the API handles it by itself,
	// which needs an HTTP server whose response writers can be hijacked. NewFront does not use it.
	Socket http.HandlerFunc

	// HSTS is how long browsers must use HTTPS alone for the broker's name (the
	// max-age of Strict-Transport-Security), in whole seconds. 0 makes browsers
	// forget an earlier value. [DefaultHSTS] is the usual value. The API sends
	// the header only over TLS on port 443, and only for a name that is neither
	// an IP address nor a name of this machine.
	HSTS time.Duration

	// LoopbackOnly makes the API refuse requests whose Host header does not
	// name this machine. It protects a broker whose users need no password from
	// DNS rebinding. Defaults to false.
	LoopbackOnly bool

	// Origins are the foreign origins whose pages may use the API, such as
	// "https://rental.example". Pages of the broker's own origin always may.
	// The caller must check each of them by [CheckOrigin]: New and NewFront panic
	// if one is malformed. Empty means none.
	Origins []string

	// Proxies are the address ranges of the reverse proxies in front. The API
	// believes the X-Forwarded-For header of these proxies alone. Empty means
	// that the client's address is that of its connection.
	Proxies []netip.Prefix

	// Limits bound the connections and the requests of each client. A field
	// that is 0 has its default; see [Limits].
	Limits Limits
}

// A Reporter returns the measurements that admins see at GET /api/stats. It must
// be safe for concurrent use. connections is the number of open streams,
// WebSockets and waiting long polls of this broker.
type Reporter interface {
	Report(ctx context.Context, log eventlog.Log, connections int) report.Report
}

// DefaultHSTS is the usual value of Config.HSTS, one year.
const DefaultHSTS = 365 * 24 * time.Hour

// Limits bound what one client may use. A field that is 0 has its default.
type Limits struct {
	// Connections is the number of streams, WebSockets and waiting long polls that
	// the broker has open at once. Unauthenticated ones, such as readers of the public
	// status, may use a tenth of them. Defaults to 10,000.
	Connections int

	// PerCredential is the number of open connections of one session or token.
	// Defaults to 100.
	PerCredential int

	// PerUser is the number of open connections of one user. Defaults to twice
	// PerCredential.
	PerUser int

	// PerAddress is the number of open connections from one address; of IPv6, from
	// one network of 64 bits. Defaults to 20 times PerCredential.
	PerAddress int

	// PublishRate is the number of events that one session or token may publish each
	// second. A user may publish twice, an address four times as many. Events of four
	// seconds, and at least those of a whole batch, may come at once. Defaults to 500.
	PublishRate float64

	// SignIns is the number of times in a row that one address may try to sign in as
	// one user, before it may try once in 5 seconds. All users together may be tried
	// four times as often from one address, and one user ten times as often from all
	// addresses. Defaults to 10.
	SignIns int
}

// withDefaults returns a copy of l with the defaults in place of zeros.
func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(l.Connections, 10_000)
	l.PerCredential = cmp.Or(l.PerCredential, 100)
	l.PerUser = cmp.Or(l.PerUser, 2*l.PerCredential)
	l.PerAddress = cmp.Or(l.PerAddress, 20*l.PerCredential)
	l.PublishRate = cmp.Or(l.PublishRate, 500)
	l.SignIns = cmp.Or(l.SignIns, 10)
	return l
}
