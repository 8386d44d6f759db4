package datadir

import (
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// witnessOf reads the attributes that identify a file.
func witnessOf(path string) (Witness, error) {
	var stat unix.Statx_t
	const want = unix.STATX_INO | unix.STATX_BTIME | unix.STATX_CTIME | unix.STATX_SUBVOL
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, want, &stat); err != nil {
		return Witness{}, &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	w := Witness{Name: filepath.Base(path), Inode: stat.Ino, Change: timeOf(stat.Ctime)}
	if stat.Mask&unix.STATX_BTIME != 0 {
		w.Birth = timeOf(stat.Btime)
	}
	if stat.Mask&unix.STATX_SUBVOL != 0 {
		w.Subvolume = stat.Subvol
	}
	return w, nil
}

func timeOf(t unix.StatxTimestamp) time.Time { return time.Unix(t.Sec, int64(t.Nsec)).UTC() }
