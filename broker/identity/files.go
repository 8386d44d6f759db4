package identity

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// replaceFile puts a whole new file, readable by its owner alone, in the place
// of an old one.
func replaceFile(path string, content []byte) error {
	made, err := writeBeside(path, content)
	if err != nil {
		return err
	}
	defer os.Remove(made) // it has another name by then, or failed
	if old, err := os.Stat(path); err == nil {
		// An administrator edits what the broker's own user must be able to read.
		if owner, ok := old.Sys().(*syscall.Stat_t); ok {
			_ = os.Chown(made, int(owner.Uid), int(owner.Gid)) // only root may, and only root needs to
		}
	}
	return os.Rename(made, path)
}

// writeBeside writes a whole file, readable by its owner alone, into the
// directory of another, and returns its name.
func writeBeside(path string, content []byte) (made string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
