//go:build !js

package datadir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A restore puts a copy in the place of a data directory's files. The directory
// itself stays, because it may be a mount. The copy is complete before anything
// is moved, and the names below say how far the moves are, so that the next
// start finishes what a crash cut off.
const (
	copyName     = "restore.copy"    // is being written, and means nothing
	readyPrefix  = "restore.ready-"  // is complete: the present files go to old…
	movingPrefix = "restore.moving-" // … and now its files take their place
	oldPrefix    = "before-restore-" // what was there before
)

// isOfRestore tells whether a name in a data directory belongs to a restore.
func isOfRestore(name string) bool {
	return name == copyName || strings.HasPrefix(name, readyPrefix) ||
		strings.HasPrefix(name, movingPrefix) || strings.HasPrefix(name, oldPrefix)
}

// CopyForRestore copies a backup into a data directory, beside its files, and
// returns the place of the copy. The caller must hold the lock of the data
// directory. CopyForRestore removes the unfinished copy of an earlier restore.
func CopyForRestore(ctx context.Context, backup, dir string) (copied string, err error) {
	copied = filepath.Join(dir, copyName)
	if err := os.RemoveAll(copied); err != nil {
		return "", Explain(copied, err)
	}
	if backup, err = filepath.EvalSymlinks(backup); err != nil { // WalkDir does not follow one
		return "", err
	}
	err = filepath.WalkDir(backup, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return Explain(path, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name, err := filepath.Rel(backup, path)
		if err != nil {
			return err
		}
		if isOfRestore(name) && entry.IsDir() { // of an earlier one
			return fs.SkipDir
		}
		to := filepath.Join(copied, name)
		if entry.IsDir() {
			return Explain(to, copyDir(to))
		}
		return Explain(to, copyFile(path, to))
	})
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(copied))
	}
	return copied, nil
}

// Keep copies one file of a data directory into a copy that lacks it.
func CopyMissing(dir, copied, name string) error {
	from, to := filepath.Join(dir, name), filepath.Join(copied, name)
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := copyFile(from, to); !errors.Is(err, fs.ErrNotExist) {
		return Explain(to, err)
	}
	return nil
}

// RemoveCopy removes a copy that is not to be used.
func RemoveCopy(copied string) error { return os.RemoveAll(copied) }

func copyDir(to string) error {
	if err := os.Mkdir(to, 0o750); err != nil {
		return err
	}
	return takeOwner(to)
}

// copyFile copies a file. It follows a link to a file.
func copyFile(from, to string) (err error) {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // A pipe, for one, would not even open.
		return &fs.PathError{Op: "copy", Path: from, Err: errors.New("it is no regular file")}
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, source)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return takeOwner(to)
}

// UseCopy puts a copy in the place of the files of its data directory, and
// returns where those are now, "" where there were none. The caller must hold
// the lock of the data directory.
func UseCopy(copied string, now time.Time) (old string, err error) {
	dir := filepath.Dir(copied)
	at := now.UTC().Format("20060102T150405.000000000Z")
	old = filepath.Join(dir, oldPrefix+at)
	// The lock file of the data directory stays; the copy's own is not needed.
	if err := os.Remove(filepath.Join(copied, LockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", Explain(copied, err)
	}
	if err := syncTree(copied); err != nil {
		return "", Explain(copied, err)
	}
	if err := os.Rename(copied, filepath.Join(dir, readyPrefix+at)); err != nil {
		return "", Explain(copied, err)
	}
	if err := FinishRestore(dir); err != nil {
		return "", err
	}
	if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return old, nil
}

// syncTree makes the names in all directories of a tree survive a power cut.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = SyncDir(path)
		}
		return err
	})
}

// Recover finishes a restore that a crash cut off after its copy was complete,
// and removes an incomplete copy. A process must call it before it reads anything in a
// data directory. It leaves a directory that another process uses.
func Recover(dir string) error {
	left := false
	for _, prefix := range []string{copyName, readyPrefix, movingPrefix} {
		_, found, err := find(dir, prefix)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return Explain(dir, err)
		}
		left = left || found
	}
	if !left {
		return nil
	}
	lock, err := Lock(filepath.Join(dir, LockFile), false)
	if errors.Is(err, ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(FinishRestore(dir), RemoveCopy(filepath.Join(dir, copyName)), lock.Close())
}

// FinishRestore finishes a restore whose copy is complete, and does nothing
// where there is none. The caller must hold the lock of the data directory.
func FinishRestore(dir string) error { return Explain(dir, finishRestore(dir)) }

func finishRestore(dir string) error {
	if at, found, err := find(dir, readyPrefix); err != nil {
		return err
	} else if found {
		isPresent := func(name string) bool { return name != LockFile && !isOfRestore(name) }
		if err := moveAll(dir, filepath.Join(dir, oldPrefix+at), isPresent); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(dir, readyPrefix+at), filepath.Join(dir, movingPrefix+at)); err != nil {
			return err
		}
		if err := SyncDir(dir); err != nil {
			return err
		}
	}
	at, found, err := find(dir, movingPrefix)
	if err != nil || !found {
		return err
	}
	moving := filepath.Join(dir, movingPrefix+at)
	if err := moveAll(moving, dir, func(string) bool { return true }); err != nil {
		return err
	}
	if err := os.Remove(moving); err != nil {
		return err
	}
	return SyncDir(dir)
}

// find returns the rest of an entry's name after a prefix.
func find(dir, prefix string) (rest string, found bool, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if rest, found := strings.CutPrefix(entry.Name(), prefix); found {
			return rest, true, nil
		}
	}
	return "", false, err
}

// moveAll moves entries from one directory into another. It makes the target
// directory when there is something to move.
func moveAll(from, to string, wanted func(name string) bool) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !wanted(entry.Name()) {
			continue
		}
		if err := makeAll(to); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	if _, err := os.Stat(to); err != nil {
		return nil // nothing was moved
	}
	return errors.Join(SyncDir(to), SyncDir(from))
}
