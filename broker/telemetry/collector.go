package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/telemetry/report"
)

// A collector reads metrics from the hub and the log at each scrape.
type collector struct {
	hub        *hub.Hub
	log        eventlog.Log
	idleMemory float64 // bytes in use before the first connection
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namePrefix+name, help, labels, nil)
}

var (
	connections = describe("connections",
		"Open streams and waiting long polls, by transport and role.", "transport", "role")
	views      = describe("views", "Sets of roles and filter that live streams share.")
	received   = describe("events_total", "Events taken from the log since the start.")
	deliveries = describe("deliveries_total", "Events written to readers since the start.")
	lagSum     = describe("lag_bytes", "Bytes that wait for slow readers, in all.")
	lagMax     = describe("lag_bytes_max", "Bytes that wait for the slowest reader.")
	logHealthy = describe("log_healthy", "1 while the log takes events.")
	logOldest  = describe("log_oldest_sequence", "Sequence of the oldest event that is kept.")
	logNewest  = describe("log_newest_sequence", "Sequence of the newest event.")

	memoryPerConnection = describe("connection_memory_bytes",
		"Heap and stacks in use beyond those at the start, for each connection.")
)

// logTimeout bounds how long a scrape waits for the log.
const logTimeout = 2 * time.Second

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.collectHub(ch)
	c.collectLog(ch)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// collectHub sends the metrics of the hub.
func (c *collector) collectHub(ch chan<- prometheus.Metric) {
	stats := c.hub.Stats()
	type labels struct{ transport, roles string }
	open := map[labels]int{
		{hub.TransportSSE, "none"}:       0,
		{hub.TransportWebSocket, "none"}: 0,
		{hub.TransportPoll, "none"}:      0,
	}
	var sum, largest int64
	for _, connection := range stats.Open {
		open[labels{connection.Transport, connection.Roles}]++
		sum += connection.Lag
		largest = max(largest, connection.Lag)
	}
	for roles, n := range stats.Polls {
		open[labels{hub.TransportPoll, roles}] += n
	}
	for l, n := range open {
		gauge(ch, connections, float64(n), l.transport, l.roles)
	}
	gauge(ch, views, float64(stats.Views))
	ch <- prometheus.MustNewConstMetric(received, prometheus.CounterValue, float64(stats.Events))
	ch <- prometheus.MustNewConstMetric(deliveries, prometheus.CounterValue, float64(stats.Deliveries))
	gauge(ch, lagSum, float64(sum))
	gauge(ch, lagMax, float64(largest))
	memory := 0.0
	if stats.Connections > 0 {
		memory = max(report.MemoryInUse()-c.idleMemory, 0) / float64(stats.Connections)
	}
	gauge(ch, memoryPerConnection, memory)
}

// collectLog sends the metrics of the log. It leaves out the sequences when the log does
// not answer within logTimeout.
func (c *collector) collectLog(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), logTimeout)
	defer cancel()
	bounds, err := c.log.Bounds(ctx)
	if err == nil {
		gauge(ch, logOldest, float64(bounds.First))
		gauge(ch, logNewest, float64(bounds.Last))
		err = c.log.Health()
	}
	healthy := 1.0
	if err != nil {
		healthy = 0
	}
	gauge(ch, logHealthy, healthy)
}
