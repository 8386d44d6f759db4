package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/jetlog"
	"github.com/snd-rental/yardline/broker/identity"
)

// Restored describes a data directory that Restore has made ready for a broker.
type Restored struct {
	// Events is the number of events in the log.
	Events uint64
	// LastStored is when the newest event was stored. It is zero if the log has no
	// events.
	LastStored time.Time
	// Epoch is the new epoch of the log.
	Epoch string
	// ReplacedFiles is the directory that holds the files which were in the data
	// directory before. It is empty if there were none.
	ReplacedFiles string
}

// Restore replaces the files of the data directory dir by those of backup, which is a
// copy of a data directory, and gives the log in dir a new epoch. It refuses a directory
// that a broker uses, and a backup that no broker could use. It moves the present files
// aside only when the new files are complete. After an error that is a *Misuse, dir is as
// it was before.
func Restore(ctx context.Context, backup, dir string, logger *slog.Logger) (r Restored, err error) {
	if err := checkBackup(backup, dir); err != nil {
		return r, &Misuse{err.Error()}
	}
	unlock, err := lockForRestore(backup, dir)
	if err != nil {
		return r, &Misuse{err.Error()}
	}
	defer unlock()
	copied, err := datadir.CopyForRestore(ctx, backup, dir)
	if err != nil {
		return r, &Misuse{err.Error()}
	}
	defer func() { err = errors.Join(err, datadir.RemoveCopy(copied)) }() // After a success the copy is gone already.
	for _, name := range []string{identity.KeyFile, identity.UsersFile} {
		if err := datadir.CopyMissing(dir, copied, name); err != nil {
			return r, &Misuse{err.Error()}
		}
	}
	if err := r.openCopy(ctx, copied, logger); err != nil {
		// The operator knows the name of the backup, not that of the copy.
		reason := strings.ReplaceAll(err.Error(), copied, backup)
		return r, &Misuse{fmt.Sprintf("the backup %s cannot be used: %s", backup, reason)}
	}
	r.ReplacedFiles, err = datadir.UseCopy(copied, time.Now())
	return r, err
}

// checkBackup returns an error if backup is no copy of a data directory, or if dir is
// the backup or is inside it.
func checkBackup(backup, dir string) error {
	info, err := os.Stat(backup)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(backup, "jetstream")); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no copy of a data directory: there is no directory jetstream in it", backup)
	}
	if isWithin(dir, info) {
		return fmt.Errorf("the data directory %s lies in the backup %s", dir, backup)
	}
	return nil
}

// isWithin tells whether path is the directory dir or would be inside it. The path need
// not exist.
func isWithin(path string, dir fs.FileInfo) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real // The parents of path have no symbolic links either.
		}
		if info, err := os.Stat(path); err == nil && os.SameFile(info, dir) {
			return true
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false
		}
		path = parent
	}
}

// lockForRestore locks both directories, so that no broker uses them. It also finishes
// an earlier restore of dir that was interrupted.
func lockForRestore(backup, dir string) (unlock func(), err error) {
	if err := datadir.Make(dir); err != nil {
		return nil, err
	}
	lock, err := datadir.Lock(filepath.Join(dir, datadir.LockFile), false)
	if errors.Is(err, datadir.ErrLocked) {
		return nil, fmt.Errorf("a broker is using %s: stop it first", dir)
	}
	if err != nil {
		return nil, err
	}
	source, err := datadir.LockShared(filepath.Join(backup, datadir.LockFile))
	if errors.Is(err, datadir.ErrLocked) {
		err = fmt.Errorf("a broker is using the backup %s: stop it first", backup)
	}
	if err == nil {
		err = datadir.FinishRestore(dir)
	}
	unlock = func() { errors.Join(lock.Close(), source.Close()) } // An error of Close changes nothing.
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// openCopy opens a copy of a data directory as a broker would, gives its log a new
// epoch, and fills in Events, LastStored and Epoch.
func (r *Restored) openCopy(ctx context.Context, copied string, logger *slog.Logger) error {
	if _, err := identity.OpenTokens(copied); err != nil {
		return err
	}
	if _, err := identity.ReadUsers(identity.UsersPath(copied)); err != nil {
		return err
	}
	log, err := jetlog.Open(ctx, jetlog.Config{Dir: copied, NewEpoch: true, Logger: logger})
	if err != nil {
		return err
	}
	b, err := log.Bounds(ctx)
	if err == nil && b.Last >= b.First {
		var page eventlog.Page
		page, err = log.Read(ctx, b.Last-1, 1, eventlog.Selection{})
		if len(page.Records) == 1 {
			r.LastStored = page.Records[0].Stored
		}
	}
	r.Events, r.Epoch = b.Last+1-b.First, log.Epoch()
	return errors.Join(err, log.Close())
}
