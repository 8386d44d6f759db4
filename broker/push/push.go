package push

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/wire"
)

// Config is how a Service works.
type Config struct {
	Log       eventlog.Log
	Contact   string // an https or mailto address for the operators of push services (RFC 8292, section 2.1)
	Location  *time.Location
	Logger    *slog.Logger
	SharedLog bool // other brokers use the same log
	// CurrentGrant is what somebody may by now who signed in as g; nil where people
	// sign in elsewhere.
	CurrentGrant  func(g access.Grant, stamp string) (now access.Grant, ok bool)
	Observer      Observer
	AllowLoopback bool // take endpoints on loopback, also without TLS, and those alone beside public ones
}

// An Observer counts the results of pushes. It gets one of the Results, with one
// of the Reasons for a failed push and "" otherwise. It is called concurrently.
type Observer interface{ Pushed(result, reason string) }

// The results of a push.
const (
	ResultSent    = "sent"
	ResultGone    = "gone"    // the browser has dropped the subscription
	ResultFailed  = "failed"  // refused, or not reached in time
	ResultDropped = "dropped" // too many at once
)

// Results lists the results.
var Results = []string{ResultSent, ResultGone, ResultFailed, ResultDropped}

// Reasons lists the reasons of failed pushes: the status of the push service's
// last answer, or that there was no answer.
var Reasons = []string{"400", "401", "403", "413", "429", "5xx", "other", "unreachable"}

// reasonOf returns the reason of a status. The status 0 means no answer.
func reasonOf(status int) string {
	text := strconv.Itoa(status)
	switch {
	case status == 0:
		return "unreachable"
	case status >= 500:
		return "5xx"
	case slices.Contains(Reasons, text):
		return text
	}
	return "other"
}

// A Service pushes. Its methods may be called concurrently; Run is called once.
type Service struct {
	*PreferenceStore
	c      Config
	keys   keys
	client *http.Client
	queue  chan job // what the follower found

	write sync.Mutex // held while the store changes; never while a record is looked at

	mu      sync.Mutex // guards all below
	devices map[string]*device
	failing map[string]Failure // by device: those that a push service refuses
	taken   wire.Cursor        // through where events were looked at
}

const (
	workers  = 8    // that send at once
	maxQueue = 1024 // pushes that wait
	maxAge   = 15 * time.Minute
	claimFor = time.Hour
	refresh  = 10 * time.Second
)

// A job is one event for some devices.
type job struct {
	seq     uint64
	event   event.Event // as no particular reader sees it
	devices []*device
	grants  []access.Grant // of each
}

// New reads keys and subscriptions from the log's store.
func New(ctx context.Context, c Config) (*Service, error) {
	c.Contact = strings.TrimPrefix(c.Contact, "mailto:") // the library adds it
	s := &Service{PreferenceStore: &PreferenceStore{store: c.Log}, c: c, client: client(c.AllowLoopback), queue: make(chan job, maxQueue)}
	var err error
	if s.keys, err = loadKeys(ctx, c.Log); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	after, err := s.start(ctx) // now: what comes before Run is not missed
	s.taken = wire.Cursor{Epoch: c.Log.Epoch(), Seq: after}
	return s, err
}

// Key is the public key that browsers subscribe with, in base64url.
func (s *Service) PublicKey() string { return s.keys.Public }

// Run pushes until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() { s.work(ctx) })
	}
	all.Go(func() { s.tend(ctx) })
	s.follow(ctx)
	all.Wait()
	s.client.CloseIdleConnections()
}

// follow reads the log from where the last broker was, and again where that
// fails.
func (s *Service) follow(ctx context.Context) {
	for ctx.Err() == nil {
		after, err := s.start(ctx)
		if err == nil {
			err = s.c.Log.Tail(ctx, after, s.take)
		}
		if err != nil && ctx.Err() == nil {
			s.c.Logger.Error("push: the log failed; trying again", "error", err)
		}
		pause(ctx, time.Second)
	}
}

// start is where to go on: where the last one was, if the log still has it.
func (s *Service) start(ctx context.Context) (uint64, error) {
	bounds, err := s.c.Log.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	at := s.taken
	s.mu.Unlock()
	if at == (wire.Cursor{}) {
		raw, err := s.c.Log.Get(ctx, cursorKey)
		if err != nil && !errors.Is(err, eventlog.ErrNotFound) {
			return 0, err
		}
		at, _ = wire.ParseCursor(string(raw)) // none, or of another log, is none
	}
	if !eventlog.Holds(s.c.Log, at.Epoch, at.Seq) || at.Seq+1 < bounds.First || at.Seq > bounds.Last {
		return bounds.Last, nil
	}
	return at.Seq, nil
}

// tend keeps the place in the log, and looks for what other brokers changed.
func (s *Service) tend(ctx context.Context) {
	var kept wire.Cursor
	keep := func(ctx context.Context) {
		s.mu.Lock()
		at := s.taken
		s.mu.Unlock()
		if at == kept {
			return
		}
		if err := s.c.Log.Put(ctx, cursorKey, []byte(at.String()), 0); err != nil {
			s.c.Logger.Warn("push: the place in the log could not be kept", "error", err)
			return
		}
		kept = at
	}
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			keep(ctx)
			if s.c.SharedLog {
				if err := s.load(ctx); err != nil && ctx.Err() == nil {
					s.c.Logger.Warn("push: subscriptions could not be read", "error", err)
				}
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			keep(last)
			return
		}
	}
}

// take looks at one record. It never waits.
func (s *Service) take(r eventlog.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = wire.Cursor{Epoch: s.c.Log.Epoch(), Seq: r.Seq}
	now := time.Now()
	if len(s.devices) == 0 || now.Sub(r.Stored) > maxAge {
		return
	}
	e, err := hub.Decode(r, s.c.Log.Epoch())
	if err != nil {
		return // the hub has said so
	}
	j := job{seq: r.Seq, event: e}
	for _, d := range s.devices {
		if g, wants := s.wantsLocked(d, e, now); wants {
			j.devices, j.grants = append(j.devices, d), append(j.grants, g)
		}
	}
	if len(j.devices) == 0 {
		return
	}
	select {
	case s.queue <- j:
	default:
		s.c.Observer.Pushed(ResultDropped, "")
	}
}

// wantsLocked decides, by what a person may and wants now. Nobody is told of
// what they did themselves.
func (s *Service) wantsLocked(d *device, e event.Event, now time.Time) (access.Grant, bool) {
	g, still := s.grant(d, now)
	if !still || e.Actor == g.Actor() {
		return g, false
	}
	p := s.Preferences(g)
	if !slices.Contains(p.Push, e.Type) || p.Quiet != nil && s.quiet(*p.Quiet, now) {
		return g, false
	}
	seen, ok := access.Redact(g, e)
	if !ok {
		return g, false
	}
	_, says := event.ToastText(seen, false) // what is worth no toast is worth no push
	return g, says
}

// grant is what the device's user may by now.
func (s *Service) grant(d *device, now time.Time) (access.Grant, bool) {
	if s.c.CurrentGrant == nil {
		return d.Grant, now.Before(d.Until)
	}
	return s.c.CurrentGrant(d.Grant, d.Stamp)
}

func (s *Service) quiet(q notify.QuietHours, now time.Time) bool {
	in := s.c.Location
	if q.Zone != "" {
		if zone, err := time.LoadLocation(q.Zone); err == nil {
			in = zone
		}
	}
	local := now.In(in)
	return q.Contains(local.Hour(), local.Minute())
}

// work sends what the follower found.
func (s *Service) work(ctx context.Context) {
	for {
		select {
		case j := <-s.queue:
			s.send(ctx, j)
		case <-ctx.Done():
			return
		}
	}
}

// claim is the key of a claim on an event. A restored log counts on from an
// earlier place, where the lost branch may have claimed the number.
func (s *Service) claim(seq uint64) string {
	key := claims + strconv.FormatUint(seq, 10)
	if len(s.c.Log.Ancestors()) > 0 {
		key += "." + s.c.Log.Epoch()
	}
	return key
}

// send claims an event, and pushes it to its devices.
func (s *Service) send(ctx context.Context, j job) {
	err := s.c.Log.Create(ctx, s.claim(j.seq), nil, claimFor)
	if errors.Is(err, eventlog.ErrExists) {
		return
	}
	if err != nil && ctx.Err() == nil {
		s.c.Logger.Warn("push: an event could not be claimed; it is not pushed", "error", err)
		return
	}
	for i, d := range j.devices {
		seen, ok := access.Redact(j.grants[i], j.event)
		if !ok {
			continue
		}
		if !d.pace.Allow() {
			s.c.Observer.Pushed(ResultDropped, "")
			continue
		}
		body, err := json.Marshal(notify.NewMessage(seen))
		if err != nil {
			panic(err) // our own type
		}
		result, err := s.deliver(ctx, d, body, notify.Topic(seen), urgencies[seen.Severity])
		if err != nil && ctx.Err() == nil {
			s.c.Logger.Warn("push: not delivered", "actor", d.Grant.Actor(), "device", d.ID, "result", result, "error", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
