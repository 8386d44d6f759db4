package jetlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// An embedded server that failed to write stays broken until it is restarted,
// even when the disk has room again. Therefore the keeper refuses appends before
// the disk is full. After failed appends it checks whether the disk accepts
// writes, and restarts the server when it does.

const (
	// keeperInterval is the time between two checks of the keeper.
	keeperInterval = time.Second
	// minFree is the free space, in bytes, below which appends are refused. It
	// leaves room for what the server writes by itself.
	minFree = 32 << 20
	// brokenAfter is how long appends must fail before the keeper restarts the
	// server.
	brokenAfter = time.Second
	// probeBytes is the size of the file that probe writes.
	probeBytes = 64 << 10
)

// Health implements eventlog.Log.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health
}

// setHealth sets the result of Health, and logs a change between healthy and
// unhealthy.
func (l *Log) setHealth(err error) {
	l.mu.Lock()
	before := l.health
	l.health = err
	l.mu.Unlock()
	switch {
	case err == nil && before != nil:
		l.config.Logger.Info("the event log works again")
	case err != nil && before == nil:
		l.config.Logger.Error("the event log takes nothing", "error", err)
	}
}

// noteAppend notes whether an append succeeded.
func (l *Log) noteAppend(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.failingSince = time.Time{}
	case l.failingSince.IsZero():
		l.failingSince = time.Now()
	}
}

// runKeeper watches the log until ctx ends. It checks the embedded server,
// updates the epoch record, and removes old markers of deleted keys once.
func (l *Log) runKeeper(ctx context.Context) {
	var sweep sync.WaitGroup
	defer sweep.Wait()
	sweep.Go(func() { l.sweepMarkers(ctx) })
	tick := time.NewTicker(keeperInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if l.config.URL == "" {
				l.checkEmbedded(ctx)
			}
			l.updateEpochRecord(ctx, false)
		case <-l.checkRequests:
			l.updateEpochRecord(ctx, true)
		case <-ctx.Done():
			return
		}
	}
}

// checkEmbedded sets the health of an embedded log, and restarts a broken
// server.
func (l *Log) checkEmbedded(ctx context.Context) {
	l.mu.Lock()
	broken := !l.failingSince.IsZero() && time.Since(l.failingSince) >= brokenAfter
	l.mu.Unlock()
	if err := l.checkRoom(broken); err != nil {
		l.setHealth(err)
		return
	}
	if broken {
		if err := l.restart(ctx); err != nil {
			l.setHealth(unavailable(err))
			return
		}
	}
	l.setHealth(nil)
}

// checkRoom returns an error when the disk has too little room. If appends have
// failed it also tries to write.
func (l *Log) checkRoom(appendsFailed bool) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(l.config.Dir, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) < minFree {
		return fmt.Errorf("%w: less than %d MiB are free at %s", eventlog.ErrFull, minFree>>20, l.config.Dir)
	}
	if !appendsFailed {
		return nil
	}
	err := probe(l.config.Dir)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: %w", eventlog.ErrFull, err)
	}
	return unavailable(err)
}

// probe writes a file to the directory, syncs it and removes it.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, "probe.*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, probeBytes))
	return errors.Join(err, f.Sync(), f.Close())
}

// restart stops the embedded server and starts it again on the same files, which
// hold all records that it has acknowledged.
func (l *Log) restart(ctx context.Context) error {
	l.config.Logger.Warn("the embedded event log is started again")
	l.setHealth(fmt.Errorf("%w: it is started again", eventlog.ErrUnavailable))
	l.currentLink().close()
	link, err := connect(ctx, l.config, false, l.checkSoon)
	if err != nil {
		return err
	}
	r, _, err := link.readEpochRecord(ctx)
	if err == nil && r.Epoch != l.epoch {
		err = fmt.Errorf("jetlog: the data directory was changed under the broker: it has the epoch %s, and had %s",
			r.Epoch, l.epoch)
	}
	if err != nil {
		link.close()
		return err
	}
	l.mu.Lock()
	l.link, l.failingSince = link, time.Time{}
	l.mu.Unlock()
	l.noteBounds(link)
	return nil
}
