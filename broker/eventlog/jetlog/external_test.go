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
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/waittest"
)

// A natsServer is an external server that can be restarted at its address.
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
	n.s, err = server.NewServer(&server.Options{
		Host:       "127.0.0.1",
		Port:       n.port,
		JetStream:  true,
		StoreDir:   n.dir,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: 8 << 20,
	})
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

// backup stops the server, copies its files and starts it again. It returns the
// directory of the copy.
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

// awaitConnected waits until a log has reconnected to its server.
func awaitConnected(t *testing.T, log *Log) {
	t.Helper()
	waittest.Eventually(t, log.currentLink().conn.IsConnected, 30*time.Second, 5*time.Millisecond)
}

// awaitDisconnected waits until a log has noticed that its server is stopped.
func awaitDisconnected(t *testing.T, log *Log) {
	t.Helper()
	disconnected := func() bool { return !log.currentLink().conn.IsConnected() }
	waittest.Eventually(t, disconnected, 30*time.Second, time.Millisecond)
}

// TestServerRestoredWhileStoppedGetsNewEpoch restores the server from a backup
// while the broker is stopped. The broker notices it by the notes in its data
// directory.
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

	n.restore(t, backup) // the log has its first epoch again, and fewer records
	log = n.open(t, Config{Dir: dir})
	require.NotContains(t, []string{first, second}, log.Epoch())
	third := log.Epoch()
	require.NoError(t, log.Close())

	other := n.open(t, Config{Dir: t.TempDir()})
	require.Equal(t, third, other.Epoch(), "another broker finds the present epoch")
	require.NoError(t, other.Close())
}

// TestStreamRestoredAloneGetsNewEpoch restores the stream but not the store.
// The broker notices it by the epoch record in the store.
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

// TestServerRestoredWhileRunningIsGivenUp restores the server while the broker
// runs. The broker must give up the log, at the latest when a new record gets a
// number that it has seen before.
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
	_, err := log.Append(t.Context(), syncEntry("new"))
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
	ack, err := log.Append(t.Context(), syncEntry("new"))
	require.NoError(t, err)
	require.Equal(t, eventlog.Ack{Seq: 4, Duplicate: true}, ack, "an entry that is appended again is stored once")
}

// TestEpochOfAnotherBrokerIsNoticed gives the log a new epoch by one broker.
// The other broker must notice it.
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

// TestLogThatSeemsShorterOnceIsKept lets a log seem shorter than before. A
// single check must not give it up, because a server of a cluster may lag.
func TestLogThatSeemsShorterOnceIsKept(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{})
	defer func() { require.NoError(t, log.Close()) }()
	log.stopKeeper()
	log.keeperDone.Wait()
	appendRecords(t, log, 2)
	log.noteHead(5)
	log.updateEpochRecord(t.Context(), true)
	require.False(t, log.hasGivenUp())
	log.updateEpochRecord(t.Context(), true)
	require.True(t, log.hasGivenUp())
}

// TestInstallationsDoNotShareALog opens logs of two installations on one
// server. Open must refuse the second without a prefix of its own, and keep
// their records apart with one.
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
	reopened := n.open(t, Config{Dir: dir, Owner: "one, with another key"})
	require.NoError(t, reopened.Close(), "a directory that has used the log may get a new key")
	same := n.open(t, Config{Dir: t.TempDir(), Owner: "one, with another key"})
	require.NoError(t, same.Close(), "another broker of the installation")
}

// TestNothingIsStoredAfterARefusal appends while the server is stopped. The
// client must not keep the message and store it later.
func TestNothingIsStoredAfterARefusal(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{})
	defer func() { require.NoError(t, log.Close()) }()
	appendRecords(t, log, 1)
	n.stop()
	awaitDisconnected(t, log)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	// publish does not wait for a connection first, as Append does. This is the
	// case of a connection that is lost after that wait.
	_, err := log.currentLink().publish(ctx, log.config.message(syncEntry("refused")))
	require.Error(t, err)
	_, err = log.Append(ctx, syncEntry("refused"))
	require.ErrorIs(t, err, eventlog.ErrUnavailable)
	n.start(t)
	awaitConnected(t, log)
	appendRecords(t, log, 1) // after any message that the client has kept
	page, err := log.Read(t.Context(), 0, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
}

// TestShortOutageIsWaitedFor restarts the server during calls. The calls must
// wait and succeed.
func TestShortOutageIsWaitedFor(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{})
	defer func() { require.NoError(t, log.Close()) }()
	require.NoError(t, log.Put(t.Context(), "a", []byte("b"), 0))
	n.stop()
	awaitDisconnected(t, log)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { n.start(t) })
	_, err := log.Get(t.Context(), "a")
	require.NoError(t, err)
	appendRecords(t, log, 1)
}

// TestOlderServerIsRefused connects to a server that is too old. The error must
// name its version, and nothing may be made on the server.
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
	requests := make(chan string, 1) // has room for the only value
	all.Go(func() {                  // sends the first message of a server in NATS's client protocol
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn,
			`INFO {"server_id":"a","version":"2.9.10","proto":1,"max_payload":1048576,"headers":true,`+
				`"jetstream":true}`+"\r\n")
		received, buffer := "", make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if received += string(buffer[:n]); err != nil {
				requests <- received
				return
			}
			fmt.Fprint(conn, "PONG\r\n")
		}
	})
	_, err = Open(t.Context(), Config{URL: "nats://user:secret@" + listener.Addr().String()})
	require.ErrorContains(t, err, "version 2.9.10")
	require.ErrorContains(t, err, "2.11 or later")
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, <-requests, "$JS.API", "the client must not use JetStream")
}

// TestStreamWithoutEpochIsRepairedOrRefused opens streams that have no epoch,
// because a server before 2.10 made them. An empty one gets an epoch, and one
// with records is refused.
func TestStreamWithoutEpochIsRepairedOrRefused(t *testing.T) {
	n := startNATS(t)
	log := n.open(t, Config{Prefix: "OTHER"})
	defer func() { require.NoError(t, log.Close()) }()
	js := log.currentLink().js
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "YARDLINE_EVENTS", Subjects: []string{"ev.>"},
		DenyDelete: true, AllowDirect: true})
	require.NoError(t, err)
	repaired := n.open(t, Config{})
	epoch := repaired.Epoch()
	appendRecords(t, repaired, 1)
	require.NoError(t, repaired.Close())
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

// TestServerWithoutJetStreamIsRefused checks that the error names the missing
// JetStream.
func TestServerWithoutJetStreamIsRefused(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	require.True(t, s.ReadyForConnections(20*time.Second))
	_, err = Open(t.Context(), Config{URL: s.ClientURL()})
	require.ErrorContains(t, err, "no JetStream")
}

// TestMarkersOfDeletedKeysAreRemoved checks that markers expire, and that the
// keeper removes old markers that do not.
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
