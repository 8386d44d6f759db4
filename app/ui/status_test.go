package ui

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

func status(s conn.Status) Status {
	return Status{
		View:        wasmclient.View{Status: s, Connected: s.State == conn.Live},
		Transitions: []wasmclient.Transition{{Status: s}},
		Now:         now,
	}
}

var states = []conn.State{
	conn.Connecting,
	conn.Live,
	conn.Reconnecting,
	conn.Offline,
	conn.Paused,
	conn.Stale,
	conn.Denied,
	conn.Disconnected,
	conn.Limited,
	conn.Polling,
}

// The names are a contract. No state may be known by its colour alone.
func TestStatusNamesEveryState(t *testing.T) {
	for _, state := range states {
		s := status(conn.Status{State: state})
		for _, markup := range []string{html(s.Compact()), html(s.Panel(Actions{}))} {
			requireParts(t, markup, `data-status="`+string(state)+`"`, `data-tab="alone"`, glyphs[state])
		}
		require.NotEmpty(t, StatusText(s.View.Status))
	}
	live := status(conn.Status{State: conn.Live, Transport: conn.SSE})
	require.Contains(t, html(live.Compact()), `data-transport="sse"`)
	stale := status(conn.Status{State: conn.Stale})
	require.Contains(t, html(stale.Compact()), `data-transport="none"`)
}

func TestBannerSaysWhatToDo(t *testing.T) {
	retryAt := now.Add(time.Second)
	for _, c := range []struct {
		status conn.Status
		want   string
	}{
		{conn.Status{State: conn.Reconnecting, RetryAt: now.Add(3500 * time.Millisecond)}, "Reconnecting in 4 s"},
		{conn.Status{State: conn.Limited, RetryAt: now.Add(20 * time.Second)}, "Server is busy Retrying in 20 s"},
		{conn.Status{State: conn.Denied, Code: "sign_in_required"}, "Session expired. Sign in again."},
		{conn.Status{State: conn.Denied, Code: "forbidden"}, "Ask your administrator"},
		{conn.Status{State: conn.Denied, Code: "forbidden"}, "(forbidden)"},
		{conn.Status{State: conn.Denied, Code: "invalid_token"}, "no longer accepted"},
		{
			conn.Status{State: conn.Reconnecting, Code: conn.LoginRedirect, RetryAt: retryAt},
			"A sign-in page answers in the broker’s place",
		},
		{conn.Status{State: conn.Reconnecting, Code: "http_403", RetryAt: retryAt}, "answers in its place. (http_403)"},
		{conn.Status{State: conn.Reconnecting, Code: "http_401", RetryAt: retryAt}, "answers in its place. (http_401)"},
		{conn.Status{State: conn.Reconnecting, Code: "http_204", RetryAt: retryAt}, "answers in its place. (http_204)"},
		{
			conn.Status{State: conn.Reconnecting, Code: "not_a_stream", RetryAt: retryAt},
			"answers in its place. (not_a_stream)",
		},
	} {
		require.Contains(t, html(status(c.status).Banner(Actions{})), c.want)
	}
	require.NotContains(t, html(status(conn.Status{State: conn.Live}).Banner(Actions{})), "button")
	hidden := status(conn.Status{State: conn.Paused, Code: "hidden"})
	require.NotContains(t, html(hidden.Banner(Actions{})), "(hidden)")
	reconnecting := status(conn.Status{State: conn.Reconnecting})
	require.Contains(t, html(reconnecting.Panel(Actions{})), "Retry now")
}

// A user without the right to read is signed in all the same.
func TestOnlyASignedOutUserReadsSignedOut(t *testing.T) {
	for code, want := range map[string]string{
		"sign_in_required": "Signed out",
		"signed_out":       "Signed out",
		"invalid_token":    "Signed out",
		"forbidden":        "No access",
	} {
		require.Contains(t, html(status(conn.Status{State: conn.Denied, Code: code}).Compact()), want, code)
	}
	for _, state := range states {
		if state != conn.Denied {
			compact := html(status(conn.Status{State: state, Code: "http_403"}).Compact())
			require.NotContains(t, compact, "Signed out", state)
		}
	}
}
