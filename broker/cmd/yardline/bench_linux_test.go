package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/bench"
)

func TestBenchMeasuresABroker(t *testing.T) {
	data := t.TempDir()
	served := runInBackground(t, "serve", "--json", "--data", data, "--listen", "127.0.0.1:0", "--publish-rate", "1000")
	printed := served.waitForAddress(t)
	measure := func(args ...string) (report bench.Report) {
		t.Helper()
		args = append(append([]string{"bench", "--json", "--settle", "0s"}, args...), printed.URL)
		status, out, stderr := yardline(t.Context(), "", args...)
		require.Equal(t, exitDone, status, stderr)
		require.NoError(t, json.Unmarshal([]byte(out), &report))
		return report
	}
	r := measure("--data", data, "--pid", strconv.Itoa(os.Getpid()), "--subscribers", "210", "--events", "40")
	require.Equal(t, int64(40), r.Published.Events)
	require.Equal(t, int64(40*210), r.Delivered.Events)
	require.Zero(t, r.Delivered.Lost+r.Delivered.Duplicates+r.Delivered.OutOfOrder)
	require.Positive(t, r.Server.CPUSeconds)

	r = measure("--data", data, "--subscribers", "2", "--events", "100", "--batch", "50", "--gzip")
	require.Equal(t, int64(200), r.Delivered.Events)

	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte(printed.Token+"\n"), 0o600))
	r = measure("--tokens", tokens, "--subscribers", "3", "--events", "0")
	require.Nil(t, r.Published)

	for advice, args := range map[string][]string{
		"name the broker's --data": {"--token", "wrong"},
		"more --tokens":            {"--tokens", tokens, "--subscribers", "200"},
	} {
		status, _, stderr := yardline(t.Context(), "", append(append([]string{"bench"}, args...), printed.URL)...)
		require.Equal(t, exitFailed, status)
		require.Contains(t, stderr, advice)
	}
	served.stop(t)
}
