package pages

import (
	"strings"
	"testing"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
)

// The statuses 401 and 403 are refusals of the broker, which the user of a device cannot repair.
func TestRefusedDeviceShowsSinceWhenAndWhatToDo(t *testing.T) {
	for status, want := range map[int]string{
		401: "Tell your administrator",
		403: "Tell your administrator",
		400: "turn it on again",
	} {
		r := newRoot("/notifications", signedIn(access.Manager))
		r.pages["notifications"].(*notificationsPage).devices = []wasmclient.Device{
			{ID: "a", Name: "Tablet", Created: at, Failing: &wasmclient.Failing{Since: at, Status: status}},
			{ID: "b", Name: "Phone", Created: at},
		}
		html := app.HTMLString(r.Render())
		require.Contains(t, html, want)
		require.Equal(t, 1, strings.Count(html, "refuses messages to this device since 2026-11-23"), status)
	}
}
