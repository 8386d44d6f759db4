//go:build linux

package datadir

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/waittest"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// contents returns the contents of all files of a tree by their paths.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(raw)
		return err
	}))
	return all
}

// TestFilesOfRootBelongToTheDirectorysOwner expects from another user than root only
// that the user owns the files.
func TestFilesOfRootBelongToTheDirectorysOwner(t *testing.T) {
	const service = 12345
	want := os.Geteuid()
	parent := t.TempDir()
	if want == 0 {
		want = service
		require.NoError(t, os.Chown(parent, service, service))
	}
	dir := filepath.Join(parent, "a", "data")
	require.NoError(t, Make(dir))
	require.NoError(t, Make(dir))
	lock, err := Lock(filepath.Join(dir, LockFile), false)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	require.NoError(t, Replace(filepath.Join(dir, "users.json"), []byte("{}")))
	_, err = NewWitness(dir)
	require.NoError(t, err)
	isOwned := func() (files int) {
		require.NoError(t, filepath.WalkDir(filepath.Join(parent, "a"), func(path string, _ fs.DirEntry,
			err error) error {
			require.NoError(t, err)
			info, err := os.Lstat(path)
			require.NoError(t, err)
			uid, _, ok := owner(info)
			require.True(t, ok)
			require.Equal(t, want, uid, path)
			files++
			return nil
		}))
		return files
	}
	require.Equal(t, 5, isOwned())
	write(t, filepath.Join(dir, "jetstream", "b", "c"), "as the embedded server does")
	require.NoError(t, FixOwners(dir))
	require.Equal(t, 8, isOwned())
	require.NoError(t, CheckLogAccess(dir))
}

func TestLockExcludesOtherLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockFile)
	shared, err := LockShared(path)
	require.NoError(t, err)
	require.Nil(t, shared, "no file is made")
	lock, err := Lock(path, false)
	require.NoError(t, err)
	_, err = Lock(path, false)
	require.ErrorIs(t, err, ErrLocked)
	_, err = LockShared(path)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, lock.Close())
	shared, err = LockShared(path)
	require.NoError(t, err)
	require.NoError(t, shared.Close())
}

func TestFailedReplaceKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, filepath.Join(path, "it is a directory"), "")
	require.Error(t, Replace(path, []byte("new")))
	require.Equal(t, map[string]string{"file/it is a directory": ""}, contents(t, dir), "nothing half-made stays")
}

func TestExplainTellsTheOperatorWhatToDo(t *testing.T) {
	dir := t.TempDir()
	for cause, message := range map[error]string{
		syscall.EROFS:  "read-only",
		syscall.ENOSPC: "has no room",
		syscall.EDQUOT: "has no room",
		syscall.ENOLCK: "locks",
		syscall.ENOSYS: "locks",
		syscall.EACCES: "forbid it to their own user " + userName(os.Geteuid()),
		syscall.EIO:    "input/output error",
	} {
		err := Explain(filepath.Join(dir, "none", "file"), &fs.PathError{Op: "open", Path: "file", Err: cause})
		require.ErrorContains(t, err, message)
		require.ErrorContains(t, err, dir)
	}
	require.NoError(t, Explain(dir, nil))
	if os.Geteuid() == 0 { // Only root can make files of others.
		require.NoError(t, os.Chown(dir, 12345, 12345))
		require.ErrorContains(t, Explain(dir, syscall.EACCES), "belongs to user 12345 and this process runs as root")
	}
	require.Equal(t, "proc at /proc", FileSystem("/proc/self/maps"))
	require.NotEqual(t, "unknown", FileSystem(filepath.Join(dir, "none")))
	overlay := "21 1 0:5 / / rw - overlay o rw,lowerdir=" + strings.Repeat("/layer:", 20_000) + "\n"
	require.Equal(t, "ext4 at /data", mountedAt("/data/log", overlay+"22 21 8:1 / /data rw - ext4 /dev/sda rw\n"))
	file := filepath.Join(dir, "file")
	write(t, file, "")
	require.ErrorContains(t, Make(file), "not a directory")
	require.ErrorContains(t, Make(filepath.Join(file, "data")), file)
}

func TestWitnessTellsTheOriginalFromACopy(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWitness(dir)
	require.NoError(t, err)
	isIn := func(w Witness, dir string) bool {
		found, err := w.IsIn(dir)
		require.NoError(t, err)
		return found
	}
	require.True(t, isIn(w, dir))
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, exec.Command("cp", "-a", dir, copied).Run())
	require.False(t, isIn(w, copied))
	require.False(t, isIn(w, t.TempDir()))
	moved := filepath.Join(filepath.Dir(dir), "moved")
	require.NoError(t, os.Rename(dir, moved))
	require.True(t, isIn(w, moved))

	// Without a time of birth, IsIn compares the time of the last change.
	old := w
	old.Birth = time.Time{}
	require.True(t, isIn(old, moved))
	path := filepath.Join(moved, w.Name)
	waittest.Eventually(t, func() bool { // The clock of the file system moves in steps.
		require.NoError(t, os.Chmod(path, 0o400))
		return !isIn(old, moved)
	}, 10*time.Second, time.Millisecond)
	require.True(t, isIn(w, moved))
	other := w
	other.Birth = w.Birth.Add(time.Nanosecond)
	require.False(t, isIn(other, moved), "an inode that is used again")
	snapshot := w
	snapshot.Subvolume = w.Subvolume + 1
	require.Equal(t, w.Subvolume == 0, isIn(snapshot, moved))

	next, err := NewWitness(moved)
	require.NoError(t, err)
	write(t, filepath.Join(moved, "witness"), "not ours")
	require.NoError(t, RemoveOtherWitnesses(moved, next))
	require.Len(t, contents(t, moved), 2)
	require.True(t, isIn(next, moved))
}

// TestRecoverFinishesAnInterruptedRestore interrupts a restore after each of its steps.
// After the next start the directory must hold the complete backup, and the old files
// must be complete.
func TestRecoverFinishesAnInterruptedRestore(t *testing.T) {
	old := map[string]string{"jetstream/a": "old", "token.key": "old", "users.json": "old", "only-old": "old"}
	backup := map[string]string{"jetstream/a": "new", "jetstream/b": "new", "token.key": "new", "users.json": "new"}
	const ready, moving, before = readyPrefix + "T", movingPrefix + "T", oldPrefix + "T"
	for name, files := range map[string]map[string]string{
		"nothing was moved": {
			"jetstream/a": "old", "token.key": "old", "users.json": "old", "only-old": "old",
			ready + "/jetstream/a": "new", ready + "/jetstream/b": "new", ready + "/token.key": "new",
			ready + "/users.json": "new"},
		"a part of the old files was moved": {
			"users.json": "old", "only-old": "old", before + "/jetstream/a": "old", before + "/token.key": "old",
			ready + "/jetstream/a": "new", ready + "/jetstream/b": "new", ready + "/token.key": "new",
			ready + "/users.json": "new"},
		"all old files were moved": {
			before + "/jetstream/a": "old", before + "/token.key": "old", before + "/users.json": "old",
			before + "/only-old":    "old",
			moving + "/jetstream/a": "new", moving + "/jetstream/b": "new", moving + "/token.key": "new",
			moving + "/users.json": "new"},
		"a part of the new files was moved": {
			before + "/jetstream/a": "old", before + "/token.key": "old", before + "/users.json": "old",
			before + "/only-old": "old",
			"jetstream/a":        "new", "jetstream/b": "new", moving + "/token.key": "new",
			moving + "/users.json": "new"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, content := range files {
				write(t, filepath.Join(dir, path), content)
			}
			write(t, filepath.Join(dir, LockFile), "")
			require.NoError(t, Recover(dir))
			require.Equal(t, old, contents(t, filepath.Join(dir, before)))
			require.NoError(t, os.RemoveAll(filepath.Join(dir, before)))
			require.NoError(t, os.Remove(filepath.Join(dir, LockFile)))
			require.Equal(t, backup, contents(t, dir))
			require.NoError(t, Recover(dir))
		})
	}
}

// TestRecoverRemovesAnIncompleteCopy also checks that Recover keeps a copy that a
// restore is still writing.
func TestRecoverRemovesAnIncompleteCopy(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Recover(filepath.Join(dir, "none")))
	require.NoError(t, Recover(dir))
	require.Empty(t, contents(t, dir), "not even a lock is made")
	write(t, filepath.Join(dir, copyName, "token.key"), "new")
	write(t, filepath.Join(dir, "token.key"), "old")
	lock, err := Lock(filepath.Join(dir, LockFile), false)
	require.NoError(t, err)
	before := contents(t, dir)
	require.NoError(t, Recover(dir))
	require.Equal(t, before, contents(t, dir))
	require.NoError(t, lock.Close())
	require.NoError(t, Recover(dir))
	require.Equal(t, map[string]string{"token.key": "old", LockFile: ""}, contents(t, dir))
}

func TestCopyForRestoreCopiesTheBackup(t *testing.T) {
	backup, dir := t.TempDir(), t.TempDir()
	for _, path := range []string{"jetstream/a", "token.key", LockFile, oldPrefix + "T/token.key",
		copyName + "/token.key"} {
		write(t, filepath.Join(backup, path), "new")
	}
	write(t, filepath.Join(dir, "users.json"), "old")
	write(t, filepath.Join(dir, "token.key"), "old")
	write(t, filepath.Join(dir, copyName, "left"), "of a try that was cut off")
	copied, err := CopyForRestore(t.Context(), backup, dir)
	require.NoError(t, err)
	require.NoError(t, CopyMissing(dir, copied, "users.json"))
	require.NoError(t, CopyMissing(dir, copied, "token.key"))
	require.NoError(t, CopyMissing(dir, copied, "none"))
	require.Equal(t, map[string]string{"jetstream/a": "new", "token.key": "new", LockFile: "new", "users.json": "old"},
		contents(t, copied))
	old, err := UseCopy(copied, time.Unix(0, 0))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"users.json": "old", "token.key": "old"}, contents(t, old))

	require.NoError(t, syscall.Mkfifo(filepath.Join(backup, "pipe"), 0o600))
	_, err = CopyForRestore(t.Context(), backup, dir)
	require.ErrorContains(t, err, "pipe")
	_, err = os.Stat(filepath.Join(dir, copyName))
	require.True(t, errors.Is(err, fs.ErrNotExist), "nothing stays of it")
}
