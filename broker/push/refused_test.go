package push_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/push/pushtest"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/waittest"
)

// TestRefusedDeviceIsShownAsFailing checks that the failure outlives a restart and a
// renewal, keeps its time, and ends when a push is accepted. The log must hold the
// answer of the push service, and the metric its status.
func TestRefusedDeviceIsShownAsFailing(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	var log bytes.Buffer
	s, stop := r.startService(func(c *push.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	p := r.person("manager", 0, access.Manager)
	device, err := s.Subscribe(t.Context(), p, d.Subscription(), "Phone", "")
	require.NoError(t, err)
	require.Nil(t, device.Failing)
	require.False(t, s.HasRefusedDevice())
	start := time.Now()
	d.SetAnswerWithBody(http.StatusForbidden, "{\"reason\":\n\"BadJwtToken\"}\x1b[31m")
	r.publish(event.MaintenanceRequired("Crane", "Oil"))
	waittest.Eventually(t, s.HasRefusedDevice, soon, time.Millisecond)
	failing := *s.Devices(p.Grant)[0].Failing
	require.Equal(t, http.StatusForbidden, failing.Status)
	require.WithinRange(t, failing.Since, start, time.Now())
	require.Equal(t, 1, r.results.count("failed 403"))
	stop()
	require.Contains(t, log.String(), `answered 403: {\"reason\": \"BadJwtToken\"} [31m"`)

	s, _ = r.startService(nil)
	renewed, err := s.Subscribe(t.Context(), p, d.Subscription(), "Phone", "")
	require.NoError(t, err)
	require.Equal(t, &failing, renewed.Failing, "the same endpoint is refused as before")
	d.SetAnswer(http.StatusUnauthorized)
	var refused *push.RefusedError
	require.ErrorAs(t, s.SendTest(t.Context(), p.Grant, device.ID), &refused)
	require.Equal(t, http.StatusUnauthorized, refused.Status)
	require.Equal(
		t,
		&push.Failure{Since: failing.Since, Status: http.StatusUnauthorized},
		s.Devices(p.Grant)[0].Failing,
	)
	d.SetAnswer(0)
	require.NoError(t, s.SendTest(t.Context(), p.Grant, device.ID))
	require.Nil(t, s.Devices(p.Grant)[0].Failing)
	require.False(t, s.HasRefusedDevice())

	d.SetAnswer(http.StatusForbidden)
	require.ErrorIs(t, s.SendTest(t.Context(), p.Grant, device.ID), push.ErrNotDelivered)
	require.NoError(t, s.ForgetSignIn(t.Context(), p.Credential))
	require.False(t, s.HasRefusedDevice())
	keys, err := r.log.Keys(t.Context(), "push-")
	require.NoError(t, err)
	for _, key := range keys {
		require.NotContains(t, key, device.ID, "nothing is left of a device that has gone")
	}
}

// TestReplacedDeviceIsForgotten checks that a browser with a new endpoint stays one
// device with its name, even when its user has the most devices.
func TestReplacedDeviceIsForgotten(t *testing.T) {
	r := newRig(t)
	s, _ := r.startService(nil)
	p, q := r.person("manager", 0, access.Manager), r.person("yard", 0, access.Yard)
	subscribe := func(name, replaces string) push.Device {
		t.Helper()
		device, err := s.Subscribe(t.Context(), p, pushtest.New(t).Subscription(), name, replaces)
		require.NoError(t, err)
		return device
	}
	first := subscribe("Yard tablet", "")
	second := subscribe("", first.ID)
	require.Equal(t, "Yard tablet", second.Name)
	require.Equal(t, []push.Device{second}, s.Devices(p.Grant))
	require.ErrorIs(t, s.SendTest(t.Context(), p.Grant, first.ID), push.ErrUnknownDevice)
	third := subscribe("Office", second.ID)
	require.Equal(t, "Office", third.Name)

	// Subscribe ignores another user's device and an unknown one.
	theirs, err := s.Subscribe(t.Context(), q, pushtest.New(t).Subscription(), "Theirs", third.ID)
	require.NoError(t, err)
	require.Equal(t, "Theirs", theirs.Name)
	require.Equal(t, []push.Device{third}, s.Devices(p.Grant))
	subscribe("x", "no-such-device")
	for len(s.Devices(p.Grant)) < 10 {
		subscribe("x", "")
	}
	_, err = s.Subscribe(t.Context(), p, pushtest.New(t).Subscription(), "", "")
	require.ErrorIs(t, err, push.ErrTooManyDevices)
	subscribe("", third.ID)
	require.Len(t, s.Devices(p.Grant), 10)

	restarted, err := push.New(
		t.Context(),
		push.Config{
			Log:           r.log,
			Contact:       "mailto:ops@yard.company",
			Location:      time.UTC,
			Logger:        slog.New(slog.DiscardHandler),
			Observer:      r.results,
			AllowLoopback: true,
		},
	)
	require.NoError(t, err)
	require.Equal(t, s.Devices(p.Grant), restarted.Devices(p.Grant), "as the store has it")
}

// TestRenewedDeviceKeepsItsName renews a subscription without a name, because a
// service worker does not know the name of the device.
func TestRenewedDeviceKeepsItsName(t *testing.T) {
	r, d := newRig(t), pushtest.New(t)
	s, _ := r.startService(nil)
	p := r.person("manager", 0, access.Manager)
	device, err := s.Subscribe(t.Context(), p, d.Subscription(), "Yard tablet", "")
	require.NoError(t, err)
	renewed, err := s.Subscribe(t.Context(), p, d.Subscription(), "", device.ID)
	require.NoError(t, err)
	require.Equal(t, "Yard tablet", renewed.Name)
	require.Len(t, s.Devices(p.Grant), 1)
}

func TestContactIsChecked(t *testing.T) {
	for contact, want := range map[string]struct{ valid, placeholder bool }{
		push.PlaceholderContact:      {valid: true, placeholder: true},
		"mailto:ops@company.example": {valid: true, placeholder: true},
		"mailto:a@example.com":       {valid: true, placeholder: true},
		"mailto:root@localhost":      {valid: true, placeholder: true},
		"https://localhost/":         {valid: true, placeholder: true},
		"https://127.0.0.1":          {valid: true, placeholder: true},
		"mailto:ops@YARD.Test":       {valid: true, placeholder: true},
		"https://example.org./":      {valid: true, placeholder: true},

		"mailto:ops@rental.company":      {valid: true},
		"https://rental.company/contact": {valid: true},
		"mailto:ops@notexample.com":      {valid: true},

		"":                                {},
		"mailto:":                         {},
		"mailto:ops":                      {},
		"mailto: ops@rental.company":      {},
		"mailto:<ops@rental.company>":     {},
		"https://":                        {},
		"http://rental.company":           {},
		"ops@rental.company":              {},
		"mailto:Ops <ops@rental.company>": {},
		"https://u:p@rental.company":      {},
	} {
		if err := push.CheckContact(contact); (err == nil) != want.valid {
			t.Errorf("%q: %v", contact, err)
		}
		if want.valid && push.IsPlaceholderContact(contact) != want.placeholder {
			t.Errorf("%q: placeholder is not %t", contact, want.placeholder)
		}
	}
	require.ErrorIs(t, error(&push.RefusedError{Status: 403}), push.ErrNotDelivered)
}
