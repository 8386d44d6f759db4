//go:build !js

package datadir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Witness identifies one file of a data directory, so that the broker can tell the
// directory from a copy. The kernel gives each copy of the file another inode and
// another time of birth. No program can set the time of birth.
type Witness struct {
	// Name is the name of the file in the data directory.
	Name string `json:"name"`
	// Inode is the file's number in its file system.
	Inode uint64 `json:"inode"`
	// Subvolume is the id of the subvolume. It is 0 when the file system has none, or
	// does not report it. A snapshot of a subvolume has the same inodes but another id.
	Subvolume uint64 `json:"subvolume,omitempty"`
	// Birth is the time at which the file was made. It is zero when the file system does
	// not report it. IsIn then compares Change.
	Birth time.Time `json:"birth,omitzero"`
	// Change is the time of the last change of the file or its owner, mode or name.
	Change time.Time `json:"change"`
}

// witnessPrefix begins the names of the files that witnesses identify.
const witnessPrefix = "witness."

// NewWitness makes a file in a data directory and returns its Witness. It keeps the files
// of earlier witnesses: the caller must first store the new Witness, and then call
// RemoveOtherWitnesses.
func NewWitness(dir string) (w Witness, err error) {
	w.Name = witnessPrefix + strings.ToLower(rand.Text()[:8])
	path := filepath.Join(dir, w.Name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return w, Explain(path, err)
	}
	_, err = f.WriteString("By this file the broker knows its own data directory from a copy. Leave it here.\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = inheritOwner(path)
	}
	if err == nil {
		err = SyncDir(dir)
	}
	if err == nil {
		w, err = witnessOf(path)
	}
	if err != nil {
		return w, errors.Join(Explain(path, err), os.Remove(path))
	}
	return w, nil
}

// RemoveOtherWitnesses removes the files of all witnesses but w from a data directory.
func RemoveOtherWitnesses(dir string, w Witness) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), witnessPrefix) && entry.Name() != w.Name {
			err = errors.Join(err, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	return err
}

// IsIn tells whether the witness's file is in a data directory. When it returns false, the
// directory, or a part of it, is a copy.
func (w Witness) IsIn(dir string) (bool, error) {
	now, err := witnessOf(filepath.Join(dir, w.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if w.Subvolume != now.Subvolume && w.Subvolume != 0 && now.Subvolume != 0 {
		return false, nil
	}
	if w.Birth.IsZero() || now.Birth.IsZero() {
		return now.Inode == w.Inode && now.Change.Equal(w.Change), nil
	}
	return now.Inode == w.Inode && now.Birth.Equal(w.Birth), nil
}
