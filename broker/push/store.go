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

// The keys of the log's store, and the prefixes of keys.
const (
	keysKey            = "push-keys"
	cursorKey          = "push-cursor"
	subscriptionPrefix = "push-subscriptions."
	claimPrefix        = "push-claims."
	// The failure of a device has a key of its own. If it were a part of the device,
	// storing it could bring back a device that another broker has forgotten.
	failurePrefix = "push-failing."
)

// A device is a subscription with its owner, as the store holds it.
type device struct {
	Subscription
	ID         string       `json:"id"`   // the hash of the endpoint
	Name       string       `json:"name"` // chosen by the user
	Grant      access.Grant `json:"grant"`
	Stamp      string       `json:"stamp,omitempty"`
	Credential string       `json:"credential"`     // of the sign-in; ForgetSignIn removes the device with it
	Until      time.Time    `json:"until,omitzero"` // the end of Grant, when Config.CurrentGrant is nil
	Created    time.Time    `json:"created"`        // the time of the last Subscribe

	pace *rate.Limiter // limits the pushes to this device
}

// A Failure describes a device to which a push service refuses all pushes.
type Failure struct {
	Since  time.Time `json:"since"`  // the time of the first refusal
	Status int       `json:"status"` // the HTTP status of the service's last answer
}

// A Device is the part of a subscription that its user may see.
type Device struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Failing *Failure  `json:"failing,omitempty"` // nil while the push service accepts pushes
}

const (
	maxDevices = 10 // of one user
	maxName    = 80 // characters of a device's name

	// externalGrantLifetime is how long the grant of a subscription counts when users
	// sign in elsewhere, because the broker cannot ask for their present grants. The
	// app subscribes again from time to time.
	externalGrantLifetime = 7 * 24 * time.Hour
	// failureLifetime is how long the store keeps the failure of a device.
	failureLifetime = 30 * 24 * time.Hour
)

// A device gets at most paceBurst pushes at once, then one every paceInterval. The
// app shows the other events.
const (
	paceBurst    = 5
	paceInterval = 10 * time.Second
)

func newPace() *rate.Limiter { return rate.NewLimiter(rate.Every(paceInterval), paceBurst) }

// hash returns a short name for a text that may be long or private.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// loadKeys returns the installation's VAPID keys. It makes them when the store has
// none. When several brokers do so at once, all use the pair that was stored first.
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

// keys is a pair of VAPID keys: keys of the curve P-256 in base64url.
type keys struct {
	Public  string `json:"public"`
	Private string `json:"private"`
}

// load replaces devices, failures and preferences in memory by those of the store,
// which other brokers may have changed.
func (s *Service) load(ctx context.Context) error {
	s.storeMu.Lock()
	defer s.storeMu.Unlock()
	devices := map[string]*device{}
	names, err := s.c.Log.Keys(ctx, subscriptionPrefix)
	for _, name := range names {
		d := &device{pace: newPace()}
		if err := readJSON(ctx, s.c.Log, name, d); err != nil {
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
		if err := readJSON(ctx, s.c.Log, failurePrefix+id, &f); err != nil {
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
	delete(devices, "") // A device without an id was removed after Keys had listed it.
	s.devices, s.failing = devices, failing
	return nil
}

// readJSON reads a value of the store into a variable. It leaves the variable as it
// is when the store has no such key.
func readJSON(ctx context.Context, store eventlog.Store, key string, into any) error {
	raw, err := store.Get(ctx, key)
	if errors.Is(err, eventlog.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// Errors of the methods of a Service. The methods may also return an *event.Problem,
// or an error of the log.
var (
	// ErrNotPerson means that a program tried to subscribe. Only users get pushes.
	ErrNotPerson = errors.New("push: a program's token has no devices")
	// ErrTooManyDevices means that the user already has maxDevices devices.
	ErrTooManyDevices = errors.New("push: too many devices")
	// ErrUnknownDevice means that the user has no such device.
	ErrUnknownDevice = errors.New("push: no such device")
	// ErrNotDelivered means that the push service refused the push, or could not be
	// reached.
	ErrNotDelivered = errors.New("push: not delivered")
)

// Subscribe adds a device for a user, or renews it. A device belongs to the user that
// subscribed it last. An empty name keeps the device's name.
//
// replaces is the id of the device that the browser had before, or empty. Subscribe
// forgets that device, and a new device without a name takes its name. It ignores
// an unknown id and the id of another user's device.
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
		return Device{}, event.Refuse("/name", event.CodeLimit, "at most 80 characters")
	}
	d := &device{
		Subscription: sub,
		ID:           hash(sub.Endpoint),
		Name:         name,
		Grant:        p.Grant,
		Stamp:        p.Stamp,
		Credential:   p.Credential,
		Created:      time.Now().UTC(),
		pace:         newPace(),
	}
	if s.c.CurrentGrant == nil {
		d.Until = d.Created.Add(externalGrantLifetime)
	}
	replaced, err := s.addDevice(ctx, d, replaces)
	if err == nil && replaced != nil {
		err = s.forgetDevice(ctx, replaced)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.publicDeviceLocked(d), err
}

// addDevice stores a new or renewed device. It returns the other device that this one
// replaces, or nil. The caller must forget that device.
func (s *Service) addDevice(ctx context.Context, d *device, replaces string) (replaced *device, err error) {
	s.storeMu.Lock()
	defer s.storeMu.Unlock()
	s.mu.Lock()
	others := len(s.devicesOfLocked(d.Grant.Actor(), d.ID))
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
	if err := s.storeDevice(ctx, d); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[d.ID] = d
	return replaced, nil
}

// storeDevice writes a device to the store. The caller must hold s.storeMu.
func (s *Service) storeDevice(ctx context.Context, d *device) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.c.Log.Put(ctx, subscriptionPrefix+d.ID, raw, 0)
}

// publicDeviceLocked returns the part of a device that its user may see. The caller
// must hold s.mu.
func (s *Service) publicDeviceLocked(d *device) Device {
	public := Device{ID: d.ID, Name: d.Name, Created: d.Created}
	if f, failing := s.failing[d.ID]; failing {
		public.Failing = &f
	}
	return public
}

// setFailure records whether the push service refuses a device. status is that of
// the refusal, or 0 when the service accepted a push. setFailure writes to the store only
// when the status differs from the last one.
func (s *Service) setFailure(ctx context.Context, id string, status int) error {
	s.storeMu.Lock()
	defer s.storeMu.Unlock()
	s.mu.Lock()
	before, failing := s.failing[id]
	s.mu.Unlock()
	if before.Status == status { // The status of a device without a failure is 0.
		return nil
	}
	now := Failure{time.Now().UTC(), status}
	if failing {
		now.Since = before.Since
	}
	var err error
	if status == 0 {
		err = s.c.Log.Delete(ctx, failurePrefix+id)
	} else {
		raw, _ := json.Marshal(now) // A time and a number always marshal.
		err = s.c.Log.Put(ctx, failurePrefix+id, raw, failureLifetime)
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

// HasRefusedDevice tells whether a push service refuses the pushes to any device.
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

// devicesOfLocked returns the devices of a user, oldest first, without the device
// whose id is except. The caller must hold s.mu.
func (s *Service) devicesOfLocked(actor, except string) (all []*device) {
	for _, d := range s.devices {
		if d.Grant.Actor() == actor && d.ID != except {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *device) int { return a.Created.Compare(b.Created) })
	return all
}

// Devices returns the devices of a user, oldest first.
func (s *Service) Devices(g access.Grant) []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Device{}
	for _, d := range s.devicesOfLocked(g.Actor(), "") {
		all = append(all, s.publicDeviceLocked(d))
	}
	return all
}

// Unsubscribe forgets a device of a user. The error is ErrUnknownDevice when the user
// has no such device.
func (s *Service) Unsubscribe(ctx context.Context, g access.Grant, id string) error {
	s.mu.Lock()
	d := s.devices[id]
	s.mu.Unlock()
	if d == nil || d.Grant.Actor() != g.Actor() {
		return ErrUnknownDevice
	}
	return s.forgetDevice(ctx, d)
}

// ForgetSignIn forgets all devices that were subscribed with a credential (see
// identity.Principal). It does nothing for an empty credential.
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
		err = errors.Join(err, s.forgetDevice(ctx, d))
	}
	return err
}

// forgetDevice removes a device from the store and from memory. It keeps a device
// that another sign-in has subscribed since.
func (s *Service) forgetDevice(ctx context.Context, d *device) error {
	s.storeMu.Lock()
	defer s.storeMu.Unlock()
	s.mu.Lock()
	present := s.devices[d.ID]
	resubscribed := present != nil && present.Credential != d.Credential
	_, failing := s.failing[d.ID]
	if !resubscribed {
		delete(s.devices, d.ID)
		delete(s.failing, d.ID)
	}
	s.mu.Unlock()
	if resubscribed {
		return nil
	}
	err := s.c.Log.Delete(ctx, subscriptionPrefix+d.ID)
	if failing {
		err = errors.Join(err, s.c.Log.Delete(ctx, failurePrefix+d.ID))
	}
	return err
}
