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

// A restore replaces the files in a data directory by a copy of a backup. The directory
// itself stays, because it may be a mount point. The copy is complete before a file
// moves. The name of the copy shows which steps are done, so that the next start can
// finish a restore that a crash interrupted.
const (
	// copyName is the name of an incomplete copy. Nothing uses an incomplete copy, and the
	// next start removes it.
	copyName = "restore.copy"
	// readyPrefix begins the name of a complete copy. The present files move to the
	// directory with oldPrefix.
	readyPrefix = "restore.ready-"
	// movingPrefix begins the name of a copy whose files move into the data directory.
	movingPrefix = "restore.moving-"
	// oldPrefix begins the name of the directory with the files from before the restore.
	oldPrefix = "before-restore-"
)

// isOfRestore tells whether a name in a data directory belongs to a restore.
func isOfRestore(name string) bool {
	return name == copyName || strings.HasPrefix(name, readyPrefix) ||
		strings.HasPrefix(name, movingPrefix) || strings.HasPrefix(name, oldPrefix)
}

// CopyForRestore copies a backup into a data directory, beside its files, and returns
// the path of the copy. It first removes an incomplete copy of an earlier restore. The
// caller must hold the lock of the data directory.
func CopyForRestore(ctx context.Context, backup, dir string) (copied string, err error) {
	copied = filepath.Join(dir, copyName)
	if err := os.RemoveAll(copied); err != nil {
		return "", Explain(copied, err)
	}
	if backup, err = filepath.EvalSymlinks(backup); err != nil { // WalkDir follows no link.
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
		if isOfRestore(name) && entry.IsDir() { // It belongs to an earlier restore.
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

// CopyMissing copies one file of a data directory into a copy that lacks the file. It
// does nothing when the data directory lacks it, too.
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

// RemoveCopy removes a copy of CopyForRestore. It does nothing when there is none.
func RemoveCopy(copied string) error { return os.RemoveAll(copied) }

func copyDir(to string) error {
	if err := os.Mkdir(to, 0o750); err != nil {
		return err
	}
	return inheritOwner(to)
}

// copyFile copies a regular file to a new one. It follows links.
func copyFile(from, to string) (err error) {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // Opening a pipe, for example, would block.
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
	return inheritOwner(to)
}

// UseCopy replaces the files of a data directory by a copy of CopyForRestore. It returns
// the directory that holds the old files now, or an empty path when there were none. The
// caller must hold the lock of the data directory.
func UseCopy(copied string, now time.Time) (old string, err error) {
	dir := filepath.Dir(copied)
	at := now.UTC().Format("20060102T150405.000000000Z")
	old = filepath.Join(dir, oldPrefix+at)
	// The lock file of the data directory stays in use, so the copy needs none.
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

// syncTree calls SyncDir for all directories of a tree.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = SyncDir(path)
		}
		return err
	})
}

// Recover finishes a restore that a crash interrupted after its copy was complete, and
// removes an incomplete copy. A process must call it before it reads anything in a data
// directory. Recover does nothing while another process holds the directory's lock.
func Recover(dir string) error {
	isNeeded := false
	for _, prefix := range []string{copyName, readyPrefix, movingPrefix} {
		_, found, err := findByPrefix(dir, prefix)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return Explain(dir, err)
		}
		isNeeded = isNeeded || found
	}
	if !isNeeded {
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

// FinishRestore finishes a restore whose copy is complete. It does nothing when there is
// no such copy. The caller must hold the lock of the data directory.
func FinishRestore(dir string) error { return Explain(dir, finishRestore(dir)) }

// finishRestore is like FinishRestore, but returns the errors of the system unchanged.
func finishRestore(dir string) error {
	if at, found, err := findByPrefix(dir, readyPrefix); err != nil {
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
	at, found, err := findByPrefix(dir, movingPrefix)
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

// findByPrefix looks for an entry whose name begins with a prefix, and returns the rest of the
// name.
func findByPrefix(dir, prefix string) (rest string, found bool, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if rest, found := strings.CutPrefix(entry.Name(), prefix); found {
			return rest, true, nil
		}
	}
	return "", false, err
}

// moveAll moves the wanted entries of one directory into another. It makes the target
// directory only when there is something to move.
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
		return nil // Nothing was moved.
	}
	return errors.Join(SyncDir(to), SyncDir(from))
}
