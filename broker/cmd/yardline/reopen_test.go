package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/waittest"
)

// natsServer is an external server that a test starts, stops and starts again.
type natsServer struct {
	dir  string // of its files
	port int    // -1 picks a free one at the first start
	*server.Server
}

func (n *natsServer) start(t *testing.T) {
	t.Helper()
	var err error
	n.Server, err = server.NewServer(&server.Options{
		Host:       "127.0.0.1",
		Port:       n.port,
		JetStream:  true,
		StoreDir:   n.dir,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: 8 << 20,
	})
	require.NoError(t, err)
	n.Start()
	require.True(t, n.ReadyForConnections(20*time.Second))
	n.port = n.Addr().(*net.TCPAddr).Port
}

func (n *natsServer) stop() {
	n.Shutdown()
	n.WaitForShutdown()
}

// copyTree copies a directory to a path that does not exist yet.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, exec.Command("cp", "-a", from, to).Run())
}

// When the external server is restored from a backup, the broker must open the log again
// under a new epoch, at the same address, without a restart by hand.
func TestServeGoesOnAfterItsNATSServerWasRestored(t *testing.T) {
	nats := &natsServer{dir: filepath.Join(t.TempDir(), "nats"), port: -1}
	nats.start(t)
	defer nats.stop()
	served := runInBackground(t, "serve", "--json", "--listen", "127.0.0.1:0", "--data", t.TempDir(),
		"--nats", nats.ClientURL())
	at := served.waitForAddress(t)
	t.Setenv("YARDLINE_URL", at.URL)
	t.Setenv("YARDLINE_TOKEN", at.Token)
	publish := func(id string) (cursor string) {
		status, receipt, stderr := yardline(t.Context(), "", "publish", "--json", "--id", id, "sync_progress",
			"progress=1")
		require.Equal(t, exitDone, status, stderr)
		var r struct{ Cursor string }
		require.NoError(t, json.Unmarshal([]byte(receipt), &r))
		return r.Cursor
	}
	publish("a")
	nats.stop()
	backup := filepath.Join(t.TempDir(), "backup")
	copyTree(t, nats.dir, backup)
	nats.start(t)
	lostCursor := publish("b")
	publish("c")
	nats.stop()
	require.NoError(t, os.RemoveAll(nats.dir))
	copyTree(t, backup, nats.dir)
	nats.start(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	waittest.Eventually(t, func() bool {
		// The broker notices the restore at once by this publication.
		yardline(t.Context(), "", "publish", "--id", "d", "sync_progress", "progress=1")
		r, err := http.NewRequestWithContext(t.Context(), "GET", at.URL+"/api/events?after="+lostCursor, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+at.Token)
		answer, err := client.Do(r)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var page struct {
			Gap  *struct{}
			Head string
		}
		return json.NewDecoder(answer.Body).Decode(&page) == nil && page.Gap != nil &&
			!strings.HasPrefix(page.Head, lostCursor[:8])
	}, time.Minute, 100*time.Millisecond, "%s", &served.err)
	require.Equal(t, 1, strings.Count(served.out.String(), "\n"), "the address is printed once")
	require.Contains(t, served.err.String(), "under a new epoch")
	served.stop(t)
}

func TestRestoreCommandGivesANewEpochOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	// serve starts and stops a broker, and returns what it logged.
	serve := func(args ...string) (log string) {
		served := runInBackground(t, append([]string{"serve", "--json", "--listen", "127.0.0.1:0", "--data", dir},
			args...)...)
		served.waitForAddress(t)
		served.stop(t)
		return served.err.String()
	}
	require.NotContains(t, serve(), "new epoch")
	require.Contains(t, serve("--new-epoch"), "it was asked for")
	require.NotContains(t, serve(), "new epoch")
	backup := filepath.Join(t.TempDir(), "backup")
	copyTree(t, dir, backup)
	status, out, stderr := yardline(t.Context(), "", "restore", backup, "--data", dir)
	require.Equal(t, exitDone, status, stderr)
	require.Regexp(t,
		`^Restored 0 events, under the new epoch [a-z0-9]{8}\.\nWhat was there before is in .*before-restore-.*\n$`,
		out)
	require.NotContains(t, serve(), "new epoch", "restore has given one")
	status, _, stderr = yardline(t.Context(), "", "restore", "--data", dir, t.TempDir())
	require.Equal(t, exitMisuse, status)
	require.Equal(t, 1, strings.Count(stderr, "\n"))
}
