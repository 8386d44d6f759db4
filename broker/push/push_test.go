package push_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/push/pushtest"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/waittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const soon = 20 * time.Second

// results is an Observer that counts pushes by their results.
type results struct {
	mu sync.Mutex
	of map[string]int
}

func (r *results) Pushed(result, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[result]++
	if reason != "" {
		r.of[result+" "+reason]++
	}
}

func (r *results) count(result string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[result]
}

// rig is a log with users, on which a test runs Services.
type rig struct {
	*testing.T
	log     eventlog.Log
	results *results
	events  int // the number of published events

	mu    sync.Mutex               // guards roles
	roles map[string][]access.Role // the present roles by the user's name, for currentGrant
}

func newRig(t *testing.T) *rig {
	return &rig{
		T:       t,
		log:     memlog.New("k", time.Hour),
		results: &results{of: map[string]int{}},
		roles:   map[string][]access.Role{},
	}
}

func (r *rig) currentGrant(g access.Grant, stamp string) (access.Grant, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	roles, known := r.roles[g.Name]
	g.Roles = roles
	return g, known && stamp == "stamp"
}

func (r *rig) setRoles(name string, roles ...access.Role) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.roles[name] = roles
}

// startService starts a Service that runs until the test ends or stop is called.
func (r *rig) startService(change func(*push.Config)) (s *push.Service, stop func()) {
	r.Helper()
	c := push.Config{
		Log:           r.log,
		Contact:       "mailto:ops@example.com",
		Location:      time.UTC,
		Logger:        slog.New(slog.DiscardHandler),
		CurrentGrant:  r.currentGrant,
		Observer:      r.results,
		AllowLoopback: true,
	}
	if change != nil {
		change(&c)
	}
	s, err := push.New(r.Context(), c)
	require.NoError(r, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	r.Cleanup(stop)
	return s, stop
}

func (r *rig) person(name string, employee int64, roles ...access.Role) identity.Principal {
	r.setRoles(name, roles...)
	g, err := access.NewGrant("id-"+name, name, roles, employee)
	require.NoError(r, err)
	return identity.Principal{Grant: g, Credential: "session-" + name, IsPerson: true, Stamp: "stamp"}
}

func (r *rig) publish(e event.Event, err error) {
	r.Helper()
	require.NoError(r, err)
	r.events++
	e = e.Stamp(fmt.Sprint("id-", r.events), time.Now())
	_, err = r.log.Append(r.Context(), eventlog.Entry{
		Type:    e.Type,
		Subject: e.Subject,
		Key:     e.ID,
		Digest:  e.ID,
		Body:    e.AppendJSON(nil),
	})
	require.NoError(r, err)
}

// waitForPushes waits until a device has received n pushes, and returns them.
func (r *rig) waitForPushes(d *pushtest.Device, n int) []pushtest.Delivery {
	r.Helper()
	timer := time.NewTimer(soon)
	defer timer.Stop()
	for {
		all, more := d.Deliveries()
		if len(all) >= n {
			require.Len(r, all, n)
			return all
		}
		select {
		case <-more:
		case <-timer.C:
			r.Fatalf("%d pushes of %d within %v", len(all), n, soon)
		}
	}
}

func TestPushIsEncryptedAndMinimal(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	s, _ := r.startService(nil)
	manager := r.person("manager", 0, access.Manager)
	device, err := s.Subscribe(t.Context(), manager, d.Subscription(), "Phone", "")
	require.NoError(t, err)
	require.Equal(t, []push.Device{device}, s.Devices(manager.Grant))
	r.publish(event.New(event.TypeRentalOverdue, map[string]any{
		"rental_id":          9,
		"days_overdue":       2,
		"customer":           "Ann Secret",
		"customer_phone":     "+4930123456",
		"amount_outstanding": 4321,
	}))
	r.publish(event.New(event.TypePayrollProcessed, map[string]any{
		"payroll_run_id": "PR-77",
		"period":         "2026-11",
		"employee_count": 5,
	}))
	r.publish(event.RentalStatusUpdated(3, "active", "")) // The default preferences exclude it.
	r.publish(event.MaintenanceRequired("Excavator XC-200", "Oil"))
	all := r.waitForPushes(d, 3)
	by := map[string]pushtest.Delivery{}
	for _, got := range all {
		by[got.Title] = got
		require.NotContains(t, string(got.Body), "Secret")
		require.NotContains(t, string(got.Body), "4321")
		require.NotContains(t, string(got.Body), "4930123456")
		require.NotContains(t, string(got.Body), "PR-77")
		require.Equal(t, "43200", got.Header.Get("TTL"))
		topic, err := base64.RawURLEncoding.DecodeString(got.Header.Get("Topic"))
		require.NoError(t, err)
		require.LessOrEqual(t, len(got.Header.Get("Topic")), 32)
		require.NotEmpty(t, topic)
	}
	overdue := by["Overdue"]
	require.Equal(t, "Rental #9 is 2 days overdue", overdue.Message.Body)
	require.Equal(t, "/rentals/9", overdue.URL)
	require.Equal(t, "high", overdue.Header.Get("Urgency"))
	require.Equal(t, overdue.Header.Get("Topic"), overdue.Tag)
	require.Equal(t, "Open Yardline to see it.", by["There is news about payroll"].Message.Body)
	require.Equal(t, "/equipment/Excavator%20XC-200", by["Maintenance"].URL)
	waittest.Eventually(t, func() bool { return r.results.count(push.ResultSent) == 3 }, soon, time.Millisecond)
}

// TestPushFollowsThePresentRights checks that the rights of the moment count, not those
// at the time of the subscription.
func TestPushFollowsThePresentRights(t *testing.T) {
	r := newRig(t)
	s, _ := r.startService(nil)
	devices := map[string]*pushtest.Device{}
	for name, role := range map[string]access.Role{"hr": access.HR, "yard": access.Yard, "demoted": access.HR} {
		devices[name] = pushtest.New(t)
		_, err := s.Subscribe(t.Context(), r.person(name, 0, role), devices[name].Subscription(), "", "")
		require.NoError(t, err)
	}
	r.setRoles("demoted", access.Yard)
	r.publish(event.New(event.TypePayrollProcessed, map[string]any{"period": "2026-11"}))
	r.waitForPushes(devices["hr"], 1)
	r.publish(event.MaintenanceRequired("Crane", "Oil"))
	for _, name := range []string{"yard", "demoted"} {
		require.Equal(t, "Maintenance", r.waitForPushes(devices[name], 1)[0].Title)
	}
	// A user who was removed, or has another password, gets no further push.
	r.mu.Lock()
	delete(r.roles, "demoted")
	r.mu.Unlock()
	r.publish(event.MaintenanceRequired("Lift", "Tyre"))
	r.waitForPushes(devices["yard"], 2)
	require.Equal(t, 1, devices["demoted"].Attempts())
}

func TestPushFollowsPreferencesAndQuietHours(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	s, _ := r.startService(nil)
	p := r.person("manager", 0, access.Manager)
	_, err := s.Subscribe(t.Context(), p, d.Subscription(), "", "")
	require.NoError(t, err)
	require.Equal(t, notify.DefaultPreferences(p.Grant), s.Preferences(p.Grant))
	preferences := notify.Preferences{Push: []event.Type{event.TypeRentalStatusUpdated}, Muted: []event.Type{}}
	require.NoError(t, s.SetPreferences(t.Context(), p.Grant, preferences))
	r.publish(event.MaintenanceRequired("Crane", "Oil"))
	r.publish(event.RentalStatusUpdated(3, "active", ""))
	require.Equal(t, "Rental", r.waitForPushes(d, 1)[0].Title)
	now := time.Now().UTC()
	clock := func(t time.Time) string { return t.Format("15:04") }
	preferences.Quiet = &notify.QuietHours{From: clock(now.Add(-time.Hour)), To: clock(now.Add(time.Hour)), Zone: "UTC"}
	require.NoError(t, s.SetPreferences(t.Context(), p.Grant, preferences))
	preferences.Quiet = nil
	other := pushtest.New(t)
	q := r.person("dispatcher", 0, access.Dispatcher)
	require.NoError(t, s.SetPreferences(t.Context(), q.Grant, preferences))
	_, err = s.Subscribe(t.Context(), q, other.Subscription(), "", "")
	require.NoError(t, err)
	r.publish(event.RentalStatusUpdated(4, "active", ""))
	r.publish(event.RentalStatusUpdated(5, "active", ""))
	r.waitForPushes(other, 2)
	require.Equal(t, 1, d.Attempts(), "quiet hours")
	for _, bad := range []notify.Preferences{
		{Push: []event.Type{"none"}},
		{Quiet: &notify.QuietHours{From: "25:00", To: "01:00"}},
		{Quiet: &notify.QuietHours{From: "01:00", To: "01:00"}},
		{Quiet: &notify.QuietHours{From: "22:00", To: "06:00", Zone: "Nowhere/None"}},
	} {
		var refused *event.Problem
		require.ErrorAs(t, s.SetPreferences(t.Context(), p.Grant, bad), &refused)
	}
}

// TestGoneDevicesAreForgotten also checks that the Service tries again at a busy push
// service.
func TestGoneDevicesAreForgotten(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	s, _ := r.startService(nil)
	p := r.person("manager", 0, access.Manager)
	device, err := s.Subscribe(t.Context(), p, d.Subscription(), "", "")
	require.NoError(t, err)
	d.SetAnswer(http.StatusTooManyRequests)
	done := make(chan error, 1)
	go func() { done <- s.SendTest(t.Context(), p.Grant, device.ID) }()
	waittest.Eventually(t, func() bool { return d.Attempts() == 1 }, soon, time.Millisecond)
	d.SetAnswer(0)
	require.NoError(t, <-done)
	require.Equal(t, "Notifications work on this device.", r.waitForPushes(d, 1)[0].Message.Body)
	d.SetAnswer(http.StatusForbidden)
	require.ErrorIs(t, s.SendTest(t.Context(), p.Grant, device.ID), push.ErrNotDelivered)
	require.Len(t, s.Devices(p.Grant), 1)
	d.SetAnswer(http.StatusGone)
	r.publish(event.MaintenanceRequired("Crane", "Oil"))
	waittest.Eventually(t, func() bool { return len(s.Devices(p.Grant)) == 0 }, soon, time.Millisecond)
	require.Equal(t, 1, r.results.count(push.ResultGone))
	keys, err := r.log.Keys(t.Context(), "push-subscriptions.")
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestSignOutForgetsTheDevice(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	s, _ := r.startService(nil)
	p, q := r.person("manager", 0, access.Manager), r.person("yard", 0, access.Yard)
	device, err := s.Subscribe(t.Context(), p, d.Subscription(), "", "")
	require.NoError(t, err)
	require.ErrorIs(t, s.Unsubscribe(t.Context(), q.Grant, device.ID), push.ErrUnknownDevice, "another's")
	require.ErrorIs(t, s.SendTest(t.Context(), q.Grant, device.ID), push.ErrUnknownDevice, "another's")
	require.NoError(t, s.ForgetSignIn(t.Context(), q.Credential))
	require.Len(t, s.Devices(p.Grant), 1)
	require.NoError(t, s.ForgetSignIn(t.Context(), p.Credential))
	require.Empty(t, s.Devices(p.Grant))
	// When another user of the same browser subscribes, the device belongs to that user.
	_, err = s.Subscribe(t.Context(), p, d.Subscription(), "", "")
	require.NoError(t, err)
	_, err = s.Subscribe(t.Context(), q, d.Subscription(), "", "")
	require.NoError(t, err)
	require.Empty(t, s.Devices(p.Grant))
	require.Len(t, s.Devices(q.Grant), 1)
	_, err = s.Subscribe(t.Context(), identity.Principal{Grant: p.Grant}, d.Subscription(), "", "")
	require.ErrorIs(t, err, push.ErrNotPerson)
}

// TestTwoBrokersPushAnEventOnce also checks that events from the time without a broker
// are pushed after the next start.
func TestTwoBrokersPushAnEventOnce(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	a, stopA := r.startService(nil)
	p := r.person("manager", 0, access.Manager)
	_, err := a.Subscribe(t.Context(), p, d.Subscription(), "", "")
	require.NoError(t, err)
	b, stopB := r.startService(nil)
	require.Equal(t, a.PublicKey(), b.PublicKey())
	require.Len(t, b.Devices(p.Grant), 1)
	r.publish(event.MaintenanceRequired("Crane", "Oil"))
	r.publish(event.MaintenanceRequired("Lift", "Tyre"))
	r.waitForPushes(d, 2)
	stopA()
	stopB()
	r.publish(event.MaintenanceRequired("Roller", "Oil"))
	c, _ := r.startService(nil)
	require.Equal(t, a.PublicKey(), c.PublicKey())
	r.waitForPushes(d, 3)
}

// TestFloodOfPushesIsBounded publishes many events at once. The device must get only a
// few of them.
func TestFloodOfPushesIsBounded(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	s, _ := r.startService(nil)
	_, err := s.Subscribe(t.Context(), r.person("manager", 0, access.Manager), d.Subscription(), "", "")
	require.NoError(t, err)
	for i := range 40 {
		r.publish(event.MaintenanceRequired(fmt.Sprint("Crane ", i), "Oil"))
	}
	waittest.Eventually(t, func() bool {
		return r.results.count(push.ResultSent)+r.results.count(push.ResultDropped) == 40
	}, soon, time.Millisecond)
	require.GreaterOrEqual(t, d.Attempts(), 5)
	require.Less(t, d.Attempts(), 10)
}

// TestUserOfAnotherSignInIsPushedTo uses a Service that cannot ask for the present
// grant of its users.
func TestUserOfAnotherSignInIsPushedTo(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	s, _ := r.startService(func(c *push.Config) { c.CurrentGrant = nil })
	_, err := s.Subscribe(t.Context(), r.person("manager", 0, access.Manager), d.Subscription(), "", "")
	require.NoError(t, err)
	r.publish(event.MaintenanceRequired("Crane", "Oil"))
	r.waitForPushes(d, 1)
}
