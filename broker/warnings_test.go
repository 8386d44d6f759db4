package broker

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

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
	for contact, warned := range map[string]bool{"": true, "mailto:ops@company.example": true, "mailto:ops@rental.company": false} {
		var log bytes.Buffer
		b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), PushContact: contact, Logger: slog.New(slog.NewTextHandler(&log, nil))})
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
	b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), PushContact: "mailto:ops@rental.company", PushTest: true})
	require.NoError(t, err)
	defer b.Close()
	g, err := access.NewGrant("4", "", []access.Role{access.Manager}, 0)
	require.NoError(t, err)
	d := pushtest.New(t)
	device, err := b.push.Subscribe(t.Context(), identity.Principal{Grant: g, Person: true}, d.Subscription(), "", "")
	require.NoError(t, err)
	d.Answer(403)
	require.Error(t, b.push.Test(t.Context(), g, device.ID))
	require.Equal(t, []string{WarnPushRefused}, codes(b))
	d.Answer(0)
	require.NoError(t, b.push.Test(t.Context(), g, device.ID))
	require.Empty(t, codes(b))
}
