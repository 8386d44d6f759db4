//go:build !js

package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked means that another process holds a lock.
var ErrLocked = errors.New("datadir: locked by another process")

// Lock takes the lock of a file, and makes the file where there is none. With
// wait it waits for another process; without, it returns ErrLocked. Closing the
// file, or the end of the process, gives the lock back; the file stays.
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
		err = Explain(path, takeOwner(path))
	} else {
		err = Explain(path, err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// flock is flock(2), which a signal may interrupt.
func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Replace puts a whole new file, readable by its owner alone, in the place of
// an old one or of none.
func Replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return Explain(path, err)
	}
	defer os.Remove(f.Name()) // It has another name by then, or failed.
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = takeOwner(f.Name())
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	return Explain(path, err)
}

// SyncDir makes the new, renamed and removed names of a directory survive a
// power cut. A file system that cannot sync a directory does so by itself.
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

// LockShared takes a lock that many may hold while nobody holds it alone, without
// making or changing the file. It returns nil where there is no file, and
// ErrLocked while somebody holds the lock alone.
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
