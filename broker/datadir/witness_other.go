//go:build !js && !linux

package datadir

import (
	"os"
	"path/filepath"
	"syscall"
)

// witnessOf reads the attributes that identify a file. It leaves out the time of birth,
// because programs can set it on other systems than Linux.
func witnessOf(path string) (Witness, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Witness{}, err
	}
	w := Witness{Name: filepath.Base(path), Change: info.ModTime().UTC()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		w.Inode = uint64(stat.Ino)
	}
	return w, nil
}
