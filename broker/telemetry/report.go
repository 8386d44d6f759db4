package telemetry

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/telemetry/report"
	"github.com/snd-rental/yardline/shared/event"
)

const (
	minutes = 60
	writes  = 2048
)

// recent is the part of a Report that is gathered as it happens.
type recent struct {
	mu        sync.Mutex // guards all below
	minute    int64      // the running one, since 1970
	counts    [minutes]map[event.Type]int
	latencies []time.Duration // a ring
	next      int
	published map[string]int64
	pushes    map[string]int64
	gaps      int64
	slow      int64
}

func newRecent() *recent {
	return &recent{published: map[string]int64{}, pushes: map[string]int64{}}
}

func (r *recent) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// turnLocked forgets the minutes that are over an hour ago.
func (r *recent) turnLocked(now time.Time) {
	minute := now.Unix() / 60
	for m := max(r.minute+1, minute-minutes+1); m <= minute; m++ {
		r.counts[m%minutes] = nil
	}
	r.minute = max(r.minute, minute)
}

func (r *recent) taken(t event.Type, now time.Time) {
	r.do(func() {
		r.turnLocked(now)
		count := &r.counts[r.minute%minutes]
		if *count == nil {
			*count = map[event.Type]int{}
		}
		(*count)[t]++
	})
}

func (r *recent) delivered(after time.Duration) {
	r.do(func() {
		if len(r.latencies) < writes {
			r.latencies = append(r.latencies, after)
			return
		}
		r.latencies[r.next] = after
		r.next = (r.next + 1) % writes
	})
}

// fill adds to a report what was gathered.
func (r *recent) fill(out *report.Report, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnLocked(now)
	for m := r.minute - minutes + 1; m <= r.minute; m++ {
		sum := 0
		for t, n := range r.counts[m%minutes] {
			sum += n
			out.ByType[t] += n
		}
		out.PerMinute = append(out.PerMinute, sum)
	}
	for name, n := range r.published {
		out.Published[name] = n
	}
	for name, n := range r.pushes {
		out.Pushes[name] = n
	}
	out.Gaps, out.Slow = r.gaps, r.slow
	sorted := slices.Sorted(slices.Values(r.latencies))
	at := func(share float64) float64 {
		if len(sorted) == 0 {
			return 0
		}
		return float64(sorted[int(share*float64(len(sorted)-1))].Microseconds()) / 1000
	}
	out.Delivery = report.Latency{P50: at(.5), P95: at(.95), P99: at(.99), Writes: len(sorted)}
}

// Report says how the broker does now.
func (m *Metrics) Report(ctx context.Context, log eventlog.Log, connections int) report.Report {
	out := report.Report{Started: m.started.UTC(), PerMinute: make([]int, 0, minutes), ByType: map[event.Type]int{}, Published: map[string]int64{}, Pushes: map[string]int64{}, Memory: int64(memoryInUse())}
	m.recent.fill(&out, time.Now())
	if connections > 0 {
		out.PerReader = max(out.Memory-int64(m.idle), 0) / int64(connections)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if bounds, err := log.Bounds(ctx); err == nil {
		out.Oldest, out.Newest, out.Healthy = bounds.First, bounds.Last, log.Health() == nil
	}
	return out
}
