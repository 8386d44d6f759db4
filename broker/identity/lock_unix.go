//go:build unix

package identity

import (
	"os"
	"syscall"
)

// lockFile waits until nobody else has the file locked; closing it unlocks.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }
