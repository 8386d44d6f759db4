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
)

// codes returns the codes of a broker's warnings.
func codes(b *Broker) (all []string) {
	for _, w := range b.warnings() {
		all = append(all, w.Code)
	}
	return all
}

// TestPlaceholderContactIsSaidAtStart: a broker whose pushes some services
// refuse says so in its log and by /readyz.
func TestPlaceholderContactIsSaidAtStart(t *testing.T) {
	for contact, warned := range map[string]bool{"": true, "mailto:ops@company.example": true,
		"mailto:ops@rental.company": false} {
		var log bytes.Buffer
		b, err := New(
			t.Context(),
			Config{
				Listen:      "127.0.0.1:0",
				Data:        t.TempDir(),
				PushContact: contact,
				Logger:      slog.New(slog.NewTextHandler(&log, nil)),
			},
		)
		require.NoError(t, err)
		if warned {
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

// TestRefusedPushIsAWarning: an operator need not wait for a user's complaint.
func TestRefusedPushIsAWarning(t *testing.T) {
	b, err := New(
		t.Context(),
		Config{Listen: "127.0.0.1:0", Data: t.TempDir(), PushContact: "mailto:ops@rental.company", PushTest: true},
	)
	require.NoError(t, err)
	defer b.Close()
	g, err := access.NewGrant("4", "", []access.Role{access.Manager}, 0)
	require.NoError(t, err)
	d := pushtest.New(t)
	device, err := b.push.Subscribe(t.Context(), identity.Principal{Grant: g, IsPerson: true}, d.Subscription(), "", "")
	require.NoError(t, err)
	d.Answer(403)
	require.Error(t, b.push.SendTest(t.Context(), g, device.ID))
	require.Equal(t, []string{WarnPushRefused}, codes(b))
	d.Answer(0)
	require.NoError(t, b.push.SendTest(t.Context(), g, device.ID))
	require.Empty(t, codes(b))
}

// oldServer is a log at a NATS server of some version.
type oldServer struct {
	eventlog.Log
	version string
}

func (o oldServer) ServerVersion() string { return o.version }

// TestOldNATSIsAWarning: a server may be replaced by an older one while a broker
// runs, and its own messages do not say so.
func TestOldNATSIsAWarning(t *testing.T) {
	b, err := New(
		t.Context(),
		Config{Listen: "127.0.0.1:0", Data: t.TempDir(), PushContact: "mailto:ops@rental.company"},
	)
	require.NoError(t, err)
	log := b.log
	for version, old := range map[string]bool{"2.9.10": true, "2.10.29": true, "1.4.1": true, "2.11.0": false,
		"2.15.2": false, "3.0.0-beta": false, "": false} {
		b.log = oldServer{log, version}
		if old {
			require.Equal(t, []string{WarnNATS}, codes(b), version)
			require.Contains(t, b.warnings()[0].Detail, version)
		} else {
			require.Empty(t, codes(b), version)
		}
	}
	b.log = log
	require.NoError(t, b.Close())
}

// TestMissingZonesAreAWarning: a machine without a zone table takes no quiet
// times but those of UTC.
func TestMissingZonesAreAWarning(t *testing.T) {
	defer func(before func(string) (*time.Location, error)) { loadZone = before }(loadZone)
	loadZone = func(string) (*time.Location, error) { return nil, errors.New("unknown time zone") }
	b, err := New(
		t.Context(),
		Config{Listen: "127.0.0.1:0", Data: t.TempDir(), PushContact: "mailto:ops@rental.company"},
	)
	require.NoError(t, err)
	require.Equal(t, []string{WarnZones}, codes(b))
	require.NoError(t, b.Close())
}

// TestTroubleWithKeysIsAWarning: the broker serves with the keys that it has.
func TestTroubleWithKeysIsAWarning(t *testing.T) {
	var good atomic.Bool
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !good.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		io.WriteString(
			w,
			`{"keys":[{"kty":"EC","crv":"P-256","kid":"k1",
				"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`,
		) // of RFC 7517, A.1
	}))
	defer provider.Close()
	b, err := New(
		t.Context(),
		Config{Listen: "127.0.0.1:0", Data: t.TempDir(), PushContact: "mailto:ops@rental.company", Auth: AuthJWT,
			Issuer: identity.IssuerConfig{
				Issuer:   "https://id.example",
				Audience: "yardline",
				JWKSURL:  provider.URL,
				Refresh:  20 * time.Millisecond,
			}},
	)
	require.NoError(t, err)
	require.Equal(t, []string{WarnIdentityKeys}, codes(b))
	good.Store(true)
	require.Eventually(t, func() bool { return len(codes(b)) == 0 }, 20*time.Second, time.Millisecond)
	require.NoError(t, b.Close())
}
