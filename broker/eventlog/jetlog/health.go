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

// An embedded server that could not write stays broken when there is room
// again, until it is started again. The keeper looks after it: it stops
// appends before the disk is full, finds out when one failed whether the disk
// takes anything, and starts the server again when it does.

const (
	keepEvery = time.Second
	// minFree is the room, in bytes, below which appends are refused: the
	// server still has enough for what it writes by itself.
	minFree = 32 << 20
	// brokenAfter is how long appends may fail before the server is taken for
	// broken.
	brokenAfter = time.Second
	probeBytes  = 64 << 10
)

// Health implements eventlog.Log.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health
}

func (l *Log) setHealth(err error) {
	l.mu.Lock()
	before := l.health
	l.health = err
	l.mu.Unlock()
	switch {
	case err == nil && before != nil:
		l.c.Logger.Info("the event log works again")
	case err != nil && before == nil:
		l.c.Logger.Error("the event log takes nothing", "error", err)
	}
}

// appended notes how an append went.
func (l *Log) appended(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.failed = time.Time{}
	case l.failed.IsZero():
		l.failed = time.Now()
	}
}

// keep looks after the log until ctx ends: the embedded server, the record of
// the epoch, and the marks of deleted keys.
func (l *Log) keep(ctx context.Context) {
	var sweep sync.WaitGroup
	defer sweep.Wait()
	sweep.Go(func() { l.sweepMarkers(ctx) })
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if l.c.URL == "" {
				l.look(ctx)
			}
			l.tend(ctx, false)
		case <-l.poke:
			l.tend(ctx, true)
		case <-ctx.Done():
			return
		}
	}
}

func (l *Log) look(ctx context.Context) {
	l.mu.Lock()
	broken := !l.failed.IsZero() && time.Since(l.failed) >= brokenAfter
	l.mu.Unlock()
	if err := l.room(broken); err != nil {
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

// room tells whether the disk has room, and takes something where that is in
// doubt.
func (l *Log) room(doubt bool) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(l.c.Dir, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) < minFree {
		return fmt.Errorf("%w: less than %d MiB are free at %s", eventlog.ErrFull, minFree>>20, l.c.Dir)
	}
	if !doubt {
		return nil
	}
	err := probe(l.c.Dir)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: %w", eventlog.ErrFull, err)
	}
	return unavailable(err)
}

// probe writes something to the disk and takes it away again.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, "probe.*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, probeBytes))
	return errors.Join(err, f.Sync(), f.Close())
}

// restart replaces the server, whose files hold everything that it has
// acknowledged.
func (l *Log) restart(ctx context.Context) error {
	l.c.Logger.Warn("the embedded event log is started again")
	l.setHealth(fmt.Errorf("%w: it is started again", eventlog.ErrUnavailable))
	l.now().close()
	link, err := connect(ctx, l.c, false, l.checkSoon)
	if err != nil {
		return err
	}
	r, _, err := link.readRecord(ctx)
	if err == nil && r.Epoch != l.epoch {
		err = fmt.Errorf("jetlog: the data directory was changed under the broker: it has the epoch %s, and had %s",
			r.Epoch, l.epoch)
	}
	if err != nil {
		link.close()
		return err
	}
	l.mu.Lock()
	l.link, l.failed = link, time.Time{}
	l.mu.Unlock()
	return nil
}
