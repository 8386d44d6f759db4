//go:build !js

package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked means that another process holds the lock.
var ErrLocked = errors.New("datadir: locked by another process")

// Lock takes the exclusive lock of a file, and makes the file when there is none. While
// another process holds the lock, Lock waits if wait is true, and returns ErrLocked
// otherwise. The caller releases the lock by closing the returned file, which stays on
// disk. The end of the process releases the lock, too.
func Lock(path string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, Explain(path, err)
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	err = flock(f, how)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	} else if err == nil {
		err = Explain(path, inheritOwner(path))
	} else {
		err = Explain(path, err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// flock calls flock(2), and calls it again when a signal has interrupted it.
func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Replace writes a file, which may exist, with this content. Only the file's owner may
// read it. Other processes find either the complete old file or the complete new one.
func Replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return Explain(path, err)
	}
	defer os.Remove(f.Name()) // This does nothing after the renaming.
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = inheritOwner(f.Name())
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	return Explain(path, err)
}

// SyncDir makes sure that new, renamed and removed entries of a directory survive a
// power failure. It ignores the error of a file system that cannot sync directories.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// LockFile is the name of the file in a data directory that the broker with the
// embedded log locks.
const LockFile = "LOCK"

// LockShared takes the shared lock of a file. Many processes may hold it at once, but
// not while a process holds the exclusive lock of Lock. LockShared never changes the
// file. It returns nil, nil when there is no file, and ErrLocked while the exclusive
// lock is held. The caller releases the lock by closing the returned file.
func LockShared(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, Explain(path, err)
	}
	if err := flock(f, syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
