package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Run measures a server. It returns when everything is measured, or with an error as soon
// as a stream is refused or ctx ends.
func Run(ctx context.Context, c Config) (*Report, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	target, ip, err := resolve(c.Subscribe)
	if err != nil {
		return nil, err
	}
	r, err := newRun(c, ip)
	if err != nil {
		return nil, err
	}
	if err := raiseDescriptorLimit(r.streams() + c.Publishers + spareDescriptors); err != nil {
		return nil, err
	}
	return r.measure(ctx, target)
}

// measurement has what measure has found.
type measurement struct {
	before, opened, idle, start, end processUse
	openTime                         time.Duration // to open all streams
	startTime, endTime               time.Time     // of publishing and of the last delivery
	startBytes, endBytes             int64
	startCPU, endCPU                 time.Duration // of this process
	publishing                       *publishing   // nil without events
}

// measure starts the readers, takes all measurements, and ends the readers.
func (r *run) measure(ctx context.Context, target unix.Sockaddr) (*Report, error) {
	var m measurement
	var err error
	if m.before, err = readProcess(r.config.PID); err != nil {
		return nil, err
	}
	n := r.decoded()
	wanted := slices.Concat(slices.Repeat([]streamKind{subscriberStream}, r.config.Subscribers-n),
		slices.Repeat([]streamKind{slowStream}, r.config.Slow),
		slices.Repeat([]streamKind{stalledStream}, r.config.Stalled))
	reader, err := newReader(r, target, n, wanted)
	if err != nil {
		return nil, err
	}
	readCtx, stop := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := reader.loop(readCtx); err != nil {
			stop(err)
		}
	})
	var decoded decodedReader
	err = decoded.start(readCtx, r, n, stop)
	if err == nil {
		err = r.takeMeasurements(readCtx, &m)
	}
	stop(nil)
	running.Wait()
	decoded.running.Wait()
	if err != nil {
		return nil, err
	}
	return r.report(&m, reader, &decoded), nil
}

// takeMeasurements opens the streams, waits, and publishes.
func (r *run) takeMeasurements(ctx context.Context, m *measurement) (err error) {
	c := r.config
	begin := time.Now()
	c.Progress(fmt.Sprintf("opening %d streams", r.streams()))
	if err := r.waitOpened(ctx); err != nil {
		return err
	}
	m.openTime = time.Since(begin)
	if err := r.waitQuiet(ctx); err != nil {
		return err
	}
	if m.opened, err = readProcess(c.PID); err != nil {
		return err
	}
	if c.Settle > 0 {
		c.Progress(fmt.Sprintf("waiting %v before the memory is measured", c.Settle))
		sleep(ctx, c.Settle)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.idle, err = readProcess(c.PID); err != nil || c.Events == 0 {
		return err
	}
	if m.publishing, err = newPublishing(r); err != nil {
		return err
	}
	return r.publish(ctx, m)
}

// warmUpRequests is the number of requests to publish before those that count.
const warmUpRequests = 5

// publish publishes all events and waits until they have arrived.
func (r *run) publish(ctx context.Context, m *measurement) (err error) {
	if err := m.publishing.warmUp(ctx, warmUpRequests); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if err := r.waitQuiet(ctx); err != nil {
		return err
	}
	r.config.Progress(fmt.Sprintf("publishing %d events", r.config.Events))
	resetPeak(r.config.PID)
	if m.start, err = readProcess(r.config.PID); err != nil {
		return err
	}
	m.startTime, m.startCPU, m.startBytes = time.Now(), ownCPU(), r.counters.bytes.Load()
	m.publishing.run(ctx)
	if err := r.waitDelivered(ctx, m.publishing); err != nil {
		return err
	}
	m.endTime = time.Now()
	if r.counters.gzip.Load() { // the streams that are not decoded may still receive
		if err := r.waitQuiet(ctx); err != nil {
			return err
		}
	}
	m.endCPU, m.endBytes = ownCPU(), r.counters.bytes.Load()
	if m.end, err = readProcess(r.config.PID); err != nil {
		return err
	}
	return r.drain(ctx)
}

// report makes the report when the readers have ended.
func (r *run) report(m *measurement, reader *reader, decoded *decodedReader) *Report {
	all, lost, p := &reader.arrivals, int64(0), m.publishing
	var receiptsOf []*receipts
	for _, s := range reader.streams {
		if s.receipts != nil {
			receiptsOf = append(receiptsOf, s.receipts)
		}
	}
	for _, s := range decoded.streams {
		receiptsOf = append(receiptsOf, s.receipts)
		all.add(&s.arrivals)
	}
	if p != nil {
		for _, receipts := range receiptsOf {
			lost += int64(p.acknowledged.countMissing(receipts.seen))
		}
	}
	report := &Report{Subscribers: r.config.Subscribers, Decoded: len(receiptsOf), Slow: r.config.Slow,
		Stalled: r.config.Stalled, Gzip: r.counters.gzip.Load(), OpenSeconds: m.openTime.Seconds(),
		Closed:        r.counters.closed[subscriberStream].Load(),
		SlowClosed:    r.counters.closed[slowStream].Load(),
		StalledClosed: r.counters.closed[stalledStream].Load()}
	if p != nil {
		report.Published = newPublished(p)
		report.Delivered = newDelivered(all, lost, m.endBytes-m.startBytes, m.endTime.Sub(m.startTime),
			report.Subscribers, report.Decoded)
		report.OwnCPUSeconds = (m.endCPU - m.startCPU).Seconds()
	}
	if r.config.PID != 0 {
		report.Server = newServerUse(m, report)
	}
	return report
}

// newServerUse returns what the server has used.
func newServerUse(m *measurement, r *Report) *ServerUse {
	streams := int64(r.Subscribers + r.Slow + r.Stalled)
	u := &ServerUse{IdleRSS: m.idle.rss, IdleBytes: ratio(float64(m.idle.rss-m.before.rss), streams),
		OpenCPUMillis: ratio(1000*(m.opened.cpu-m.before.cpu).Seconds(), streams)}
	if r.Published != nil {
		u.PeakRSS, u.CPUSeconds = m.end.peak, (m.end.cpu - m.start.cpu).Seconds()
		u.PerMillion = ratio(1e6*u.CPUSeconds, r.Delivered.Events)
		u.PerHundredKEvents = ratio(1e5*u.CPUSeconds, r.Published.Events)
	}
	return u
}
