package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// reportOf returns a report with the given CPU time for a million deliveries, delay in
// milliseconds and losses.
func reportOf(t *testing.T, perMillion, p99 float64, lost int64) *report {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"published": map[string]any{"events": 1, "events_per_s": 9000.0},
		"delivered": map[string]any{
			"lost": lost, "wire_bytes_per_event": 220.4, "delay": map[string]any{"p99_ms": p99},
		},
		"server": map[string]any{"cpu_s_per_million_deliveries": perMillion, "idle_rss_bytes_per_stream": 46400.0},
	})
	require.NoError(t, err)
	r := new(report)
	require.NoError(t, json.Unmarshal(text, r))
	return r
}

// Times differ between rounds more than ratios do, so ratios are of the same round.
func TestRatiosAreThoseOfTheSameRound(t *testing.T) {
	all := results{}
	for _, round := range [][2]float64{{10, 3}, {20, 8}, {100, 32}} {
		all.add("burst to 1,000", referenceName, reportOf(t, round[0], 1, 0))
		all.add("burst to 1,000", yardlineName, reportOf(t, round[1], 1, 0))
	}
	v, ok := all.value("burst to 1,000", yardlineName, perMillion)
	require.True(t, ok)
	require.InDelta(t, 8, v, 1e-9)
	v, ok = all.ratio("burst to 1,000", yardlineName, perMillion)
	require.True(t, ok)
	require.InDelta(t, 0.32, v, 1e-9)
	_, ok = all.ratio("burst to 1,000", "go-sse", perMillion)
	require.False(t, ok)
}

func TestMedianOfAnEvenNumberIsBetween(t *testing.T) {
	require.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 1e-9)
	require.InDelta(t, 7, median([]float64{7}), 1e-9)
}

func TestTableHasValuesRatiosAndGoals(t *testing.T) {
	all := results{}
	for _, m := range measurements {
		all.add(m.name, referenceName, reportOf(t, 10, 4, 0))
		all.add(m.name, yardlineName, reportOf(t, 3.456, 8, 0))
	}
	all.add("gzip", yardlineName, reportOf(t, 1, 1, 2))
	table := renderTable(rows, all)
	for _, line := range []string{
		"| memory of an idle stream, bytes | ≤ 2,500 | **no** | 46,400 | 46,400 | – | – | – |",
		"| burst to 1,000 subscribers, CPU-s per million deliveries | ≤ 0.35 × C | yes | 3.46 (0.35 ×) | 10.00 |",
		"| the same, delay at p99, ms | ≤ 1.5 × C | **no** | 8.0 (2.00 ×) | 4.0 |",
		"| publishes a second, 64 connections | ≥ 8,000 | yes | 9,000 |",
		"| bytes on the wire for an event, plain |  |  | 220 |",
		"| CPU to accept a stream, up to its first frame, ms | ≤ 0.15 | yes |",
		"| events lost, doubled or out of order; streams closed | 0 | **no** | 2 | 0 |",
	} {
		require.Contains(t, table, line)
	}
	require.Contains(t, renderTable(rows, results{}), "not measured")
	require.NotContains(t, table, "fell behind")
	slow := reportOf(t, 10, 4, 0)
	slow.Published.PerSecond = 8
	all.add("20/s to 5,000", "r3labs", slow)
	require.Contains(t, renderTable(rows, all), "10.00 (1.00 ×), fell behind: 8/s |")
}

func TestEachRowHasItsMeasurement(t *testing.T) {
	names := map[string]bool{}
	for _, m := range measurements {
		names[m.name] = true
	}
	for _, r := range rows {
		require.True(t, names[r.measurement], r.measurement)
	}
}

func TestMeasurementsAreSelectedByTheirNames(t *testing.T) {
	require.Len(t, selectMeasurements("burst"), 2)
	require.Len(t, selectMeasurements(""), len(measurements))
	require.Empty(t, selectMeasurements("x"))
	require.Len(t, rowsOf(selectMeasurements("burst")), 2)
	require.Len(t, rowsOf(measurements), len(rows))
}

func TestSmallerScaleKeepsBatchesWhole(t *testing.T) {
	for _, scale := range []float64{0.01, 0.1, 0.333, 1} {
		for i, m := range scaleMeasurements(measurements, scale) {
			require.Positive(t, m.subscribers)
			require.LessOrEqual(t, m.events, measurements[i].events)
			require.Equal(t, measurements[i].events == 0, m.events == 0)
			if m.name == "batch" {
				require.Zero(t, m.events%1000)
			}
		}
	}
}

func TestOnlyTheMarkedPartOfADocumentIsReplaced(t *testing.T) {
	document := "a\n" + sectionBegin + "\nold\n" + sectionEnd + "\nb\n"
	replaced, err := replaceSection(document, "new\n")
	require.NoError(t, err)
	require.Equal(t, "a\n"+sectionBegin+"\n\nnew\n\n"+sectionEnd+"\nb\n", replaced)
	again, err := replaceSection(replaced, "new")
	require.NoError(t, err)
	require.Equal(t, replaced, again)
	_, err = replaceSection("no marks", "new")
	require.Error(t, err)
}

func TestNumbersHaveCommas(t *testing.T) {
	for text, v := range map[string]float64{"0": 0.4, "999": 999, "1,000": 1000, "-1,234,568": -1234567.6} {
		require.Equal(t, text, grouped(v, 0))
	}
	require.Equal(t, "1,234.50", grouped(1234.5, 2))
}
