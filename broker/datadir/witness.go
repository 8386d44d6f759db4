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

// A Witness identifies one file of a data directory. A copy of the file, made
// by whatever program, is another file: the kernel gives it another inode and
// another time of birth, and no program can set the latter.
type Witness struct {
	Name  string `json:"name"`
	Inode uint64 `json:"inode"`
	// Subvolume is the id of the subvolume, 0 where the file system has none or
	// does not say so. A snapshot of a subvolume has the same inodes and another id.
	Subvolume uint64 `json:"subvolume,omitempty"`
	// Birth is when the file was made. It is zero where the file system does
	// not say so; then Change decides.
	Birth time.Time `json:"birth,omitzero"`
	// Change is when the file or its owner, mode or name last changed.
	Change time.Time `json:"change"`
}

// witnessPrefix begins the names of witnesses.
const witnessPrefix = "witness."

// NewWitness makes another witness in a data directory, beside the present one.
// The caller records it and calls RemoveOtherWitnesses then.
func NewWitness(dir string) (w Witness, err error) {
	w.Name = witnessPrefix + strings.ToLower(rand.Text()[:8])
	path := filepath.Join(dir, w.Name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return w, Explain(path, err)
	}
	_, err = f.WriteString("By this file the broker knows its own data directory from a copy. Leave it here.\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = takeOwner(path)
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

// RemoveOtherWitnesses removes all witnesses but one from a data directory.
func RemoveOtherWitnesses(dir string, w Witness) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), witnessPrefix) && entry.Name() != w.Name {
			err = errors.Join(err, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	return err
}

// In tells whether the witness is still in a data directory: false means that
// the directory, or a part of it, is a copy.
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
