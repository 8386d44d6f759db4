package jetlog

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/logtest"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/waittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openEmbedded opens an embedded log. The caller closes it.
func openEmbedded(t *testing.T, dir string) *Log {
	t.Helper()
	log, err := Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	return log
}

// syncEntry returns an entry with a key.
func syncEntry(key string) eventlog.Entry {
	return eventlog.Entry{Type: "sync_progress", Subject: "sync/a", Key: key, Digest: "d", Body: []byte("{}")}
}

// TestEmbeddedLogKeepsContract runs the suite with an embedded server.
func TestEmbeddedLogKeepsContract(t *testing.T) {
	dirs := map[eventlog.Log]string{}
	logtest.Run(t, logtest.Opener{
		Open: func(t *testing.T) eventlog.Log {
			dir := t.TempDir()
			log := openEmbedded(t, dir)
			dirs[log] = dir
			return log
		},
		Reopen: func(t *testing.T, log eventlog.Log) eventlog.Log {
			require.NoError(t, log.Close())
			return openEmbedded(t, dirs[log])
		},
	})
}

// TestExternalLogKeepsContract runs the suite with an external server.
func TestExternalLogKeepsContract(t *testing.T) {
	logtest.Run(t, logtest.Opener{Open: func(t *testing.T) eventlog.Log {
		s, err := server.NewServer(&server.Options{
			Host:       "127.0.0.1",
			Port:       -1,
			JetStream:  true,
			StoreDir:   t.TempDir(),
			NoSigs:     true,
			NoLog:      true,
			MaxPayload: 8 << 20,
		})
		require.NoError(t, err)
		s.Start()
		require.True(t, s.ReadyForConnections(10*time.Second))
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		log, err := Open(t.Context(), Config{URL: s.ClientURL()})
		require.NoError(t, err)
		return log
	}})
}

func TestSecondBrokerOnDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, dir)
	_, err := Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "another broker is using it")
	require.NoError(t, log.Close())
	require.NoError(t, openEmbedded(t, dir).Close())
}

func TestUnusableDirectoryIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(t.Context(), Config{Dir: file})
	require.ErrorContains(t, err, file)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600))
	_, err = Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "not a directory")
}

// TestDamagedStreamIsNotReplaced damages a stream. A new stream in its place
// would revive the old records under another epoch, so Open must fail.
func TestDamagedStreamIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, dir)
	require.NoError(t, log.Close())
	metas, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "YARDLINE_EVENTS", "meta.inf"))
	require.NoError(t, err)
	require.Len(t, metas, 1)
	require.NoError(t, os.WriteFile(metas[0], []byte("{"), 0o600))
	_, err = Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "damaged")
	require.ErrorContains(t, err, "yardline restore")
}

func TestChangedWindowKeepsTheEpoch(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, dir)
	epoch := log.Epoch()
	require.NoError(t, log.Close())
	log, err := Open(t.Context(), Config{Dir: dir, DedupWindow: 2 * time.Hour})
	require.NoError(t, err)
	require.Equal(t, epoch, log.Epoch())
	require.NoError(t, log.Close())
}

// TestForeignRecordsBreakNoReader stores messages of another program in the
// stream. Readers must receive them without type and subject, and the records
// after them.
func TestForeignRecordsBreakNoReader(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	for _, subject := range []string{"ev.foreign", "ev.a.b.%zz"} {
		_, err := log.currentLink().js.Publish(t.Context(), subject, []byte("x"))
		require.NoError(t, err)
	}
	_, err := log.Append(t.Context(), syncEntry("a"))
	require.NoError(t, err)
	page, err := log.Read(t.Context(), 0, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Len(t, page.Records, 3)
	ctx, cancel := context.WithCancel(t.Context())
	var received []eventlog.Record
	require.NoError(t, log.Tail(ctx, 0, func(r eventlog.Record) {
		if received = append(received, r); len(received) == 3 {
			cancel()
		}
	}))
	require.Equal(t, "sync/a", received[2].Subject)
	require.Empty(t, received[0].Subject)
}

func TestTokensRoundTrip(t *testing.T) {
	for _, s := range []string{"", "%", "123", "Excavator XC-200", "a.b*c>d", "\x00\r\n", "ü/€"} {
		encoded := token(s)
		require.NotRegexp(t, `[^A-Za-z0-9_%-]|^$`, encoded)
		back, err := parseToken(encoded)
		require.NoError(t, err)
		require.Equal(t, s, back)
	}
}

func TestValidPrefix(t *testing.T) {
	for prefix, valid := range map[string]bool{
		"YARDLINE":  true,
		"stage-1_b": true,
		"":          false,
		"a.b":       false,
		"a b":       false,
		"*":         false,
		">":         false,
		"é":         false,
	} {
		require.Equal(t, valid, ValidPrefix(prefix), prefix)
	}
}

// startMember starts a server of a cluster of three.
func startMember(t *testing.T, i int, dirs []string, ports []int) *server.Server {
	o := &server.Options{
		ServerName: fmt.Sprint("n", i),
		Host:       "127.0.0.1",
		Port:       -1,
		JetStream:  true,
		StoreDir:   dirs[i],
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: 8 << 20,
		Cluster:    server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: ports[i]},
	}
	for _, port := range ports {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	return s
}

// A cluster is three servers that keep a log together.
type cluster struct {
	dirs    []string
	ports   []int
	servers []*server.Server
}

// startCluster starts three servers and opens a log with three replicas. The
// caller closes the log.
func startCluster(t *testing.T) (*cluster, *Log) {
	c := &cluster{}
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.ports = append(c.ports, l.Addr().(*net.TCPAddr).Port)
		require.NoError(t, l.Close())
		c.dirs = append(c.dirs, t.TempDir())
	}
	for i := range 3 {
		c.servers = append(c.servers, startMember(t, i, c.dirs, c.ports))
	}
	t.Cleanup(func() {
		for _, s := range c.servers {
			s.Shutdown()
			s.WaitForShutdown()
		}
	})
	var log *Log
	waittest.Eventually(t, func() (ok bool) { // the three servers must find each other first
		var err error
		log, err = Open(t.Context(), Config{URL: c.servers[0].ClientURL(), Replicas: 3})
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	return c, log
}

// TestConcurrentBrokersStoreAnIDOnce appends the same ids through two brokers
// of a cluster at the same time. The cluster refuses the second request while
// it stores the first, and both brokers must still get the number of the record.
func TestConcurrentBrokersStoreAnIDOnce(t *testing.T) {
	c, log := startCluster(t)
	defer log.Close()
	other, err := Open(t.Context(), Config{URL: c.servers[1].ClientURL(), Replicas: 3})
	require.NoError(t, err)
	defer other.Close()
	for i := range 40 {
		entry := syncEntry(fmt.Sprint(i))
		var acks [4]eventlog.Ack
		var all sync.WaitGroup
		for n := range acks {
			all.Go(func() {
				var err error
				if acks[n], err = []*Log{log, other}[n%2].Append(t.Context(), entry); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		stored := 0
		for _, ack := range acks {
			require.EqualValues(t, i+1, ack.Seq)
			if !ack.Duplicate {
				stored++
			}
		}
		require.Equal(t, 1, stored)
	}
}

// TestClusterRecoversFromLostQuorum stops two of three servers. Appends must
// fail, and succeed by themselves when the servers are back. An entry that was
// appended again must be stored once.
func TestClusterRecoversFromLostQuorum(t *testing.T) {
	c, log := startCluster(t)
	defer log.Close()
	servers, dirs, ports := c.servers, c.dirs, c.ports
	entry := func(i int) eventlog.Entry { return syncEntry(fmt.Sprint(i)) }
	_, err := log.Append(t.Context(), entry(0))
	require.NoError(t, err)
	for _, i := range []int{1, 2} {
		servers[i].Shutdown()
		servers[i].WaitForShutdown()
	}
	_, err = log.Append(t.Context(), entry(1))
	require.ErrorIs(t, err, eventlog.ErrUnavailable)
	for _, i := range []int{1, 2} {
		servers[i] = startMember(t, i, dirs, ports)
	}
	waittest.Eventually(t, func() bool {
		_, err = log.Append(t.Context(), entry(1))
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	waittest.Eventually(t, func() bool {
		b, err := log.Bounds(t.Context())
		return err == nil && b == eventlog.Bounds{First: 1, Last: 2}
	}, time.Minute, 10*time.Millisecond)
	// Any replica may answer, also one that lags. A page must not leave out a
	// record before its Through.
	for i := uint64(2); i < 60; i++ {
		_, err = log.Append(t.Context(), entry(int(i)))
		require.NoError(t, err)
		for _, s := range []eventlog.Selection{
			{},
			{Types: []event.Type{"sync_progress"}},
			{Subjects: []string{"sync/*"}},
		} {
			page, err := log.Read(t.Context(), i-1, 10, s)
			require.NoError(t, err)
			require.Len(t, page.Records, int(page.Through-(i-1)))
			require.Contains(t, []uint64{i, i + 1}, page.Through)
		}
	}
}

// TestLeaderAnswersLikeDirectGet compares a record from the leader with one
// from a direct get.
func TestLeaderAnswersLikeDirectGet(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	_, err := log.Append(t.Context(), eventlog.Entry{
		Type: "sync_progress", Subject: "sync/a b", Key: "a", Body: []byte(`{"a":"ü"}`)})
	require.NoError(t, err)
	for _, filter := range []string{"", "ev.sync_progress.>"} {
		direct, _, err := log.currentLink().directGet(t.Context(), filter, 0, 1)
		require.NoError(t, err)
		next, err := log.currentLink().askLeader(t.Context(), filter, 0)
		require.NoError(t, err)
		require.True(t, direct[0].Stored.Equal(next.Stored))
		next.Stored = direct[0].Stored
		require.Equal(t, direct[0], *next)
		next, err = log.currentLink().askLeader(t.Context(), filter, 1)
		require.NoError(t, err)
		require.Nil(t, next)
	}
}

// TestCancelledCallKeepsHealth appends with a cancelled context. This must not
// count as a failure of the log.
func TestCancelledCallKeepsHealth(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := log.Append(ctx, eventlog.Entry{Type: "sync_progress", Subject: "sync/a", Key: "a", Body: []byte("{}")})
	require.Error(t, err)
	require.True(t, log.failingSince.IsZero())
}

// TestRestartedServerKeepsRecords restarts the embedded server. The log must
// have all records, and store more.
func TestRestartedServerKeepsRecords(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	first, err := log.Append(t.Context(), syncEntry("a"))
	require.NoError(t, err)
	require.NoError(t, log.restart(t.Context()))
	log.setHealth(nil)
	repeated, err := log.Append(t.Context(), syncEntry("a"))
	require.NoError(t, err)
	require.Equal(t, eventlog.Ack{Seq: first.Seq, Duplicate: true}, repeated)
	next, err := log.Append(t.Context(), syncEntry("b"))
	require.NoError(t, err)
	require.Equal(t, first.Seq+1, next.Seq)
	require.NoError(t, probe(t.TempDir()))
	require.Error(t, probe("/nowhere"))
}
