package push

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	webpush "github.com/SherClockHolmes/webpush-go"
	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// Where the store has what.
const (
	keysKey       = "push-keys"
	cursorKey     = "push-cursor"
	subscriptions = "push-subscriptions."
	claims        = "push-claims."
	// The failure of a device is stored apart from it, because storing one must
	// not bring back a device that another broker has forgotten.
	failures = "push-failing."
)

// A device is a subscription with whose it is.
type device struct {
	Subscription
	ID         string       `json:"id"`
	Name       string       `json:"name"` // as its user knows it
	Grant      access.Grant `json:"grant"`
	Stamp      string       `json:"stamp,omitempty"`
	Credential string       `json:"credential"` // of the sign-in, which takes the device along when it ends
	Until      time.Time    `json:"until,omitzero"`
	Created    time.Time    `json:"created"`

	pace *rate.Limiter
}

// Failing holds the time since when a push service refuses all pushes to a
// device, and the status of its last answer.
type Failure struct {
	Since  time.Time `json:"since"`
	Status int       `json:"status"`
}

// Device is what its user sees of one.
type Device struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Failing *Failure  `json:"failing,omitempty"` // nil while pushes are taken
}

const (
	maxDevices = 10 // of one user
	maxName    = 80 // characters of a device's name
	// issuedFor is how long a person is pushed to who signs in elsewhere, since
	// the app last said that they still are: the broker cannot ask.
	issuedFor = 7 * 24 * time.Hour
	// failingFor is how long the store remembers that a device was refused.
	failingFor = 30 * 24 * time.Hour
)

// A few at once; then one in a while. The app has the rest.
const (
	burst = 5
	every = 10 * time.Second
)

func newPace() *rate.Limiter { return rate.NewLimiter(rate.Every(every), burst) }

// hash makes a key of a text that may be long, or not be for every eye.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// loadKeys returns the installation's VAPID keys, and makes them where there
// are none. Another broker may do so at the same time: one pair wins.
func loadKeys(ctx context.Context, store eventlog.Store) (k keys, err error) {
	raw, err := store.Get(ctx, keysKey)
	if errors.Is(err, eventlog.ErrNotFound) {
		if k.Private, k.Public, err = webpush.GenerateVAPIDKeys(); err != nil {
			return k, err
		}
		made, err := json.Marshal(k)
		if err != nil {
			return k, err
		}
		if err := store.Create(ctx, keysKey, made, 0); !errors.Is(err, eventlog.ErrExists) {
			return k, err
		}
		if raw, err = store.Get(ctx, keysKey); err != nil {
			return k, err
		}
	} else if err != nil {
		return k, err
	}
	return k, json.Unmarshal(raw, &k)
}

// keys are of the curve P-256, in base64url.
type keys struct {
	Public  string `json:"public"`
	Private string `json:"private"`
}

// load takes what the store has, which other brokers may have changed.
func (s *Service) load(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	devices := map[string]*device{}
	names, err := s.c.Log.Keys(ctx, subscriptions)
	for _, name := range names {
		d := &device{pace: newPace()}
		if err := read(ctx, s.c.Log, name, d); err != nil {
			return err
		}
		devices[d.ID] = d
	}
	if err != nil {
		return err
	}
	failing := map[string]Failure{}
	for id := range devices {
		var f Failure
		if err := read(ctx, s.c.Log, failures+id, &f); err != nil {
			return err
		}
		if f.Status != 0 {
			failing[id] = f
		}
	}
	if err := s.PreferenceStore.load(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, d := range devices {
		if old := s.devices[id]; old != nil {
			d.pace = old.pace
		}
	}
	delete(devices, "") // gone between the list and the reading
	s.devices, s.failing = devices, failing
	return nil
}

// read takes a value of the store; one that is gone by now is left empty.
func read(ctx context.Context, store eventlog.Store, key string, into any) error {
	raw, err := store.Get(ctx, key)
	if errors.Is(err, eventlog.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// Errors of a Service's methods, beside *event.Problem and those of the log.
var (
	// ErrNotPerson: only people are pushed to.
	ErrNotPerson = errors.New("push: a program's token has no devices")
	// ErrTooManyDevices: the user has as many devices as they may have.
	ErrTooManyDevices = errors.New("push: too many devices")
	// ErrUnknownDevice: the user has no such device.
	ErrUnknownDevice = errors.New("push: no such device")
	// ErrNotDelivered: the push service refused it, or could not be reached.
	ErrNotDelivered = errors.New("push: not delivered")
)

// Subscribe adds a device of a person, or renews it. The device is whoever's
// subscribed last from it. replaces is the id of the device that the browser
// had before, or "": that one is forgotten, and leaves its name to the new one
// where name is empty. An id of another person, or of no device, is ignored.
func (s *Service) Subscribe(
	ctx context.Context, p identity.Principal, sub Subscription, name, replaces string,
) (Device, error) {
	if !p.IsPerson {
		return Device{}, ErrNotPerson
	}
	if err := sub.check(s.c.AllowLoopback); err != nil {
		return Device{}, err
	}
	if len([]rune(name)) > maxName {
		return Device{}, event.Refuse("/name", "limit", "at most 80 characters")
	}
	d := &device{Subscription: sub, ID: hash(sub.Endpoint), Name: name, Grant: p.Grant, Stamp: p.Stamp, Credential: p.Credential, Created: time.Now().UTC(), pace: newPace()}
	if s.c.CurrentGrant == nil {
		d.Until = d.Created.Add(issuedFor)
	}
	replaced, err := s.add(ctx, d, replaces)
	if err == nil && replaced != nil {
		err = s.forget(ctx, replaced)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.publicLocked(d), err
}

// add stores a new or renewed device, and returns the one that it replaces, or
// nil.
func (s *Service) add(ctx context.Context, d *device, replaces string) (replaced *device, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	others := len(s.ofLocked(d.Grant.Actor(), d.ID))
	before := s.devices[cmp.Or(replaces, d.ID)]
	s.mu.Unlock()
	if before != nil && before.Grant.Actor() == d.Grant.Actor() {
		d.Name = cmp.Or(d.Name, before.Name)
		if before.ID != d.ID {
			replaced = before
			others--
		}
	}
	if others >= maxDevices {
		return nil, ErrTooManyDevices
	}
	if err := s.put(ctx, d); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[d.ID] = d
	return replaced, nil
}

// put stores a device. The caller must hold s.write.
func (s *Service) put(ctx context.Context, d *device) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.c.Log.Put(ctx, subscriptions+d.ID, raw, 0)
}

// publicLocked returns the part of a device that its user may see.
func (s *Service) publicLocked(d *device) Device {
	public := Device{ID: d.ID, Name: d.Name, Created: d.Created}
	if f, failing := s.failing[d.ID]; failing {
		public.Failing = &f
	}
	return public
}

// mark stores whether the push service refuses a device: status is that of its
// refusal, or 0 where it took a push. The log's store is written only when that
// changes.
func (s *Service) mark(ctx context.Context, id string, status int) error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	before, failing := s.failing[id]
	s.mu.Unlock()
	if before.Status == status { // 0 where it did not fail
		return nil
	}
	now := Failure{time.Now().UTC(), status}
	if failing {
		now.Since = before.Since
	}
	var err error
	if status == 0 {
		err = s.c.Log.Delete(ctx, failures+id)
	} else {
		raw, _ := json.Marshal(now) // a time and a number always marshal
		err = s.c.Log.Put(ctx, failures+id, raw, failingFor)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.failing, id); status != 0 {
		s.failing[id] = now
	}
	return nil
}

// Refused tells whether a push service refuses pushes to any device.
func (s *Service) HasRefusedDevice() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.failing {
		if s.devices[id] != nil {
			return true
		}
	}
	return false
}

// ofLocked are the devices of a user but for one.
func (s *Service) ofLocked(actor, but string) (all []*device) {
	for _, d := range s.devices {
		if d.Grant.Actor() == actor && d.ID != but {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *device) int { return a.Created.Compare(b.Created) })
	return all
}

// Devices are a user's, oldest first.
func (s *Service) Devices(g access.Grant) []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Device{}
	for _, d := range s.ofLocked(g.Actor(), "") {
		all = append(all, s.publicLocked(d))
	}
	return all
}

// Unsubscribe forgets a device of a user, or returns ErrUnknownDevice.
func (s *Service) Unsubscribe(ctx context.Context, g access.Grant, id string) error {
	s.mu.Lock()
	d := s.devices[id]
	s.mu.Unlock()
	if d == nil || d.Grant.Actor() != g.Actor() {
		return ErrUnknownDevice
	}
	return s.forget(ctx, d)
}

// SignedOut forgets the devices that a sign-in has subscribed.
func (s *Service) ForgetSignIn(ctx context.Context, credential string) (err error) {
	if credential == "" {
		return nil
	}
	var all []*device
	s.mu.Lock()
	for _, d := range s.devices {
		if d.Credential == credential {
			all = append(all, d)
		}
	}
	s.mu.Unlock()
	for _, d := range all {
		err = errors.Join(err, s.forget(ctx, d))
	}
	return err
}

// forget drops a device, unless it was subscribed anew meanwhile.
func (s *Service) forget(ctx context.Context, d *device) error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	now := s.devices[d.ID]
	anew := now != nil && now.Credential != d.Credential
	_, failing := s.failing[d.ID]
	if !anew {
		delete(s.devices, d.ID)
		delete(s.failing, d.ID)
	}
	s.mu.Unlock()
	if anew {
		return nil
	}
	err := s.c.Log.Delete(ctx, subscriptions+d.ID)
	if failing {
		err = errors.Join(err, s.c.Log.Delete(ctx, failures+d.ID))
	}
	return err
}
