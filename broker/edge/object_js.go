package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall/js"
	"time"
	"unicode"

	"github.com/syumai/workers"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/sqllog"
	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/telemetry/report"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// object is the hub of one tenant.
type object struct {
	c         Config
	log       eventlog.Log
	hub       *hub.Hub
	api       *httpapi.API
	authority *identity.Authority
	host      *host

	mu      sync.Mutex           // guards all below
	sockets map[string]*socket   // the open WebSockets, by the name of the connection
	doneAt  map[string]time.Time // when each task of the alarm was last done
}

// runObject starts to serve a tenant. It returns when the state has caught up with the log. If
// the log fails later, the program ends by a panic, and worker.mjs starts another one.
func runObject(c Config, h *host) error {
	log, err := sqllog.Open(db{h.object.Get("ctx").Get("storage").Get("sql")}, c.DedupWindow)
	if err != nil {
		return err
	}
	o := &object{
		c:         c,
		log:       log,
		host:      h,
		sockets:   map[string]*socket{},
		doneAt:    map[string]time.Time{},
		authority: &identity.Authority{TrustForwardedIdentity: true, Tokens: c.Tokens},
	}
	preferences, err := push.OpenPreferenceStore(context.Background(), log)
	if err != nil {
		return err
	}
	reporter := report.New()
	config := c.hub()
	config.Log, config.Groups, config.Observer = log, h, reporter
	o.hub = hub.New(config)
	o.api = httpapi.New(httpapi.Config{
		Hub:          o.hub,
		Log:          log,
		Authority:    o.authority,
		Preferences:  preferences,
		Reporter:     reporter,
		UI:           http.NotFoundHandler(),
		Logger:       c.Logger,
		IsDraining:   func() bool { return false },
		Socket:       o.socket,
		HSTS:         httpapi.DefaultHSTS,
		LoopbackOnly: c.Dev,
		Origins:      c.Origins,
	})
	failed := make(chan error, 1)
	go func() { failed <- o.hub.Follow(context.Background()) }()
	select {
	case err := <-failed:
		return err
	case <-o.hub.Ready():
	}
	go func() { panic(fmt.Errorf("the log failed: %w", <-failed)) }()
	h.object.Call("prepareGoodbye", bytesOf(wire.AppendSSE(nil, goodbye)), string(wire.AppendJSON(nil, goodbye)))
	for id, a := range h.webSockets() {
		o.restore(id, a)
	}
	workers.ServeNonBlock(adapt(http.HandlerFunc(o.serve), h))
	export("readerGone", func(args []js.Value) any { o.readerGone(args[0].String()); return nil })
	export("requestAborted", func(args []js.Value) any { h.requestAborted(args[0].String()); return nil })
	export("streamDrained", func(args []js.Value) any { h.streamDrained(args[0].String()); return nil })
	export("message", func(args []js.Value) any { o.message(args[0].String(), args[1]); return nil })
	export("alarm", func([]js.Value) any { o.alarm(time.Now()); return nil })
	h.requestAlarm(o.api.CloseExpired(time.Now()))
	bounds, err := log.Bounds(context.Background())
	if err == nil {
		c.Logger.Info("object ready", "log", log.Epoch(), "events", bounds.Last, "connections", len(o.sockets))
	}
	return err
}

// goodbye tells readers to reconnect. worker.mjs sends it when the program has ended.
var goodbye = &wire.Bye{Reason: wire.ByeRetry, Delay: 500 * time.Millisecond}

// fault ends the program when a request asks for it. It is nil, except in a build for tests.
var fault func(*http.Request)

// serve answers a request. It also asks for an alarm at the next heartbeat, and at the time when
// the client's credential expires.
func (o *object) serve(w http.ResponseWriter, r *http.Request) {
	if fault != nil {
		fault(r)
	}
	now := time.Now()
	o.host.requestAlarm(now.Add(o.c.Heartbeat))
	if p, err := o.authority.Authenticate(r); err == nil {
		o.host.requestAlarm(p.Expires)
	}
	if strings.HasPrefix(r.URL.Path, "/embed/") {
		o.api.RefreshStatus(r.Context())
	}
	o.api.ServeHTTP(w, r)
}

// Times between two runs of the alarm's tasks. Streams get heartbeats every Config.Heartbeat.
// WebSockets get them less often, because each one wakes an object that could sleep.
const (
	socketHeartbeatEvery = time.Minute
	saveEvery            = 30 * time.Second
	purgeEvery           = time.Hour
)

// alarm does the tasks that are due, and asks for the next alarm. worker.mjs calls it.
func (o *object) alarm(now time.Time) {
	o.host.alarmFired()
	o.host.requestAlarm(o.api.CloseExpired(now))
	o.mu.Lock()
	hasSockets := len(o.sockets) > 0
	o.mu.Unlock()
	o.runTask(now, "beat", o.host.hasStreams(), o.c.Heartbeat, func() { o.hub.Heartbeat(wire.SSE) })
	o.runTask(now, "socket beat", hasSockets, socketHeartbeatEvery, func() { o.hub.Heartbeat(wire.JSON) })
	ctx := context.Background() // the storage does not block
	o.runTask(now, "save", o.hub.HasUnsavedState(), saveEvery, func() {
		o.logError("the state could not be stored", o.hub.Save(ctx))
	})
	bounds, err := o.log.Bounds(ctx)
	o.logError("the log's bounds are not known", err)
	o.runTask(now, "purge", bounds.First <= bounds.Last, min(purgeEvery, o.c.Retention), func() {
		o.logError("old events could not be purged", o.hub.Purge(ctx, o.c.Retention))
	})
}

// runTask calls do if the task is needed and the time every has passed since it was last done.
// It asks for an alarm at the time when the task is due next.
func (o *object) runTask(now time.Time, task string, isNeeded bool, every time.Duration, do func()) {
	if !isNeeded {
		return
	}
	o.mu.Lock()
	next := o.doneAt[task].Add(every)
	isDue := !now.Before(next)
	if isDue {
		o.doneAt[task], next = now, now.Add(every)
	}
	o.mu.Unlock()
	if isDue {
		do()
	}
	o.host.requestAlarm(next)
}

// logError logs an error, unless it is nil.
func (o *object) logError(message string, err error) {
	if err != nil {
		o.c.Logger.Error(message, "error", err)
	}
}

// attachment has the data that a later program needs to take a WebSocket over. The runtime keeps
// the attachment, as JSON, while the object sleeps.
type attachment struct {
	Principal identity.Principal
	Address   string
	Filter    string
}

// maxAttachment is the largest attachment in bytes. It is a little less than the limit of the
// runtime, which needs two bytes for each byte of a text that is not plain ASCII.
const maxAttachment = 15 << 10

// encode returns the attachment as JSON. It returns a *filter.Error if the filter is too large
// for the runtime.
func (a attachment) encode() (string, error) {
	raw, _ := json.Marshal(a) // strings, numbers and a time always marshal
	size := len(raw)
	if strings.ContainsFunc(string(raw), func(r rune) bool { return r > unicode.MaxASCII }) {
		size *= 2
	}
	if size > maxAttachment {
		return "", &filter.Error{
			Parameter: "subjects",
			Expected:  "fewer or shorter names, over a WebSocket at the edge",
		}
	}
	return string(raw), nil
}

// restore takes a WebSocket over from an earlier program. The reader goes on at the head of the
// log, because an object sleeps only when it has delivered everything.
func (o *object) restore(id string, a attachment) {
	q, err := url.ParseQuery(a.Filter)
	var f filter.Filter
	if err == nil {
		f, err = filter.Parse(q)
	}
	var reader *httpapi.Reader
	if err == nil {
		peer := httpapi.Peer{
			Principal:  a.Principal,
			Address:    a.Address,
			Credential: identity.ForwardedCredential(a.Principal),
			Log:        func() *slog.Logger { return o.c.Logger },
		}
		reader, err = o.api.Adopt(context.Background(), peer,
			hub.Request{ID: id, Filter: f, Format: wire.JSON, Heartbeat: socketHeartbeatEvery})
	}
	if err == nil {
		_, err = reader.Next(context.Background()) // the earlier program has sent the hello
	}
	if err != nil {
		o.logError("a connection could not be taken over", err)
		o.host.close(id, wire.ByeRetry.CloseCode(), string(wire.ByeRetry))
		return
	}
	o.run(reader, a)
}
