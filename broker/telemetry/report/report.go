// Package report is what an admin is told of a broker. It stands apart from
// what measures it, which brings Prometheus along.
package report

import (
	"time"

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
