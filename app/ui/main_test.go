package ui

import (
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// now is the time of the tests.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// html returns the markup of a control.
func html(u app.UI) string { return app.HTMLString(u) }

// requireParts fails unless the markup contains all parts.
func requireParts(t *testing.T, markup string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		require.Contains(t, markup, part)
	}
}

// received returns an event as the client keeps it.
func received(e event.Event) store.Received {
	e.ID, e.Cursor = "id-1", "k-1"
	return store.Received{Event: e.Stamp("", now), Received: now}
}

// made returns a valid event.
func made(t *testing.T, typ event.Type, data map[string]any) event.Event {
	t.Helper()
	e, err := event.New(typ, data)
	require.NoError(t, err)
	return e
}
