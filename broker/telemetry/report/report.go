// Package report gathers the figures about a broker that an admin sees in the app. It
// does not depend on the Prometheus library, which the edge does not contain.
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

// A Report holds the figures of one broker for an admin without a monitoring system.
type Report struct {
	// Started is the time at which the broker started.
	Started time.Time `json:"started"`
	// PerMinute holds the number of events in each minute of the last hour. The present
	// minute is the last one.
	PerMinute []int `json:"events_per_minute"`
	// ByType holds the number of events of each type in the last hour.
	ByType map[event.Type]int `json:"events_by_type"`
	// Delivery summarizes the delivery of the last writes.
	Delivery Latency `json:"delivery_ms"`
	// Published counts the publications since the start, by result.
	Published map[string]int64 `json:"published"`
	// Pushes counts the pushes since the start, by result.
	Pushes map[string]int64 `json:"pushes"`
	// Gaps is the number of gaps that were reported to readers since the start.
	Gaps int64 `json:"gaps"`
	// Slow is the number of streams that were closed since the start because their
	// readers were too slow.
	Slow int64 `json:"slow"`
	// Memory is the number of bytes of heap objects and stacks in use.
	Memory int64 `json:"memory_bytes"`
	// PerReader is the number of bytes in use for each connection, beyond those in use
	// at the start. It is 0 without connections.
	PerReader int64 `json:"connection_memory_bytes"`
	// Healthy tells whether the log accepts events.
	Healthy bool `json:"log_healthy"`
	// Oldest and Newest are the sequences of the oldest and newest event in the log.
	// They are 0 when the log does not answer in time.
	Oldest uint64 `json:"log_oldest"`
	Newest uint64 `json:"log_newest"`
}

// Latency holds percentiles of the time between the storing of an event in the log and
// its delivery to a socket, in milliseconds.
type Latency struct {
	P50    float64 `json:"p50"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
	Writes int     `json:"writes"` // the number of writes that were measured, at most maxLatencies
}

const (
	minutes      = 60   // the minutes of a Report
	maxLatencies = 2048 // the number of last writes that Latency summarizes
)

// A Recorder gathers the figures of a Report. It is safe for concurrent use.
type Recorder struct {
	started    time.Time
	idleMemory float64 // bytes in use before the first connection

	mu        sync.Mutex                  // guards all below
	minute    int64                       // the present minute, in minutes since 1970
	counts    [minutes]map[event.Type]int // events by type; minute m is at m%minutes
	latencies []time.Duration             // a ring of at most maxLatencies
	next      int                         // the index in latencies of the next value, once the ring is full
	published map[string]int64
	pushes    map[string]int64
	gaps      int64
	slow      int64
}

var _ hub.Observer = (*Recorder)(nil)

// New returns a Recorder. The broker must not have any connection yet, because New
// measures the memory without connections.
func New() *Recorder {
	return &Recorder{
		started:    time.Now(),
		idleMemory: MemoryInUse(),
		published:  map[string]int64{},
		pushes:     map[string]int64{},
	}
}

// IdleMemory returns the number of bytes that were in use before the first connection.
func (r *Recorder) IdleMemory() float64 { return r.idleMemory }

// locked calls f while it holds r.mu.
func (r *Recorder) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// dropOldMinutesLocked sets r.minute to the minute of now, and removes the counts that
// are older than an hour. The caller must hold r.mu.
func (r *Recorder) dropOldMinutesLocked(now time.Time) {
	minute := now.Unix() / 60
	for m := max(r.minute+1, minute-minutes+1); m <= minute; m++ {
		r.counts[m%minutes] = nil
	}
	r.minute = max(r.minute, minute)
}

// Published implements hub.Observer.
func (r *Recorder) Published(_ event.Type, result string) { r.locked(func() { r.published[result]++ }) }

// Replayed implements hub.Observer.
func (*Recorder) Replayed(int) {}

// Gap implements hub.Observer.
func (r *Recorder) Gap() { r.locked(func() { r.gaps++ }) }

// Purged implements hub.Observer. A Report does not contain it.
func (r *Recorder) Purged(uint64) {}

// Slow implements hub.Observer.
func (r *Recorder) Slow(string) { r.locked(func() { r.slow++ }) }

// Pushed implements push.Observer.
func (r *Recorder) Pushed(result string) { r.locked(func() { r.pushes[result]++ }) }

// Received implements hub.Observer.
func (r *Recorder) Received(t event.Type) {
	r.locked(func() {
		r.dropOldMinutesLocked(time.Now())
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
	r.locked(func() {
		if len(r.latencies) < maxLatencies {
			r.latencies = append(r.latencies, after)
			return
		}
		r.latencies[r.next] = after
		r.next = (r.next + 1) % maxLatencies
	})
}

// fill adds the gathered figures to a report.
func (r *Recorder) fill(out *Report, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropOldMinutesLocked(now)
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

// Report returns the present figures of the broker. connections is the number of its
// connections. Report waits up to logTimeout for the log.
func (r *Recorder) Report(ctx context.Context, log eventlog.Log, connections int) Report {
	out := Report{
		Started:   r.started.UTC(),
		PerMinute: make([]int, 0, minutes),
		ByType:    map[event.Type]int{},
		Published: map[string]int64{},
		Pushes:    map[string]int64{},
		Memory:    int64(MemoryInUse()),
	}
	r.fill(&out, time.Now())
	if connections > 0 {
		out.PerReader = max(out.Memory-int64(r.idleMemory), 0) / int64(connections)
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	if bounds, err := log.Bounds(ctx); err == nil {
		out.Oldest, out.Newest, out.Healthy = bounds.First, bounds.Last, log.Health() == nil
	}
	return out
}

// logTimeout bounds how long a report waits for the log.
const logTimeout = 2 * time.Second

// MemoryInUse returns the number of bytes of heap objects and stacks.
func MemoryInUse() float64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}
