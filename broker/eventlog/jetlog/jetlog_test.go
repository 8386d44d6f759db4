package jetlog

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *Log {
	t.Helper()
	log, err := Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	return log
}

func TestEmbedded(t *testing.T) {
	dirs := map[eventlog.Log]string{}
	logtest.Run(t, logtest.Opener{
		Open: func(t *testing.T) eventlog.Log {
			dir := t.TempDir()
			log := open(t, dir)
			dirs[log] = dir
			return log
		},
		Reopen: func(t *testing.T, log eventlog.Log) eventlog.Log {
			require.NoError(t, log.Close())
			return open(t, dirs[log])
		},
	})
}

// TestExternal runs the suite against a server that is reached by URL.
func TestExternal(t *testing.T) {
	logtest.Run(t, logtest.Opener{Open: func(t *testing.T) eventlog.Log {
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, MaxPayload: 8 << 20})
		require.NoError(t, err)
		s.Start()
		require.True(t, s.ReadyForConnections(10*time.Second))
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		log, err := Open(t.Context(), Config{URL: s.ClientURL()})
		require.NoError(t, err)
		return log
	}})
}

func TestTwoBrokersOnOneDirectory(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir)
	_, err := Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "another broker is using it")
	require.NoError(t, log.Close())
	require.NoError(t, open(t, dir).Close())
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(t.Context(), Config{Dir: file})
	require.ErrorContains(t, err, file)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600))
	_, err = Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "not a directory")
}

// TestDamagedStreamIsNotReplaced: a new stream would revive the old records
// under another epoch.
func TestDamagedStreamIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir)
	require.NoError(t, log.Close())
	metas, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", streamName, "meta.inf"))
	require.NoError(t, err)
	require.Len(t, metas, 1)
	require.NoError(t, os.WriteFile(metas[0], []byte("{"), 0o600))
	_, err = Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "damaged")
}

func TestChangedWindowKeepsTheEpoch(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir)
	epoch := log.Epoch()
	require.NoError(t, log.Close())
	log, err := Open(t.Context(), Config{Dir: dir, Window: 2 * time.Hour})
	require.NoError(t, err)
	require.Equal(t, epoch, log.Epoch())
	require.NoError(t, log.Close())
}

// TestForeignRecords: what somebody else put into the stream takes its place
// and stops nobody.
func TestForeignRecords(t *testing.T) {
	log := open(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	for _, subject := range []string{"ev.foreign", "ev.a.b.%zz"} {
		_, err := log.now().js.Publish(t.Context(), subject, []byte("x"))
		require.NoError(t, err)
	}
	_, err := log.Append(t.Context(), eventlog.Entry{Type: "sync_progress", Subject: "sync/a", Key: "a", Body: []byte("{}")})
	require.NoError(t, err)
	page, err := log.Read(t.Context(), 0, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Len(t, page.Records, 3)
	ctx, cancel := context.WithCancel(t.Context())
	var taken []eventlog.Record
	require.NoError(t, log.Tail(ctx, 0, func(r eventlog.Record) {
		if taken = append(taken, r); len(taken) == 3 {
			cancel()
		}
	}))
	require.Equal(t, "sync/a", taken[2].Subject)
	require.Empty(t, taken[0].Subject)
}

func TestTokens(t *testing.T) {
	for _, s := range []string{"", "%", "123", "Excavator XC-200", "a.b*c>d", "\x00\r\n", "ü/€"} {
		encoded := token(s)
		require.NotRegexp(t, `[^A-Za-z0-9_%-]|^$`, encoded)
		back, err := untoken(encoded)
		require.NoError(t, err)
		require.Equal(t, s, back)
	}
}
