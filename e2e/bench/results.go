package main

import (
	"fmt"
	"math"
	"slices"
)

// report is the part of a report of yardline bench that the table needs.
type report struct {
	Closed    int64 `json:"closed"`
	Published *struct {
		Events    int64   `json:"events"`
		Failed    int64   `json:"failed_requests"`
		PerSecond float64 `json:"events_per_s"`
		Delay     delay   `json:"delay"`
	} `json:"published"`
	Delivered *struct {
		Lost       int64   `json:"lost"`
		Duplicates int64   `json:"duplicates"`
		OutOfOrder int64   `json:"out_of_order"`
		PerSecond  float64 `json:"events_per_s"`
		BytesEach  float64 `json:"wire_bytes_per_event"`
		Delay      delay   `json:"delay"`
	} `json:"delivered"`
	Server struct {
		OpenCPUMillis     float64 `json:"open_cpu_ms_per_stream"`
		IdleBytes         float64 `json:"idle_rss_bytes_per_stream"`
		CPUSeconds        float64 `json:"cpu_s"`
		PerMillion        float64 `json:"cpu_s_per_million_deliveries"`
		PerHundredKEvents float64 `json:"cpu_s_per_100k_events"`
	} `json:"server"`
}

// delay has quantiles in milliseconds.
type delay struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// faults returns the number of deliveries that went wrong, and of streams that the server
// has closed.
func (r *report) faults() float64 {
	faults := r.Closed
	if r.Delivered != nil {
		faults += r.Delivered.Lost + r.Delivered.Duplicates + r.Delivered.OutOfOrder + r.Published.Failed
	}
	return float64(faults)
}

// summary returns what a line of progress says about a run.
func (r *report) summary() string {
	if r.Delivered == nil {
		return fmt.Sprintf("%.0f bytes and %.3f ms of CPU a stream", r.Server.IdleBytes, r.Server.OpenCPUMillis)
	}
	return fmt.Sprintf("%.2f CPU-s/million, %.2f CPU-s/100,000, %.0f published/s, p99 %.1f ms, %.0f faults",
		r.Server.PerMillion, r.Server.PerHundredKEvents, r.Published.PerSecond, r.Delivered.Delay.P99, r.faults())
}

// results has the reports of each measurement and server, a report for each round.
type results map[string]map[string][]*report

// add adds the report of a round.
func (all results) add(measurement, server string, r *report) {
	if all[measurement] == nil {
		all[measurement] = map[string][]*report{}
	}
	all[measurement][server] = append(all[measurement][server], r)
}

// value returns the median of a value over the rounds. ok is false without any report.
func (all results) value(measurement, server string, of func(*report) float64) (v float64, ok bool) {
	var values []float64
	for _, r := range all[measurement][server] {
		values = append(values, of(r))
	}
	return median(values), len(values) > 0
}

// ratio returns the median of the ratios to the reference in each round.
func (all results) ratio(measurement, server string, of func(*report) float64) (v float64, ok bool) {
	reference := all[measurement][referenceName]
	var ratios []float64
	for round, r := range all[measurement][server] {
		if round < len(reference) && of(reference[round]) > 0 {
			ratios = append(ratios, of(r)/of(reference[round]))
		}
	}
	return median(ratios), len(ratios) > 0
}

// faults returns the sum of the faults of a server in all rounds and measurements.
func (all results) faults(server string) (sum float64) {
	for _, servers := range all {
		for _, r := range servers[server] {
			sum += r.faults()
		}
	}
	return sum
}

// median returns the median of values, or NaN without any.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}
