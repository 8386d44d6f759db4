package edge

import (
	"context"
	"encoding/json"
	"fmt"
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

// An object is the hub of one tenant.
type object struct {
	c         Config
	log       eventlog.Log
	hub       *hub.Hub
	api       *httpapi.API
	authority *identity.Authority
	host      *host

	mu      sync.Mutex // guards all below
	sockets map[string]*socket
	done    map[string]time.Time // when each task of the alarm was last done
}

// runObject serves a tenant. It returns when it is ready; the program goes on.
func runObject(c Config, h *host) error {
	log, err := sqllog.Open(db{h.object.Get("ctx").Get("storage").Get("sql")}, c.DedupWindow)
	if err != nil {
		return err
	}
	o := &object{c: c, log: log, host: h, sockets: map[string]*socket{}, done: map[string]time.Time{},
		authority: &identity.Authority{TrustForwardedIdentity: true, Tokens: c.Tokens}}
	wishes, err := push.OpenPreferenceStore(context.Background(), log)
	if err != nil {
		return err
	}
	measured := report.New()
	config := c.hub()
	config.Log, config.Groups, config.Observer = log, h, measured
	o.hub = hub.New(config)
	o.api = httpapi.New(httpapi.Config{Hub: o.hub, Log: log, Authority: o.authority, Preferences: wishes, Reporter: measured, UI: http.NotFoundHandler(), Logger: c.Logger,
		IsDraining: func() bool { return false }, Socket: o.socket, HSTS: httpapi.DefaultHSTS,
		LoopbackOnly: c.Dev, Origins: c.Origins})
	failed := make(chan error, 1)
	go func() { failed <- o.hub.Follow(context.Background()) }()
	select {
	case err := <-failed:
		return err
	case <-o.hub.Ready():
	}
	go func() { panic(fmt.Errorf("the log failed: %w", <-failed)) }() // another program starts afresh
	h.object.Call("prepare", bytesOf(wire.AppendSSE(nil, goodbye)), string(wire.AppendJSON(nil, goodbye)))
	for id, a := range h.sockets() {
		o.restore(id, a)
	}
	workers.ServeNonBlock(received(http.HandlerFunc(o.serve), h))
	export("gone", func(args []js.Value) any { o.gone(args[0].String()); return nil })
	export("abandoned", func(args []js.Value) any { h.abandoned(args[0].String()); return nil })
	export("drained", func(args []js.Value) any { h.drained(args[0].String()); return nil })
	export("message", func(args []js.Value) any { o.message(args[0].String(), args[1]); return nil })
	export("alarm", func([]js.Value) any { o.alarm(time.Now()); return nil })
	h.wake(o.api.CloseExpired(time.Now()))
	bounds, err := log.Bounds(context.Background())
	if err == nil {
		c.Logger.Info("object ready", "log", log.Epoch(), "events", bounds.Last, "connections", len(o.sockets))
	}
	return err
}

// goodbye is what readers are told when the program has ended by a fault.
var goodbye = &wire.Bye{Reason: wire.ByeRetry, Delay: 500 * time.Millisecond}

// fault breaks the program on request, in a build for tests alone.
var fault func(*http.Request)

// serve answers a request, and sees to it that there will be an alarm for
// what it brings.
func (o *object) serve(w http.ResponseWriter, r *http.Request) {
	if fault != nil {
		fault(r)
	}
	now := time.Now()
	o.host.wake(now.Add(o.c.Heartbeat))
	if p, err := o.authority.Authenticate(r); err == nil {
		o.host.wake(p.Expires)
	}
	if strings.HasPrefix(r.URL.Path, "/embed/") {
		o.api.RefreshStatus(r.Context())
	}
	o.api.ServeHTTP(w, r)
}

// Each of the alarm's tasks is done again after a time. WebSockets are told
// less often than streams how far they are: each time an object that may sleep
// is woken for it.
const (
	socketBeat = time.Minute
	saveEvery  = 30 * time.Second
	purgeEvery = time.Hour
)

// alarm does what is due, and asks for the next alarm.
func (o *object) alarm(now time.Time) {
	o.host.woken()
	o.host.wake(o.api.CloseExpired(now))
	o.mu.Lock()
	open := len(o.sockets)
	o.mu.Unlock()
	o.again(now, "beat", o.host.streaming(), o.c.Heartbeat, func() { o.hub.Heartbeat(wire.SSE) })
	o.again(now, "socket beat", open > 0, socketBeat, func() { o.hub.Heartbeat(wire.JSON) })
	ctx := context.Background() // the storage does not wait
	o.again(now, "save", o.hub.HasUnsavedState(), saveEvery, func() { o.report("the state could not be stored", o.hub.Save(ctx)) })
	bounds, err := o.log.Bounds(ctx)
	o.report("the log's bounds are not known", err)
	o.again(now, "purge", bounds.First <= bounds.Last, min(purgeEvery, o.c.Retention), func() {
		o.report("old events could not be purged", o.hub.Purge(ctx, o.c.Retention))
	})
}

// again does a task if there is need and its time has come, and asks for an
// alarm when its time comes next.
func (o *object) again(now time.Time, task string, need bool, every time.Duration, do func()) {
	if !need {
		return
	}
	o.mu.Lock()
	next := o.done[task].Add(every)
	due := !now.Before(next)
	if due {
		o.done[task], next = now, now.Add(every)
	}
	o.mu.Unlock()
	if due {
		do()
	}
	o.host.wake(next)
}

func (o *object) report(what string, err error) {
	if err != nil {
		o.c.Logger.Error(what, "error", err)
	}
}

// An attachment is what is kept of a WebSocket while the object sleeps.
type attachment struct {
	Principal identity.Principal
	Address   string
	Filter    string
}

// maxAttachment is a little less than what the runtime keeps with a WebSocket,
// in bytes. Text that is not plain takes two for each.
const maxAttachment = 15 << 10

// text is what is kept. It fails where the filter is too large for that.
func (a attachment) text() (string, error) {
	raw, _ := json.Marshal(a) // strings, numbers and a time always marshal
	size := len(raw)
	if strings.ContainsFunc(string(raw), func(r rune) bool { return r > unicode.MaxASCII }) {
		size *= 2
	}
	if size > maxAttachment {
		return "", &filter.Error{Parameter: "subjects", Expected: "fewer or shorter names, over a WebSocket at the edge"}
	}
	return string(raw), nil
}

// restore takes a WebSocket over from an earlier program. An object sleeps
// only when everything was delivered, so it goes on at the head.
func (o *object) restore(id string, a attachment) {
	q, err := url.ParseQuery(a.Filter)
	var f filter.Filter
	if err == nil {
		f, err = filter.Parse(q)
	}
	var reader *httpapi.Reader
	if err == nil {
		reauthenticate := func() (identity.Principal, error) { return a.Principal, nil }
		reader, err = o.api.Adopt(context.Background(), httpapi.Peer{Principal: a.Principal, Address: a.Address, Reauthenticate: reauthenticate, Log: o.c.Logger},
			hub.Request{ID: id, Filter: f, Format: wire.JSON, Heartbeat: socketBeat})
	}
	if err == nil {
		_, err = reader.Next(context.Background()) // it has had its hello
	}
	if err != nil {
		o.report("a connection could not be taken over", err)
		o.host.close(id, wire.ByeRetry.CloseCode(), string(wire.ByeRetry))
		return
	}
	o.run(reader, a)
}
