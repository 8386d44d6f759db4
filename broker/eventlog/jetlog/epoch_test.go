package jetlog

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/syncbuffer"
)

// appendRecords appends n records with ids of their own.
func appendRecords(t *testing.T, log *Log, n int) {
	t.Helper()
	for range n {
		b, err := log.Bounds(t.Context())
		require.NoError(t, err)
		_, err = log.Append(t.Context(), eventlog.Entry{Type: "sync_progress", Subject: "sync/a",
			Key: fmt.Sprintf("%s-%d", log.Epoch(), b.Last+1), Digest: "d", Body: []byte("{}")})
		require.NoError(t, err)
	}
}

// appendAndClose opens a directory, appends records and closes the log. It
// returns the epoch.
func appendAndClose(t *testing.T, dir string, records int) string {
	t.Helper()
	log := openEmbedded(t, dir)
	appendRecords(t, log, records)
	require.NoError(t, log.Close())
	return log.Epoch()
}

// crash ends a log as a killed process would.
func crash(t *testing.T, log *Log) {
	t.Helper()
	log.stopKeeper()
	log.keeperDone.Wait()
	log.currentLink().close()
	require.NoError(t, log.unlock())
}

// runCommand runs a command of the system.
func runCommand(t *testing.T, command string, args ...string) {
	t.Helper()
	out, err := exec.Command(command, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestBackupGetsANewEpoch restores a backup in the ways that operators use.
// With the old epoch readers would miss the records that the restored log
// stores next.
func TestBackupGetsANewEpoch(t *testing.T) {
	const stream, store = "jetstream/$G/streams/YARDLINE_EVENTS", "jetstream/$G/streams/KV_YARDLINE_STORE"
	remove := func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) }
	copyTo := func(t *testing.T, from, to string) { runCommand(t, "cp", "-a", from, to) }
	for name, restore := range map[string]func(t *testing.T, backup, dir string){
		"cp -a in place of the directory": func(t *testing.T, backup, dir string) {
			remove(t, dir)
			copyTo(t, backup, dir)
		},
		"cp -a over the directory": func(t *testing.T, backup, dir string) { copyTo(t, backup+"/.", dir) },
		"cp -r": func(t *testing.T, backup, dir string) {
			remove(t, dir)
			runCommand(t, "cp", "-r", backup, dir)
		},
		"tar over the directory": func(t *testing.T, backup, dir string) {
			archive := filepath.Join(t.TempDir(), "backup.tar")
			runCommand(t, "tar", "-C", backup, "-cf", archive, ".")
			runCommand(t, "tar", "-C", dir, "-xpf", archive)
		},
		"the log alone": func(t *testing.T, backup, dir string) {
			remove(t, filepath.Join(dir, "jetstream"))
			copyTo(t, filepath.Join(backup, "jetstream"), dir)
		},
		"the events alone": func(t *testing.T, backup, dir string) {
			remove(t, filepath.Join(dir, stream))
			copyTo(t, filepath.Join(backup, stream), filepath.Join(dir, stream))
		},
		"the store alone": func(t *testing.T, backup, dir string) {
			remove(t, filepath.Join(dir, store))
			copyTo(t, filepath.Join(backup, store), filepath.Join(dir, store))
		},
		"all but the store": func(t *testing.T, backup, dir string) {
			remove(t, dir)
			copyTo(t, backup, dir)
			remove(t, filepath.Join(dir, store))
		},
		"the backup itself is used": func(t *testing.T, backup, dir string) {
			remove(t, dir)
			require.NoError(t, os.Rename(backup, dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, backup := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
			before := appendAndClose(t, dir, 3)
			copyTo(t, dir, backup)
			require.Equal(t, before, appendAndClose(t, dir, 2))
			restore(t, backup, dir)
			log := openEmbedded(t, dir)
			require.NotEqual(t, before, log.Epoch())
			require.True(t, eventlog.Holds(log, before, 3), "records of both branches are in the log")
			require.False(t, eventlog.Holds(log, before, 6))
			appendRecords(t, log, 1)
			after := log.Epoch()
			require.NoError(t, log.Close())
			require.Equal(t, after, appendAndClose(t, dir, 1), "the log gets one new epoch only")
		})
	}
}

// TestOwnDirectoryKeepsItsEpoch changes a directory in ways that are no
// restore.
func TestOwnDirectoryKeepsItsEpoch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	epoch := appendAndClose(t, dir, 2)
	for name, change := range map[string]func(t *testing.T){
		"a restart": func(*testing.T) {},
		"a kill": func(t *testing.T) {
			log := openEmbedded(t, dir)
			appendRecords(t, log, 1)
			crash(t, log)
		},
		"other times":  func(t *testing.T) { runCommand(t, "find", dir, "-exec", "touch", "{}", "+") },
		"other rights": func(t *testing.T) { runCommand(t, "chmod", "-R", "g+rw", dir) },
		"another lock": func(t *testing.T) { require.NoError(t, os.Remove(filepath.Join(dir, datadir.LockFile))) },
		"another name": func(t *testing.T) { require.NoError(t, os.Rename(dir, dir+"2")); dir += "2" },
		"a backup":     func(t *testing.T) { runCommand(t, "cp", "-a", dir, filepath.Join(t.TempDir(), "backup")) },
	} {
		change(t)
		require.Equal(t, epoch, appendAndClose(t, dir, 1), name)
	}
}

// TestDirectoryOfEarlierVersionKeepsItsEpoch opens a directory of an earlier
// version, which has no record of its epoch.
func TestDirectoryOfEarlierVersionKeepsItsEpoch(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, dir)
	appendRecords(t, log, 2)
	require.NoError(t, log.Put(t.Context(), "push-keys", []byte("{}"), 0))
	require.NoError(t, log.currentLink().bucket.Purge(t.Context(), epochRecordKey))
	require.NoError(t, datadir.RemoveOtherWitnesses(dir, datadir.Witness{}))
	crash(t, log)
	require.Equal(t, log.Epoch(), appendAndClose(t, dir, 1))
	copied := filepath.Join(t.TempDir(), "copy")
	runCommand(t, "cp", "-a", dir, copied)
	require.NotEqual(t, log.Epoch(), appendAndClose(t, copied, 1), "a copy is noticed once there is a record")
}

// TestCrashDuringEpochChangeIsNoticed leaves a directory as a crash between two
// steps would. The old epoch must not continue.
func TestCrashDuringEpochChangeIsNoticed(t *testing.T) {
	original, dir := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	before := appendAndClose(t, original, 2)
	runCommand(t, "cp", "-a", original, dir)
	_, err := datadir.NewWitness(dir) // a witness that no epoch record names
	require.NoError(t, err)
	log := openEmbedded(t, dir)
	after := log.Epoch()
	require.NotEqual(t, before, after)
	// The epoch record names a new witness, and the old one was not removed yet.
	next := log.kept.record
	log.stopKeeper()
	log.keeperDone.Wait()
	w, err := datadir.NewWitness(dir)
	require.NoError(t, err)
	next.Witness = &w
	_, err = log.currentLink().writeEpochRecord(t.Context(), next, log.kept.revision)
	require.NoError(t, err)
	log.currentLink().close()
	require.NoError(t, log.unlock())
	require.Equal(t, after, appendAndClose(t, dir, 1))
	left, err := filepath.Glob(filepath.Join(dir, "witness.*"))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

// TestReplacedDirectoryIsGivenUp changes the files under a running broker. The
// broker must give up the log.
func TestReplacedDirectoryIsGivenUp(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	log.stopKeeper()
	log.keeperDone.Wait()
	appendRecords(t, log, 1)
	_, err := log.currentLink().bucket.Put(t.Context(), epochRecordKey, []byte(`{"epoch":"abcdefgh"}`))
	require.NoError(t, err)
	log.updateEpochRecord(t.Context(), true)
	require.True(t, log.hasGivenUp())
}

// TestNewEpochOnRequest opens a log with NewEpoch, for a restored image of a
// whole machine, which looks like a restart.
func TestNewEpochOnRequest(t *testing.T) {
	dir := t.TempDir()
	before := appendAndClose(t, dir, 2)
	var lines syncbuffer.Buffer
	log, err := Open(t.Context(), Config{Dir: dir, NewEpoch: true, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	require.NoError(t, err)
	require.NotEqual(t, before, log.Epoch())
	require.Equal(t, []eventlog.Ancestor{{Epoch: before, Through: 2}}, log.Ancestors())
	require.NoError(t, log.Close())
	require.Equal(t, 1, strings.Count(lines.String(), "goes on under a new epoch"))
	require.Contains(t, lines.String(), "it was asked for")
}

// TestAncestorsEndAtEarliestBranch branches an epoch record several times. A
// place of an ancestor is a place of the log only up to the earliest branch after
// it.
func TestAncestorsEndAtEarliestBranch(t *testing.T) {
	r := epochRecord{Epoch: "a"}.branch("b", 10).branch("c", 7).branch("d", 9)
	require.Equal(t, []eventlog.Ancestor{{Epoch: "c", Through: 9}, {Epoch: "b", Through: 7}, {Epoch: "a", Through: 7}},
		r.Ancestors)
	require.True(t, r.descendsFrom("a"))
	require.False(t, r.descendsFrom("x"))
	for range 100 {
		r = r.branch("e", 9)
	}
	require.Len(t, r.Ancestors, maxAncestors)
}

// TestEpochRecordIsUpdatedWhenDue checks when the keeper updates the head and the
// witness of the epoch record.
func TestEpochRecordIsUpdatedWhenDue(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, dir)
	defer func() { require.NoError(t, log.Close()) }()
	log.stopKeeper()
	log.keeperDone.Wait() // from here on only this test calls updateEpochRecord
	stored := func() (r epochRecord) {
		entry, err := log.currentLink().bucket.Get(t.Context(), epochRecordKey)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(entry.Value(), &r))
		return r
	}
	appendRecords(t, log, 3)
	log.updateEpochRecord(t.Context(), false)
	require.Zero(t, stored().Head, "not due")
	log.kept.checked = time.Now().Add(-epochRecordInterval)
	witness := *stored().Witness
	log.updateEpochRecord(t.Context(), false)
	require.EqualValues(t, 3, stored().Head)
	require.Equal(t, witness, *stored().Witness)
	log.kept.witnessMade = time.Now().Add(-witnessInterval)
	log.updateEpochRecord(t.Context(), true)
	require.NotEqual(t, witness.Name, stored().Witness.Name)
	there, err := stored().Witness.IsIn(dir)
	require.NoError(t, err)
	require.True(t, there)
}
