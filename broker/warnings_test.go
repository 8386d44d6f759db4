package broker

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push/pushtest"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// codes returns the codes of a broker's warnings.
func codes(b *Broker) (all []string) {
	for _, w := range b.warnings() {
		all = append(all, w.Code)
	}
	return all
}

// contact is an address that is not a placeholder, so that it causes no warning.
const contact = "mailto:ops@rental.company"

// Some push services refuse pushes without a real contact.
func TestPlaceholderContactIsAWarningAndInTheLog(t *testing.T) {
	for contact, isPlaceholder := range map[string]bool{
		"":                           true,
		"mailto:ops@company.example": true,
		contact:                      false,
	} {
		var log bytes.Buffer
		b := open(t, Config{PushContact: contact, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if isPlaceholder {
			require.Equal(t, []string{WarnPushContact}, codes(b))
			require.Contains(t, log.String(), "--push-contact")
		} else {
			require.Empty(t, codes(b))
			require.NotContains(t, log.String(), "--push-contact")
		}
		require.NoError(t, b.Close())
	}
	_, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), PushContact: "mailto:"})
	require.ErrorContains(t, err, `--push-contact: "mailto:" is no address`)
}

func TestRefusedPushIsAWarning(t *testing.T) {
	b := open(t, Config{PushContact: contact, PushTest: true})
	defer b.Close()
	g, err := access.NewGrant("4", "", []access.Role{access.Manager}, 0)
	require.NoError(t, err)
	d := pushtest.New(t)
	device, err := b.push.Subscribe(t.Context(), identity.Principal{Grant: g, IsPerson: true}, d.Subscription(), "", "")
	require.NoError(t, err)
	d.SetAnswer(403)
	require.Error(t, b.push.SendTest(t.Context(), g, device.ID))
	require.Equal(t, []string{WarnPushRefused}, codes(b))
	d.SetAnswer(0)
	require.NoError(t, b.push.SendTest(t.Context(), g, device.ID))
	require.Empty(t, codes(b))
}

// versionedLog is a log at a NATS server of a version.
type versionedLog struct {
	eventlog.Log
	version string
}

func (l versionedLog) ServerVersion() string { return l.version }

// An operator may replace the server by an older one while the broker runs.
func TestOldNATSIsAWarning(t *testing.T) {
	b := open(t, Config{PushContact: contact})
	log := b.log
	for version, isOld := range map[string]bool{
		"2.9.10": true, "2.10.29": true, "1.4.1": true,
		"2.11.0": false, "2.15.2": false, "3.0.0-beta": false, "": false,
	} {
		b.log = versionedLog{log, version}
		if isOld {
			require.Equal(t, []string{WarnNATS}, codes(b), version)
			require.Contains(t, b.warnings()[0].Detail, version)
		} else {
			require.Empty(t, codes(b), version)
		}
	}
	b.log = log
	require.NoError(t, b.Close())
}

// Without a table of time zones only quiet times in UTC work.
func TestMissingZonesAreAWarning(t *testing.T) {
	defer func(before func(string) (*time.Location, error)) { loadZone = before }(loadZone)
	loadZone = func(string) (*time.Location, error) { return nil, errors.New("unknown time zone") }
	b := open(t, Config{PushContact: contact})
	require.Equal(t, []string{WarnZones}, codes(b))
	require.NoError(t, b.Close())
}

func TestUnreadableIdentityKeysAreAWarning(t *testing.T) {
	var good atomic.Bool
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !good.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		// The key is the example of RFC 7517, appendix A.1.
		io.WriteString(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1",
			"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
	}))
	defer provider.Close()
	b := open(t, Config{
		PushContact: contact,
		Auth:        AuthJWT,
		Issuer: identity.IssuerConfig{
			Issuer:   "https://id.example",
			Audience: "yardline",
			JWKSURL:  provider.URL,
			Refresh:  20 * time.Millisecond,
		},
	})
	require.Equal(t, []string{WarnIdentityKeys}, codes(b))
	good.Store(true)
	waittest.Eventually(t, func() bool { return len(codes(b)) == 0 }, 20*time.Second, time.Millisecond)
	require.NoError(t, b.Close())
}
