// Package report is what an admin is told of a broker, and what gathers it. It
// stands apart from the metrics for Prometheus, which the edge does without.
package report

import (
	"context"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/event"
)

// A Report is what an admin looks at, without a monitoring system: the last
// hour of this broker.
type Report struct {
	Started   time.Time          `json:"started"`
	PerMinute []int              `json:"events_per_minute"` // of the last hour, the running minute last
	ByType    map[event.Type]int `json:"events_by_type"`    // of the last hour
	Delivery  Latency            `json:"delivery_ms"`
	Published map[string]int64   `json:"published"` // since the start, by result
	Pushes    map[string]int64   `json:"pushes"`    // since the start, by result
	Gaps      int64              `json:"gaps"`      // since the start: readers who were told of one
	Slow      int64              `json:"slow"`      // since the start: streams closed because their reader was too slow
	Memory    int64              `json:"memory_bytes"`
	PerReader int64              `json:"connection_memory_bytes"`
	Healthy   bool               `json:"log_healthy"`
	Oldest    uint64             `json:"log_oldest"` // sequence of the oldest kept event
	Newest    uint64             `json:"log_newest"`
}

// Latency is from when the log had an event to when a socket had taken it, of
// the last writes, in milliseconds.
type Latency struct {
	P50    float64 `json:"p50"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
	Writes int     `json:"writes"` // that this is of, at most 2,048
}

const (
	minutes = 60
	writes  = 2048
)

// A Recorder gathers what a Report says. It is safe for concurrent use.
type Recorder struct {
	started time.Time
	idle    float64 // bytes in use before the first connection

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

var _ hub.Observer = (*Recorder)(nil)

// New begins to record.
func New() *Recorder {
	return &Recorder{started: time.Now(), idle: MemoryInUse(), published: map[string]int64{}, pushes: map[string]int64{}}
}

// Idle is how many bytes were in use before the first connection.
func (r *Recorder) Idle() float64 { return r.idle }

func (r *Recorder) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// turnLocked forgets the minutes that are over an hour ago.
func (r *Recorder) turnLocked(now time.Time) {
	minute := now.Unix() / 60
	for m := max(r.minute+1, minute-minutes+1); m <= minute; m++ {
		r.counts[m%minutes] = nil
	}
	r.minute = max(r.minute, minute)
}

// Published implements hub.Observer.
func (r *Recorder) Published(_ event.Type, result string) { r.do(func() { r.published[result]++ }) }

// Replayed implements hub.Observer.
func (*Recorder) Replayed(int) {}

// Gap implements hub.Observer.
func (r *Recorder) Gap() { r.do(func() { r.gaps++ }) }

// Purged implements hub.Observer. The log and the metrics have it.
func (r *Recorder) Purged(uint64) {}

// Slow implements hub.Observer.
func (r *Recorder) Slow(string) { r.do(func() { r.slow++ }) }

// Pushed implements push.Observer.
func (r *Recorder) Pushed(result string) { r.do(func() { r.pushes[result]++ }) }

// Received implements hub.Observer.
func (r *Recorder) Received(t event.Type) {
	r.do(func() {
		r.turnLocked(time.Now())
		count := &r.counts[r.minute%minutes]
		if *count == nil {
			*count = map[event.Type]int{}
		}
		(*count)[t]++
	})
}

// Delivered implements hub.Observer.
func (r *Recorder) Delivered(after time.Duration) {
	after = max(after, 0)
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
func (r *Recorder) fill(out *Report, now time.Time) {
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
	out.Delivery = Latency{P50: at(.5), P95: at(.95), P99: at(.99), Writes: len(sorted)}
}

// Report says how the broker does now.
func (r *Recorder) Report(ctx context.Context, log eventlog.Log, connections int) Report {
	out := Report{Started: r.started.UTC(), PerMinute: make([]int, 0, minutes), ByType: map[event.Type]int{}, Published: map[string]int64{}, Pushes: map[string]int64{}, Memory: int64(MemoryInUse())}
	r.fill(&out, time.Now())
	if connections > 0 {
		out.PerReader = max(out.Memory-int64(r.idle), 0) / int64(connections)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if bounds, err := log.Bounds(ctx); err == nil {
		out.Oldest, out.Newest, out.Healthy = bounds.First, bounds.Last, log.Health() == nil
	}
	return out
}

// askTimeout bounds how long a report waits for the log.
const askTimeout = 2 * time.Second

// MemoryInUse are the bytes of objects and stacks.
func MemoryInUse() float64 {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}
