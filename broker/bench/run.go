package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// run is the state of one measurement that its goroutines share.
type run struct {
	config    Config
	marker    *marker
	schedule  schedule
	requests  [][]byte // that open streams, which take them in turn
	addresses int      // the number of source addresses, or 0
	counters  counters
}

// newRun returns the state of a measurement of a server with the given address.
func newRun(c Config, server net.IP) (*run, error) {
	requests, err := streamRequests(c)
	if err != nil {
		return nil, err
	}
	r := &run{config: c, marker: newMarker(c.PayloadBytes), requests: requests,
		schedule: schedule{events: c.Events, batch: c.Batch, publishers: c.Publishers}}
	switch isLoopback := server.To4() != nil && server.IsLoopback(); {
	case !isLoopback && c.Addresses > 1:
		return nil, &ConfigError{"several addresses are only possible if the server is on 127.0.0.1"}
	case isLoopback:
		r.addresses = c.Addresses
		if r.addresses == 0 {
			r.addresses = min(1+r.streams()/streamsPerAddress, maxAddresses)
		}
	}
	return r, nil
}

// streams returns the number of streams of all kinds.
func (r *run) streams() int { return r.config.Subscribers + r.config.Slow + r.config.Stalled }

// sourceOf returns the address that a stream comes from, or nil if the system chooses it.
func (r *run) sourceOf(stream int) net.IP {
	if r.addresses == 0 {
		return nil
	}
	return net.IPv4(127, 0, 0, byte(1+stream%r.addresses))
}

// decoded returns the number of streams that goroutines decode.
func (r *run) decoded() int {
	if !r.config.Gzip {
		return 0
	}
	return min(r.config.Subscribers, decodedStreams)
}

// waitFor waits until done returns true. It returns false if progress has returned the
// same number for the time of patience, and an error when ctx ends.
func waitFor(ctx context.Context, patience time.Duration, done func() bool, progress func() int64) (bool, error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	last, changed := progress(), time.Now()
	for !done() {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case now := <-tick.C:
			if p := progress(); p != last {
				last, changed = p, now
			} else if now.Sub(changed) > patience {
				return false, nil
			}
		}
	}
	return true, nil
}

// waitQuiet waits until no subscriber has received anything for a while.
func (r *run) waitQuiet(ctx context.Context) error {
	_, err := waitFor(ctx, quietTime, func() bool { return false }, r.counters.bytes.Load)
	return err
}

// drain reads what waits for the slow and stalled streams, so that closed ones show.
func (r *run) drain(ctx context.Context) error {
	if r.config.Slow+r.config.Stalled == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, drainTime, errDrained)
	defer cancel()
	r.counters.draining.Store(true)
	_, err := waitFor(ctx, 2*quietTime, func() bool { return false }, r.counters.drained.Load)
	if errors.Is(err, errDrained) {
		return nil
	}
	return err
}

// errDrained ends drain when a stream goes on for the whole of drainTime.
var errDrained = errors.New("the streams were read for long enough")

// drainTime is how long the slow and stalled streams are read at most.
const drainTime = 3 * time.Second

// quietTime is how long the streams must be silent before a measurement begins.
const quietTime = 200 * time.Millisecond

// waitOpened waits until all streams are open.
func (r *run) waitOpened(ctx context.Context) error {
	n := int64(r.streams())
	opened, err := waitFor(ctx, 4*r.config.Patience, func() bool { return r.counters.opened.Load() == n },
		r.counters.opened.Load)
	if err == nil && !opened {
		err = fmt.Errorf("only %d of %d streams were answered", r.counters.opened.Load(), n)
	}
	return err
}

// waitDelivered waits until the subscribers have received all events that the server has
// acknowledged, or until nothing has arrived for the time of patience.
func (r *run) waitDelivered(ctx context.Context, p *publishing) error {
	complete := func() bool {
		return r.counters.liveDelivered.Load() >= p.sent.Load()*r.counters.live.Load()
	}
	_, err := waitFor(ctx, r.config.Patience, complete, r.counters.delivered.Load)
	return err
}
