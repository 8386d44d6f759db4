package main

import (
	"context"
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
)

// TestServeGoesOnAfterTheServerWasPutBack: the broker opens the log again under
// a new epoch, at the same address, without a restart by hand.
func TestServeGoesOnAfterTheServerWasPutBack(t *testing.T) {
	dir, port := filepath.Join(t.TempDir(), "nats"), -1
	var nats *server.Server
	start := func() {
		var err error
		nats, err = server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir,
			NoSigs: true, NoLog: true, MaxPayload: 8 << 20})
		require.NoError(t, err)
		nats.Start()
		require.True(t, nats.ReadyForConnections(20*time.Second))
		port = nats.Addr().(*net.TCPAddr).Port
	}
	stop := func() {
		nats.Shutdown()
		nats.WaitForShutdown()
	}
	start()
	defer func() { stop() }()
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs output
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--json", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--nats",
			nats.ClientURL()}, environment{strings.NewReader(""), &out, &errs})
	}()
	var where struct{ URL, Token string }
	require.Eventually(t, func() bool { return json.Unmarshal([]byte(out.String()), &where) == nil }, 20*time.Second,
		5*time.Millisecond, "%s", &errs)
	t.Setenv("YARDLINE_URL", where.URL)
	t.Setenv("YARDLINE_TOKEN", where.Token)
	publish := func(id string) (cursor string) {
		status, receipt, said := yardline(t.Context(), "", "publish", "--json", "--id", id, "sync_progress",
			"progress=1")
		require.Equal(t, done, status, said)
		var r struct{ Cursor string }
		require.NoError(t, json.Unmarshal([]byte(receipt), &r))
		return r.Cursor
	}
	publish("a")
	stop()
	backup := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, exec.Command("cp", "-a", dir, backup).Run())
	start()
	seen := publish("b")
	publish("c")
	stop()
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, exec.Command("cp", "-a", backup, dir).Run())
	start()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		// The broker notices the restore at once by this publication.
		yardline(t.Context(), "", "publish", "--id", "d", "sync_progress", "progress=1")
		r, err := http.NewRequestWithContext(t.Context(), "GET", where.URL+"/api/events?after="+seen, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+where.Token)
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
			!strings.HasPrefix(page.Head, seen[:8])
	}, time.Minute, 100*time.Millisecond, "%s", &errs)
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "it says once where it is")
	require.Contains(t, errs.String(), "under a new epoch")
	cancel()
	require.Equal(t, done, <-ended, errs.String())
}

// TestRestoreCommand says what it did, and refuses in a line.
func TestRestoreCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	serve := func(args ...string) (said string) {
		ctx, cancel := context.WithCancel(t.Context())
		var out, errs output
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, append([]string{"serve", "--json", "--listen", "127.0.0.1:0", "--data", dir}, args...),
				environment{strings.NewReader(""), &out, &errs})
		}()
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "\n") }, 20*time.Second,
			5*time.Millisecond, "%s", &errs)
		cancel()
		require.Equal(t, done, <-ended, errs.String())
		return errs.String()
	}
	require.NotContains(t, serve(), "new epoch")
	require.Contains(t, serve("--new-epoch"), "it was asked for")
	require.NotContains(t, serve(), "new epoch")
	backup := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, exec.Command("cp", "-a", dir, backup).Run())
	status, out, said := yardline(t.Context(), "", "restore", backup, "--data", dir)
	require.Equal(t, done, status, said)
	require.Regexp(t,
		`^Restored 0 events, under the new epoch [a-z0-9]{8}\.\nWhat was there before is in .*before-restore-.*\n$`,
		out)
	require.NotContains(t, serve(), "new epoch", "restore gave it already")
	status, _, said = yardline(t.Context(), "", "restore", "--data", dir, t.TempDir())
	require.Equal(t, misuse, status)
	require.Equal(t, 1, strings.Count(said, "\n"))
}
