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

// Config holds the dependencies and options of a Service.
type Config struct {
	// Log is the log whose events the Service pushes. Its store holds devices and
	// preferences. It is required.
	Log eventlog.Log
	// Contact is an https or mailto address at which the operators of push services
	// reach the operator of this broker (RFC 8292, section 2.1). It is required.
	Contact string
	// Location is the time zone of quiet hours that name none. It is required.
	Location *time.Location
	// Logger receives failures. It is required.
	Logger *slog.Logger
	// SharedLog is true when other brokers use the same log. The Service then reads
	// devices and preferences from the store every 10 seconds.
	SharedLog bool
	// CurrentGrant returns the present grant of a user who signed in with grant g and
	// this stamp. ok is false when the user may no longer use the sign-in. Nil means
	// that users sign in elsewhere: the Service then trusts the grant of a subscription
	// for 7 days.
	CurrentGrant func(g access.Grant, stamp string) (now access.Grant, ok bool)
	// Observer counts the results of pushes. It is required.
	Observer Observer
	// AllowLoopback also accepts endpoints on loopback, even without TLS. Tests need it.
	AllowLoopback bool
}

// An Observer counts the results of pushes. Several goroutines call it at once.
type Observer interface {
	// Pushed receives one of Results. For ResultFailed it also receives one of Reasons,
	// and an empty reason otherwise.
	Pushed(result, reason string)
}

// The results of a push.
const (
	ResultSent    = "sent"
	ResultGone    = "gone"    // The push service reports that the browser has dropped the subscription.
	ResultFailed  = "failed"  // The push service refused the push, or could not be reached in time.
	ResultDropped = "dropped" // The queue was full, or the device has had too many pushes.
)

// Results lists all results of a push.
var Results = []string{ResultSent, ResultGone, ResultFailed, ResultDropped}

// Reasons lists all reasons of a failed push: the status of the push service's last
// answer, or "unreachable" when there was no answer.
var Reasons = []string{"400", "401", "403", "413", "429", "5xx", "other", "unreachable"}

// reasonOf returns the reason for a status. The status 0 means that there was no
// answer.
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

// A Service sends pushes. Its methods are safe for concurrent use, but Run may be
// called only once.
type Service struct {
	*PreferenceStore
	c      Config
	keys   keys
	client *http.Client
	queue  chan job // from handleRecord to the workers; see maxQueue

	// storeMu is held while devices change in the store and in memory. A goroutine
	// that needs both locks locks storeMu first. handleRecord never locks storeMu,
	// because it must not wait for the store.
	storeMu sync.Mutex

	mu       sync.Mutex // guards all below
	devices  map[string]*device
	failing  map[string]Failure // by the id of a device that its push service refuses
	position wire.Cursor        // of the last record that handleRecord has seen
}

const (
	// workers is the number of pushes that are sent at once.
	workers = 8
	// maxQueue is the number of events that wait for a worker. Further events are
	// dropped and counted.
	maxQueue = 1024
	// maxEventAge is the greatest age of an event that is pushed.
	maxEventAge = 15 * time.Minute
	// claimLifetime is how long the store keeps the claim on an event. It is longer
	// than maxEventAge, so no broker pushes the event again.
	claimLifetime = time.Hour
	// refreshInterval is the time between two tasks of maintain, which saves the position,
	// and reads the store when the log is shared.
	refreshInterval = 10 * time.Second
)

// A job is one event that must be pushed to some devices.
type job struct {
	seq     uint64
	event   event.Event // complete, before access.Redact
	devices []*device
	grants  []access.Grant // of the user of each device, in the same order
}

// New returns a Service. It reads or makes the VAPID keys, and reads devices and
// preferences from the log's store.
func New(ctx context.Context, c Config) (*Service, error) {
	c.Contact = strings.TrimPrefix(c.Contact, "mailto:") // The webpush library adds it.
	s := &Service{
		PreferenceStore: &PreferenceStore{store: c.Log},
		c:               c,
		client:          newClient(c.AllowLoopback),
		queue:           make(chan job, maxQueue),
	}
	var err error
	if s.keys, err = loadKeys(ctx, c.Log); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	// The position is read here, so that events between New and Run are pushed, too.
	after, err := s.startPosition(ctx)
	s.position = wire.Cursor{Epoch: c.Log.Epoch(), Seq: after}
	return s, err
}

// PublicKey returns the VAPID key that browsers subscribe with, in base64url.
func (s *Service) PublicKey() string { return s.keys.Public }

// Run pushes events until ctx ends. It returns after its goroutines have ended.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() { s.sendQueued(ctx) })
	}
	all.Go(func() { s.maintain(ctx) })
	s.follow(ctx)
	all.Wait()
	s.client.CloseIdleConnections()
}

// follow passes the records of the log to handleRecord until ctx ends. After a
// failure it tries again every second.
func (s *Service) follow(ctx context.Context) {
	for ctx.Err() == nil {
		after, err := s.startPosition(ctx)
		if err == nil {
			err = s.c.Log.Tail(ctx, after, s.handleRecord)
		}
		if err != nil && ctx.Err() == nil {
			s.c.Logger.Error("push: the log failed; trying again", "error", err)
		}
		sleep(ctx, time.Second)
	}
}

// startPosition returns the sequence after which to follow the log. It is the
// position in memory, else the position in the store. When the log no longer holds
// this position, startPosition returns the end of the log.
func (s *Service) startPosition(ctx context.Context) (uint64, error) {
	bounds, err := s.c.Log.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	at := s.position
	s.mu.Unlock()
	if at == (wire.Cursor{}) {
		raw, err := s.c.Log.Get(ctx, cursorKey)
		if err != nil && !errors.Is(err, eventlog.ErrNotFound) {
			return 0, err
		}
		at, _ = wire.ParseCursor(string(raw)) // Without a valid cursor the position is the end of the log.
	}
	if !eventlog.Holds(s.c.Log, at.Epoch, at.Seq) || at.Seq+1 < bounds.First || at.Seq > bounds.Last {
		return bounds.Last, nil
	}
	return at.Seq, nil
}

// maintain saves the position every refreshInterval and at the end. When the log is
// shared, it also reads the changes that other brokers made to the store.
func (s *Service) maintain(ctx context.Context) {
	var saved wire.Cursor
	savePosition := func(ctx context.Context) {
		s.mu.Lock()
		at := s.position
		s.mu.Unlock()
		if at == saved {
			return
		}
		if err := s.c.Log.Put(ctx, cursorKey, []byte(at.String()), 0); err != nil {
			s.c.Logger.Warn("push: the place in the log could not be kept", "error", err)
			return
		}
		saved = at
	}
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			savePosition(ctx)
			if s.c.SharedLog {
				if err := s.load(ctx); err != nil && ctx.Err() == nil {
					s.c.Logger.Warn("push: subscriptions could not be read", "error", err)
				}
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			savePosition(last)
			return
		}
	}
}

// handleRecord queues an event for the devices that want it. Only follow's goroutine
// calls it. It never waits: when the queue is full, it drops the event.
func (s *Service) handleRecord(r eventlog.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = wire.Cursor{Epoch: s.c.Log.Epoch(), Seq: r.Seq}
	now := time.Now()
	if len(s.devices) == 0 || now.Sub(r.Stored) > maxEventAge {
		return
	}
	e, err := hub.Decode(r, s.c.Log.Epoch())
	if err != nil {
		return // The hub logs this error.
	}
	j := job{seq: r.Seq, event: e}
	for _, d := range s.devices {
		if g, wants := s.wantsPushLocked(d, e, now); wants {
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

// wantsPushLocked tells whether a device gets a push for an event, and returns the
// present grant of its user. It is false for an event that the user caused, that
// the user may not see, or that the user's preferences exclude. The caller must hold
// s.mu.
func (s *Service) wantsPushLocked(d *device, e event.Event, now time.Time) (access.Grant, bool) {
	g, ok := s.currentGrant(d, now)
	if !ok || e.Actor == g.Actor() {
		return g, false
	}
	p := s.Preferences(g)
	if !slices.Contains(p.Push, e.Type) || p.Quiet != nil && s.isQuiet(*p.Quiet, now) {
		return g, false
	}
	view, ok := access.Redact(g, e)
	if !ok {
		return g, false
	}
	_, hasText := event.ToastText(view, false) // An event without a toast has no push either.
	return g, hasText
}

// currentGrant returns the present grant of a device's user. ok is false when the
// sign-in that subscribed the device no longer counts.
func (s *Service) currentGrant(d *device, now time.Time) (access.Grant, bool) {
	if s.c.CurrentGrant == nil {
		return d.Grant, now.Before(d.Until)
	}
	return s.c.CurrentGrant(d.Grant, d.Stamp)
}

// isQuiet tells whether now is within a user's quiet hours.
func (s *Service) isQuiet(q notify.QuietHours, now time.Time) bool {
	in := s.c.Location
	if q.Zone != "" {
		if zone, err := time.LoadLocation(q.Zone); err == nil {
			in = zone
		}
	}
	local := now.In(in)
	return q.Contains(local.Hour(), local.Minute())
}

// sendQueued sends the jobs of the queue until ctx ends. Each worker runs it.
func (s *Service) sendQueued(ctx context.Context) {
	for {
		select {
		case j := <-s.queue:
			s.send(ctx, j)
		case <-ctx.Done():
			return
		}
	}
}

// claimKey returns the store's key of the claim on an event. A log that was restored
// from a backup gives out some sequence numbers again, which the store may hold
// claims on. Their keys then contain the epoch, too.
func (s *Service) claimKey(seq uint64) string {
	key := claimPrefix + strconv.FormatUint(seq, 10)
	if len(s.c.Log.Ancestors()) > 0 {
		key += "." + s.c.Log.Epoch()
	}
	return key
}

// send claims an event and pushes it to its devices. It does nothing when another
// broker has claimed the event.
func (s *Service) send(ctx context.Context, j job) {
	err := s.c.Log.Create(ctx, s.claimKey(j.seq), nil, claimLifetime)
	if errors.Is(err, eventlog.ErrExists) {
		return
	}
	if err != nil && ctx.Err() == nil {
		s.c.Logger.Warn("push: an event could not be claimed; it is not pushed", "error", err)
		return
	}
	for i, d := range j.devices {
		view, ok := access.Redact(j.grants[i], j.event)
		if !ok {
			continue
		}
		if !d.pace.Allow() {
			s.c.Observer.Pushed(ResultDropped, "")
			continue
		}
		body, err := json.Marshal(notify.NewMessage(view))
		if err != nil {
			panic(err) // A notify.Message always marshals.
		}
		result, err := s.deliver(ctx, d, outgoing{body, notify.Topic(view), urgencies[view.Severity]})
		if err != nil && ctx.Err() == nil {
			s.c.Logger.Warn("push: not delivered",
				"actor", d.Grant.Actor(), "device", d.ID, "result", result, "error", err)
		}
	}
}

// sleep waits until d has passed or ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
