package main

import (
	"fmt"
	"strings"
	"syscall"
)

// measurement is a run of yardline bench against each server.
type measurement struct {
	name         string
	subscribers  int
	events       int
	minEvents    int      // which a smaller scale keeps
	other        []string // more flags of yardline bench
	yardlineOnly bool     // the others have no such thing
}

// measurements are all runs of a round.
var measurements = []measurement{
	{name: "idle", subscribers: 9900, other: []string{"--settle", "6s"}},
	{name: "burst to 1,000", subscribers: 1000, events: 400, minEvents: 100, other: []string{"--window", "16"}},
	{name: "burst to 5,000", subscribers: 5000, events: 100, minEvents: 50, other: []string{"--window", "16"}},
	{name: "20/s to 5,000", subscribers: 5000, events: 160, minEvents: 60,
		other: []string{"--rate", "20", "--publishers", "4"}},
	{name: "publish", subscribers: 1, events: 8000, minEvents: 2000,
		other: []string{"--publishers", "64", "--window", "-1"}},
	{name: "batch", subscribers: 1, events: 10_000, minEvents: 3000, yardlineOnly: true,
		other: []string{"--batch", "1000", "--publishers", "1"}},
	{name: "gzip", subscribers: 500, events: 120, minEvents: 60, yardlineOnly: true,
		other: []string{"--rate", "20", "--publishers", "4", "--gzip"}},
}

// flags returns the flags of yardline bench.
func (m measurement) flags() []string {
	return append([]string{"--settle", "500ms", "--subscribers", fmt.Sprint(m.subscribers),
		"--events", fmt.Sprint(m.events)}, m.other...)
}

// selectMeasurements returns the measurements whose names begin with a text.
func selectMeasurements(prefix string) (selected []measurement) {
	for _, m := range measurements {
		if strings.HasPrefix(m.name, prefix) {
			selected = append(selected, m)
		}
	}
	return selected
}

// scaleMeasurements returns measurements with fewer subscribers and events.
func scaleMeasurements(all []measurement, scale float64) (scaled []measurement) {
	const batch = 1000 // events stay a multiple of it where they are published in batches
	for _, m := range all {
		m.subscribers = max(1, int(float64(m.subscribers)*scale))
		if events := int(float64(m.events) * scale); events < m.events {
			m.events = max(events, m.minEvents)
			if m.events > batch {
				m.events -= m.events % batch
			}
		}
		scaled = append(scaled, m)
	}
	return scaled
}

// descriptorsBesideStreams is the number of descriptors that a server needs for other things.
const descriptorsBesideStreams = 200

// limitStreams raises the limit on open descriptors, for the programs that it starts too.
// It lowers the number of streams to what the limit allows, and then returns a note.
func limitStreams(plan []measurement) (limited []measurement, notes []string) {
	wanted := 0
	for _, m := range plan {
		wanted = max(wanted, m.subscribers+descriptorsBesideStreams)
	}
	allowed := raiseDescriptorLimit(uint64(wanted))
	for _, m := range plan {
		if most := int(allowed) - descriptorsBesideStreams; m.subscribers > most {
			notes = append(notes, fmt.Sprintf("%s has %d streams instead of %d, because a process may open "+
				"%d files here; see ulimit -Hn.", m.name, most, m.subscribers, allowed))
			m.subscribers = most
		}
		limited = append(limited, m)
	}
	return limited, notes
}

// raiseDescriptorLimit raises the limit to the wanted number, or as far as it may. It
// returns the limit.
func raiseDescriptorLimit(wanted uint64) uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return wanted
	}
	raised := syscall.Rlimit{Cur: max(limit.Max, wanted), Max: max(limit.Max, wanted)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		return raised.Cur
	}
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // any process may do that
	return limit.Max
}
