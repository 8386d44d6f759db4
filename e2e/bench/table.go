package main

import (
	"fmt"
	"slices"
	"strings"
)

// row is a line of the table.
type row struct {
	name        string // what is measured, with its unit
	measurement string
	value       func(*report) float64
	decimals    int
	goal        goal
	hasRatio    bool // the cells have the ratio to the reference

	// rate is the number of events a second that a server should keep up with, or 0. A cell
	// says if it did not.
	rate float64
}

// goal is what Yardline should reach.
type goal struct {
	atMost, atLeast float64 // a value, or 0
	atMostRatio     float64 // a ratio to the reference, or 0
}

// rows are the lines of the table, but for the last one, which has the faults.
var rows = []row{
	{name: "memory of an idle stream, bytes", measurement: "idle", goal: goal{atMost: 2500},
		value: func(r *report) float64 { return r.Server.IdleBytes }},
	{name: "CPU to accept a stream, up to its first frame, ms", measurement: "idle", decimals: 3,
		goal:  goal{atMost: 0.15},
		value: func(r *report) float64 { return r.Server.OpenCPUMillis }},
	{name: "burst to 1,000 subscribers, CPU-s per million deliveries", measurement: "burst to 1,000", decimals: 2,
		goal: goal{atMostRatio: 0.35}, hasRatio: true, value: perMillion},
	{name: "burst to 5,000 subscribers, CPU-s per million deliveries", measurement: "burst to 5,000", decimals: 2,
		goal: goal{atMostRatio: 0.35}, hasRatio: true, value: perMillion},
	{name: "20 events/s to 5,000 subscribers, CPU-s per million deliveries", measurement: "20/s to 5,000",
		decimals: 2, goal: goal{atMostRatio: 1.15}, hasRatio: true, rate: 20, value: perMillion},
	{name: "the same, delay at p99, ms", measurement: "20/s to 5,000", decimals: 1,
		goal: goal{atMostRatio: 1.5}, hasRatio: true, value: func(r *report) float64 { return r.Delivered.Delay.P99 }},
	{name: "publishes a second, 64 connections", measurement: "publish", goal: goal{atLeast: 8000},
		value: func(r *report) float64 { return r.Published.PerSecond }},
	{name: "CPU-s per 100,000 publishes", measurement: "publish", decimals: 1, goal: goal{atMost: 12},
		value: func(r *report) float64 { return r.Server.PerHundredKEvents }},
	{name: "a batch of 1,000 events, ms", measurement: "batch", decimals: 1, goal: goal{atMost: 50},
		value: func(r *report) float64 { return r.Published.Delay.P50 }},
	{name: "bytes on the wire for an event, plain", measurement: "20/s to 5,000", value: bytesEach},
	{name: "bytes on the wire for an event, gzip", measurement: "gzip", goal: goal{atMost: 100}, value: bytesEach},
}

// rowsOf returns the rows that come from the given measurements.
func rowsOf(plan []measurement) (selected []row) {
	for _, r := range rows {
		if slices.ContainsFunc(plan, func(m measurement) bool { return m.name == r.measurement }) {
			selected = append(selected, r)
		}
	}
	return selected
}

func perMillion(r *report) float64 { return r.Server.PerMillion }

func bytesEach(r *report) float64 { return r.Delivered.BytesEach }

// columns are the servers in the order of the table.
var columns = []string{yardlineName, referenceName, "go-sse", "r3labs", "centrifuge"}

// renderTable returns the table in Markdown.
func renderTable(rows []row, all results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | goal | reached | %s |\n|---|---|---|%s\n", strings.Join(columns, " | "),
		strings.Repeat("---|", len(columns)))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |", r.name, r.goal, r.reached(all))
		for _, server := range columns {
			fmt.Fprintf(&b, " %s |", r.cell(all, server))
		}
		b.WriteByte('\n')
	}
	noFaults := "yes"
	if all.faults(yardlineName) > 0 {
		noFaults = "**no**"
	}
	fmt.Fprintf(&b, "| events lost, doubled or out of order; streams closed | 0 | %s |", noFaults)
	for _, server := range columns {
		fmt.Fprintf(&b, " %.0f |", all.faults(server))
	}
	return b.String() + "\n"
}

// cell returns the value of a server, with its ratio.
func (r row) cell(all results, server string) string {
	v, ok := all.value(r.measurement, server, r.value)
	if !ok {
		return "–"
	}
	text := grouped(v, r.decimals)
	if ratio, ok := all.ratio(r.measurement, server, r.value); ok && r.hasRatio && server != referenceName {
		text += fmt.Sprintf(" (%.2f ×)", ratio)
	}
	if r.rate > 0 {
		published, _ := all.value(r.measurement, server, func(r *report) float64 { return r.Published.PerSecond })
		if published < r.rate*keepsUp {
			text += fmt.Sprintf(", fell behind: %.0f/s", published)
		}
	}
	return text
}

// keepsUp is the part of a rate that a server must reach to keep up with it.
const keepsUp = 0.95

// reached returns whether Yardline reaches the goal.
func (r row) reached(all results) string {
	v, hasValue := all.value(r.measurement, yardlineName, r.value)
	ratio, hasRatio := all.ratio(r.measurement, yardlineName, r.value)
	var isReached bool
	switch g := r.goal; {
	case g == goal{}:
		return ""
	case !hasValue || g.atMostRatio > 0 && !hasRatio:
		return "not measured"
	case g.atMostRatio > 0:
		isReached = ratio <= g.atMostRatio
	case g.atMost > 0:
		isReached = v <= g.atMost
	default:
		isReached = v >= g.atLeast
	}
	if isReached {
		return "yes"
	}
	return "**no**"
}

// String returns the goal as the table has it.
func (g goal) String() string {
	switch {
	case g.atMostRatio > 0:
		return fmt.Sprintf("≤ %g × C", g.atMostRatio)
	case g.atMost > 0:
		return "≤ " + grouped(g.atMost, decimalsOf(g.atMost))
	case g.atLeast > 0:
		return "≥ " + grouped(g.atLeast, 0)
	}
	return ""
}

// decimalsOf returns the number of decimals of a goal.
func decimalsOf(v float64) int {
	if v < 1 {
		return 2
	}
	return 0
}

// grouped formats a number with commas between thousands.
func grouped(v float64, decimals int) string {
	text := fmt.Sprintf("%.*f", decimals, v)
	whole, fraction, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}
