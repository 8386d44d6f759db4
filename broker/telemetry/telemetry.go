// Package telemetry is what operators see: metrics for Prometheus.
package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/telemetry/report"
	"github.com/snd-rental/yardline/shared/event"
)

// Metrics measures one broker. It is safe for concurrent use. No label holds
// what a publisher or reader has chosen: their number is bounded.
type Metrics struct {
	*report.Recorder
	registry *prometheus.Registry

	published *prometheus.CounterVec
	latency   prometheus.Histogram
	replays   prometheus.Histogram
	gaps      prometheus.Counter
	slow      *prometheus.CounterVec
	pushes    *prometheus.CounterVec
	purged    prometheus.Counter
}

var (
	_ hub.Observer  = (*Metrics)(nil)
	_ push.Observer = (*Metrics)(nil)
)

// New makes the metrics of a broker; Watch adds what is asked of its parts.
func New() *Metrics {
	m := &Metrics{
		Recorder: report.New(), registry: prometheus.NewRegistry(),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "yardline_published_total",
			Help: "Events that publishers sent, by type (unknown: none of the vocabulary) and result."}, []string{"type", "result"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "yardline_delivery_seconds",
			Help:    "Time from when the log had an event to when a live stream's socket had taken it, once a write.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		replays: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "yardline_replay_events",
			Help: "Events that a stream caught up with before it was live.", Buckets: []float64{0, 1, 10, 100, 1000, 10_000, 100_000}}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{Name: "yardline_gaps_total",
			Help: "Readers that were told that events can no longer be had."}),
		slow: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "yardline_slow_closed_total",
			Help: "Streams closed because their reader was too slow, by cause."}, []string{"cause"}),
		purged: prometheus.NewCounter(prometheus.CounterOpts{Name: "yardline_purged_events_total",
			Help: "Events that were forgotten because they are older than the retention."}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "yardline_pushes_total",
			Help: "Web pushes, by what became of them, and why those failed that did."}, []string{"result", "reason"}),
	}
	m.registry.MustRegister(m.published, m.latency, m.replays, m.gaps, m.slow, m.pushes, m.purged,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, cause := range []string{hub.CauseLag, hub.CauseStalledWrite} {
		m.slow.WithLabelValues(cause)
	}
	for _, reason := range push.Reasons {
		m.pushes.WithLabelValues(push.ResultFailed, reason)
	}
	for _, result := range push.Results {
		if result != push.ResultFailed {
			m.pushes.WithLabelValues(result, "")
		}
	}
	return m
}

// Published implements hub.Observer.
func (m *Metrics) Published(t event.Type, result string) {
	if !t.Known() {
		t = "unknown"
	}
	m.published.WithLabelValues(string(t), result).Inc()
	m.Recorder.Published(t, result)
}

// Delivered implements hub.Observer.
func (m *Metrics) Delivered(after time.Duration) {
	m.latency.Observe(max(after, 0).Seconds())
	m.Recorder.Delivered(after)
}

// Replayed implements hub.Observer.
func (m *Metrics) Replayed(events int) { m.replays.Observe(float64(events)) }

// Gap implements hub.Observer.
func (m *Metrics) Gap() {
	m.gaps.Inc()
	m.Recorder.Gap()
}

// Slow implements hub.Observer.
func (m *Metrics) Slow(cause string) {
	m.slow.WithLabelValues(cause).Inc()
	m.Recorder.Slow(cause)
}

// Purged implements hub.Observer.
func (m *Metrics) Purged(events uint64) { m.purged.Add(float64(events)) }

// Pushed implements push.Observer.
func (m *Metrics) Pushed(result, reason string) {
	m.pushes.WithLabelValues(result, reason).Inc()
	m.Recorder.Pushed(result)
}

// Handler serves the metrics in Prometheus's formats.
func (m *Metrics) Handler(logger *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError)})
}

// Watch adds what the hub and the log say when they are asked.
func (m *Metrics) Watch(h *hub.Hub, log eventlog.Log) {
	m.registry.MustRegister(&watcher{h, log, m.Idle()})
}

// WatchIssuer adds a metric that tells whether the last fetch of the identity
// provider's keys was good. Every scrape calls trouble.
func (m *Metrics) WatchIssuer(trouble func() error) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "yardline_issuer_keys_good",
		Help: "1 while the last fetch of the identity provider's keys was good, else 0: older keys stay in use."},
		func() float64 {
			if trouble() != nil {
				return 0
			}
			return 1
		}))
}

// watcher asks at every scrape.
type watcher struct {
	hub  *hub.Hub
	log  eventlog.Log
	idle float64 // bytes in use before the first connection
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("yardline_"+name, help, labels, nil)
}

var (
	connections = describe("connections", "Open streams and waiting long polls, by transport and role.", "transport", "role")
	views       = describe("views", "Sets of roles and filter that live streams share.")
	taken       = describe("events_total", "Events taken from the log since the start.")
	deliveries  = describe("deliveries_total", "Events written to readers since the start.")
	lagSum      = describe("lag_bytes", "Bytes that wait for slow readers, in all.")
	lagMax      = describe("lag_bytes_max", "Bytes that wait for the slowest reader.")
	healthy     = describe("log_healthy", "1 while the log takes events.")
	oldest      = describe("log_oldest_sequence", "Sequence of the oldest event that is kept.")
	newest      = describe("log_newest_sequence", "Sequence of the newest event.")
	perReader   = describe("connection_memory_bytes", "Heap and stacks in use beyond those at the start, for each connection.")
)

// Describe implements prometheus.Collector.
func (w *watcher) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(w, ch) }

// Collect implements prometheus.Collector.
func (w *watcher) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := w.hub.Stats()
	open := map[[2]string]int{{hub.TransportSSE, "none"}: 0, {hub.TransportWebSocket, "none"}: 0, {hub.TransportPoll, "none"}: 0}
	var sum, most int64
	for _, c := range s.Open {
		open[[2]string{c.Transport, c.Roles}]++
		sum += c.Lag
		most = max(most, c.Lag)
	}
	for roles, n := range s.Polls {
		open[[2]string{hub.TransportPoll, roles}] += n
	}
	for labels, n := range open {
		gauge(connections, float64(n), labels[0], labels[1])
	}
	gauge(views, float64(s.Views))
	ch <- prometheus.MustNewConstMetric(taken, prometheus.CounterValue, float64(s.Events))
	ch <- prometheus.MustNewConstMetric(deliveries, prometheus.CounterValue, float64(s.Deliveries))
	gauge(lagSum, float64(sum))
	gauge(lagMax, float64(most))
	each := 0.0
	if s.Connections > 0 {
		each = max(report.MemoryInUse()-w.idle, 0) / float64(s.Connections)
	}
	gauge(perReader, each)
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	bounds, err := w.log.Bounds(ctx)
	if err == nil {
		gauge(oldest, float64(bounds.First))
		gauge(newest, float64(bounds.Last))
		err = w.log.Health()
	}
	up := 1.0
	if err != nil {
		up = 0
	}
	gauge(healthy, up)
}

// askTimeout bounds how long a scrape waits for the log.
const askTimeout = 2 * time.Second
