//go:build !js

package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Make makes a data directory, and its parents, when they do not exist.
func Make(dir string) error { return Explain(dir, makeAll(dir)) }

// makeAll is like os.MkdirAll, but each new directory gets its parent's owner.
func makeAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	} else if err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(filepath.Clean(dir)); parent != dir {
		if err := makeAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return inheritOwner(dir)
}

// owner returns the ids of a file's owner and group. ok is false when the system does
// not report them.
func owner(info fs.FileInfo) (uid, gid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// inheritOwner gives a file that root made to the owner of its directory. It does nothing
// for other users, because only root may change owners.
func inheritOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	parent, err := os.Stat(filepath.Dir(filepath.Clean(path)))
	if err != nil {
		return err
	}
	return giveTo(path, parent)
}

// giveTo gives a file to the owner and group of a directory. It does nothing when the
// file does not exist.
func giveTo(path string, directory fs.FileInfo) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	uid, gid, ok := owner(directory)
	presentUID, presentGID, known := owner(info)
	if !ok || !known || presentUID == uid && presentGID == gid {
		return nil
	}
	if err := os.Lchown(path, uid, gid); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// FixOwners gives all files in a data directory to the directory's owner. It does
// nothing unless root runs it and the directory belongs to another user.
func FixOwners(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	directory, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if uid, _, ok := owner(directory); !ok || uid == 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // The file was removed during the walk.
		}
		if err != nil {
			return err
		}
		return giveTo(path, directory)
	})
}

// CheckLogAccess returns an error when this process may not read and write all files
// that an embedded log needs in a data directory. The error names the first such file.
func CheckLogAccess(dir string) error {
	if err := checkAccess(dir, searchable|writable|readable); err != nil {
		return err
	}
	if err := checkAccess(filepath.Join(dir, LockFile), writable|readable); err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(dir, logDir), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // The log is new, or the file was removed during the walk.
		}
		if err != nil {
			return Explain(path, err)
		}
		if entry.IsDir() {
			return checkAccess(path, searchable|writable|readable)
		}
		return checkAccess(path, writable|readable)
	})
}

// logDir is the directory of the embedded NATS server within a data directory.
const logDir = "jetstream"

// checkAccess returns an error when this process may not use a file in these modes. A
// missing file is no error.
func checkAccess(path string, mode uint32) error {
	err := syscall.Access(path, mode)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return Explain(path, &fs.PathError{Op: "access", Path: path, Err: err})
}

// The modes of checkAccess, as access(2) defines them.
const (
	searchable = 1
	writable   = 2
	readable   = 4
)

// Explain turns an error of a file into a message for the operator. The message gives
// the reason why the file cannot be used and, if possible, a remedy. Explain returns nil
// for nil.
func Explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cannot use %s: its file system (%s) is read-only", path, FileSystem(path))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("cannot use %s: its file system (%s) has no room: %w", path, FileSystem(path), err)
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOTSUP):
		return fmt.Errorf("cannot use %s: its file system (%s) cannot do what the broker needs (locks and renaming): "+
			"use a directory of another one: %w", path, FileSystem(path), err)
	case errors.Is(err, fs.ErrPermission) && ownerOf(path) == userName(os.Geteuid()):
		return fmt.Errorf("cannot use %s: its permissions, or those of its directory, forbid it to their own user "+
			"%s: change them by chmod: %w",
			path, ownerOf(path), err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot use %s: it belongs to %s and this process runs as %s: "+
			"run it as that user, or give the whole data directory to this one by chown -R: %w",
			path, ownerOf(path), userName(os.Geteuid()), err)
	}
	return fmt.Errorf("cannot use %s: %w", path, err)
}

// ownerOf returns the name of a file's owner. When this process cannot see the file,
// ownerOf uses the nearest directory above that it can see.
func ownerOf(path string) string {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil && path != filepath.Dir(path) {
			continue
		}
		if err == nil {
			if uid, _, ok := owner(info); ok {
				return userName(uid)
			}
		}
		return "another user"
	}
}

// userName returns the name of a user, or "user" and the id when there is no name.
func userName(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return "user " + strconv.Itoa(uid)
	}
	return u.Username
}
