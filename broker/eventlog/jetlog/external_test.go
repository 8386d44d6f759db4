package jetlog

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// natsServer is an external server that can be stopped and started again at its
// address.
type natsServer struct {
	dir  string
	port int
	s    *server.Server
}

func startNATS(t *testing.T) *natsServer {
	n := &natsServer{dir: filepath.Join(t.TempDir(), "nats"), port: -1}
	n.start(t)
	n.port = n.s.Addr().(*net.TCPAddr).Port
	t.Cleanup(n.stop)
	return n
}

func (n *natsServer) start(t *testing.T) {
	var err error
	n.s, err = server.NewServer(&server.Options{Host: "127.0.0.1", Port: n.port, JetStream: true, StoreDir: n.dir,
		NoSigs: true, NoLog: true, MaxPayload: 8 << 20})
	require.NoError(t, err)
	n.s.Start()
	require.True(t, n.s.ReadyForConnections(20*time.Second))
}

func (n *natsServer) stop() {
	n.s.Shutdown()
	n.s.WaitForShutdown()
}

// restore stops the server, puts a backup of its files back, and starts it.
func (n *natsServer) restore(t *testing.T, backup string) {
	n.stop()
	require.NoError(t, os.RemoveAll(n.dir))
	runCommand(t, "cp", "-a", backup, n.dir)
	n.start(t)
}

func (n *natsServer) backup(t *testing.T) string {
	n.stop()
	to := filepath.Join(t.TempDir(), "backup")
	runCommand(t, "cp", "-a", n.dir, to)
	n.start(t)
	return to
}

func (n *natsServer) open(t *testing.T, c Config) *Log {
	t.Helper()
	c.URL = n.s.ClientURL()
	log, err := Open(t.Context(), c)
	require.NoError(t, err)
	return log
}

// connectedAgain waits until a broker has found the server again.
func awaitConnected(t *testing.T, log *Log) {
	t.Helper()
	require.Eventually(t, log.currentLink().conn.IsConnected, 30*time.Second, 5*time.Millisecond)
}

// TestServerRestoredWhileStoppedGetsNewEpoch: the broker remembers how far the log was, in
// its data directory.
func TestServerRestoredWhileStoppedGetsNewEpoch(t *testing.T) {
	n, dir := startNATS(t), t.TempDir()
	log := n.open(t, Config{Dir: dir})
	first := log.Epoch()
	appendRecords(t, log, 3)
	require.NoError(t, log.Close())
	backup := n.backup(t)
	log = n.open(t, Config{Dir: dir})
	require.Equal(t, first, log.Epoch(), "a restart")
	appendRecords(t, log, 2)
	require.NoError(t, log.Close())

	n.restore(t, backup)
	log = n.open(t, Config{Dir: dir})
	second := log.Epoch()
	require.NotEqual(t, first, second)
	appendRecords(t, log, 9)
	require.NoError(t, log.Close())

	n.restore(t, backup) // which has the first epoch again, and fewer records
	log = n.open(t, Config{Dir: dir})
	require.NotContains(t, []string{first, second}, log.Epoch())
	third := log.Epoch()
	require.NoError(t, log.Close())

	other := n.open(t, Config{Dir: t.TempDir()})
	require.Equal(t, third, other.Epoch(), "another broker finds the present epoch")
	require.NoError(t, other.Close())
}

// TestStreamRestoredAloneGetsNewEpoch: the store knows how far the log was.
func TestStreamRestoredAloneGetsNewEpoch(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{})
	first := log.Epoch()
	appendRecords(t, log, 3)
	require.NoError(t, log.Close())
	const stream = "jetstream/$G/streams/YARDLINE_EVENTS"
	backup := n.backup(t)
	log = n.open(t, Config{})
	appendRecords(t, log, 2)
	require.NoError(t, log.Close())
	n.stop()
	require.NoError(t, os.RemoveAll(filepath.Join(n.dir, stream)))
	runCommand(t, "cp", "-a", filepath.Join(backup, stream), filepath.Join(n.dir, stream))
	n.start(t)
	log = n.open(t, Config{})
	require.NotEqual(t, first, log.Epoch())
	require.NoError(t, log.Close())
}

// TestServerRestoredWhileRunningIsGivenUp: the broker gives the log up, at the latest when
// a new record gets a number that it knows.
func TestServerRestoredWhileRunningIsGivenUp(t *testing.T) {
	n, dir := startNATS(t), t.TempDir()
	log := n.open(t, Config{Dir: dir})
	first := log.Epoch()
	appendRecords(t, log, 3)
	backup := n.backup(t)
	awaitConnected(t, log)
	appendRecords(t, log, 3)
	n.restore(t, backup)
	awaitConnected(t, log)
	_, err := log.Append(t.Context(), eventlog.Entry{Type: "sync_progress", Subject: "sync/a", Key: "new", Digest: "d",
		Body: []byte("{}")})
	require.ErrorIs(t, err, eventlog.ErrUnavailable)
	select {
	case <-log.EpochChanged():
	case <-time.After(30 * time.Second):
		t.Fatal("the log was not given up")
	}
	require.NoError(t, log.Close())
	log = n.open(t, Config{Dir: dir})
	defer func() { require.NoError(t, log.Close()) }()
	require.NotEqual(t, first, log.Epoch())
	ack, err := log.Append(t.Context(), eventlog.Entry{Type: "sync_progress", Subject: "sync/a", Key: "new",
		Digest: "d", Body: []byte("{}")})
	require.NoError(t, err)
	require.Equal(t, eventlog.Ack{Seq: 4, Duplicate: true}, ack, "sent again it is stored once")
}

// TestEpochOfAnotherBrokerIsNoticed: all brokers of a log follow.
func TestEpochOfAnotherBrokerIsNoticed(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{Dir: t.TempDir()})
	defer func() { require.NoError(t, log.Close()) }()
	appendRecords(t, log, 1)
	other := n.open(t, Config{Dir: t.TempDir(), NewEpoch: true})
	require.NotEqual(t, log.Epoch(), other.Epoch())
	require.NoError(t, other.Close())
	log.checkSoon()
	select {
	case <-log.EpochChanged():
	case <-time.After(30 * time.Second):
		t.Fatal("the other epoch was not noticed")
	}
}

// TestLogThatSeemsShorterOnceIsKept: one look at a log that seems to be shorter is
// not enough, because a server of a cluster may lag.
func TestLogThatSeemsShorterOnceIsKept(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{})
	defer func() { require.NoError(t, log.Close()) }()
	log.stopKeeper()
	log.keeperDone.Wait()
	appendRecords(t, log, 2)
	log.noteHead(5)
	log.updateRecord(t.Context(), true)
	require.False(t, log.hasGivenUp())
	log.updateRecord(t.Context(), true)
	require.True(t, log.hasGivenUp())
}

// TestInstallationsDoNotShareALog on one server keep apart by their prefixes, and are
// refused without.
func TestInstallationsDoNotShareALog(t *testing.T) {
	n, dir := startNATS(t), t.TempDir()
	one := n.open(t, Config{Dir: dir, Owner: "one"})
	appendRecords(t, one, 2)
	_, err := Open(t.Context(), Config{URL: n.s.ClientURL(), Dir: t.TempDir(), Owner: "two"})
	require.ErrorIs(t, err, ErrForeign)
	require.ErrorContains(t, err, "--nats-prefix")
	two := n.open(t, Config{Dir: t.TempDir(), Owner: "two", Prefix: "Two-2"})
	appendRecords(t, two, 1)
	for log, last := range map[*Log]uint64{one: 2, two: 1} {
		page, err := log.Read(t.Context(), 0, 10, eventlog.Selection{Subjects: []string{"sync/*"}})
		require.NoError(t, err)
		require.Len(t, page.Records, int(last))
		require.Equal(t, "sync/a", page.Records[0].Subject)
	}
	require.NoError(t, two.Close())
	require.NoError(t, one.Close())
	again := n.open(t, Config{Dir: dir, Owner: "one, with another key"})
	require.NoError(t, again.Close(), "a directory that has used the log may get a new key")
	same := n.open(t, Config{Dir: t.TempDir(), Owner: "one, with another key"})
	require.NoError(t, same.Close(), "another broker of the installation")
}

func TestValidPrefix(t *testing.T) {
	for prefix, valid := range map[string]bool{"YARDLINE": true, "stage-1_b": true, "": false, "a.b": false,
		"a b": false, "*": false, ">": false, "é": false} {
		require.Equal(t, valid, ValidPrefix(prefix), prefix)
	}
}

// TestNothingIsStoredAfterARefusal: a publication that found no server is not
// kept for later.
func TestNothingIsStoredAfterARefusal(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{})
	defer func() { require.NoError(t, log.Close()) }()
	appendRecords(t, log, 1)
	n.stop()
	require.Eventually(t, func() bool { return !log.currentLink().conn.IsConnected() }, 30*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	// Past the wait of Append, as where the connection is lost right after it.
	_, err := log.currentLink().publish(ctx, nats.NewMsg("ev.sync_progress.sync.a"), "refused")
	require.Error(t, err)
	_, err = log.Append(ctx, eventlog.Entry{Type: "sync_progress", Subject: "sync/a", Key: "refused", Digest: "d",
		Body: []byte("{}")})
	require.ErrorIs(t, err, eventlog.ErrUnavailable)
	n.start(t)
	awaitConnected(t, log)
	appendRecords(t, log, 1) // behind whatever the client had kept
	page, err := log.Read(t.Context(), 0, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
}

// TestShortOutageIsWaitedFor: a caller does not notice a server that is back in
// time.
func TestShortOutageIsWaitedFor(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{})
	defer func() { require.NoError(t, log.Close()) }()
	require.NoError(t, log.Put(t.Context(), "a", []byte("b"), 0))
	n.stop()
	require.Eventually(t, func() bool { return !log.currentLink().conn.IsConnected() }, 30*time.Second, time.Millisecond)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { n.start(t) })
	_, err := log.Get(t.Context(), "a")
	require.NoError(t, err)
	appendRecords(t, log, 1)
}

// TestOlderServerIsRefused: it gets nothing made in it, and its version is said.
func TestOlderServerIsRefused(t *testing.T) {
	for version, older := range map[string]bool{"2.9.10": true, "2.10.29": true, "1.4.1": true, "2.11.0": false,
		"2.15.2-RC.1": false, "3.0.0": false, "dev": false} {
		require.Equal(t, older, isOlder(version), version)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	defer all.Wait()
	defer listener.Close()
	sent := make(chan string, 1)
	all.Go(func() { // what a server says first, as NATS's client protocol has it
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn,
			`INFO {"server_id":"a","version":"2.9.10","proto":1,"max_payload":1048576,"headers":true,`+
				`"jetstream":true}`+"\r\n")
		said, buffer := "", make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if said += string(buffer[:n]); err != nil {
				sent <- said
				return
			}
			fmt.Fprint(conn, "PONG\r\n")
		}
	})
	_, err = Open(t.Context(), Config{URL: "nats://user:secret@" + listener.Addr().String()})
	require.ErrorContains(t, err, "version 2.9.10")
	require.ErrorContains(t, err, "2.11 or later")
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, <-sent, "$JS.API", "nothing was asked of it")
}

// TestStreamWithoutEpochIsRepairedOrRefused: a server before 2.10 made it without its metadata.
func TestStreamWithoutEpochIsRepairedOrRefused(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{Prefix: "OTHER"})
	defer func() { require.NoError(t, log.Close()) }()
	js := log.currentLink().js
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "YARDLINE_EVENTS", Subjects: []string{"ev.>"},
		DenyDelete: true, AllowDirect: true})
	require.NoError(t, err)
	mended := n.open(t, Config{})
	epoch := mended.Epoch()
	appendRecords(t, mended, 1)
	require.NoError(t, mended.Close())
	again := n.open(t, Config{})
	require.Equal(t, epoch, again.Epoch())
	require.NoError(t, again.Close())

	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "FOREIGN_EVENTS",
		Subjects: []string{"FOREIGN.ev.>"}})
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "FOREIGN.ev.a", nil)
	require.NoError(t, err)
	_, err = Open(t.Context(), Config{URL: n.s.ClientURL(), Prefix: "FOREIGN"})
	require.ErrorContains(t, err, "FOREIGN_EVENTS has records and no epoch")
}

// TestServerWithoutJetStreamIsRefused is named as such.
func TestServerWithoutJetStreamIsRefused(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	require.True(t, s.ReadyForConnections(20*time.Second))
	_, err = Open(t.Context(), Config{URL: s.ClientURL()})
	require.ErrorContains(t, err, "no JetStream")
}

// TestMarkersOfDeletedKeysAreRemoved expire, and those that earlier versions left are
// removed.
func TestMarkersOfDeletedKeysAreRemoved(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	stream, err := log.currentLink().js.Stream(t.Context(), "KV_YARDLINE_STORE")
	require.NoError(t, err)
	last := func(key string) (*jetstream.RawStreamMsg, error) {
		return stream.GetLastMsgForSubject(t.Context(), "$KV.YARDLINE_STORE."+key)
	}
	require.NoError(t, log.Put(t.Context(), "a", []byte("x"), 0))
	require.NoError(t, log.Delete(t.Context(), "a"))
	marker, err := last("a")
	require.NoError(t, err)
	require.NotEmpty(t, marker.Header.Get(jetstream.MsgTTLHeader), "the marker expires")

	for _, key := range []string{"old", "back"} {
		require.NoError(t, log.Put(t.Context(), key, []byte("x"), 0))
		require.NoError(t, log.currentLink().bucket.Purge(t.Context(), key))
	}
	removed, err := log.currentLink().sweepMarkers(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Zero(t, removed, "young markers stay")
	require.NoError(t, log.Put(t.Context(), "back", []byte("again"), 0))
	removed, err = log.currentLink().sweepMarkers(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 2, removed)
	_, err = last("old")
	require.ErrorIs(t, err, jetstream.ErrMsgNotFound)
	value, err := log.Get(t.Context(), "back")
	require.NoError(t, err)
	require.Equal(t, "again", string(value))
}
