// Package telemetry provides a broker's metrics for Prometheus. Its sub-package report
// gathers the figures that an admin sees in the app.
package telemetry

import (
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

// Metrics measures one broker. It is safe for concurrent use. No label holds a text that
// a publisher or reader has chosen, so the number of time series is bounded.
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

// New returns the metrics of a broker. Watch and WatchIssuer add the metrics that are
// read from its parts at each scrape.
func New() *Metrics {
	m := &Metrics{
		Recorder: report.New(),
		registry: prometheus.NewRegistry(),
		published: counters("published_total",
			"Events that publishers sent, by type (unknown: none of the vocabulary) and result.",
			"type", "result"),
		latency: histogram("delivery_seconds",
			"Time from when the log had an event to when a live stream's socket had taken it, once a write.",
			.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		replays: histogram("replay_events",
			"Events that a stream caught up with before it was live.",
			0, 1, 10, 100, 1000, 10_000, 100_000),
		gaps: counter("gaps_total",
			"Readers that were told that events can no longer be had."),
		slow: counters("slow_closed_total",
			"Streams closed because their reader was too slow, by cause.",
			"cause"),
		purged: counter("purged_events_total",
			"Events that were forgotten because they are older than the retention."),
		pushes: counters("pushes_total",
			"Web pushes, by what became of them, and why those failed that did.",
			"result", "reason"),
	}
	m.registry.MustRegister(m.published, m.latency, m.replays, m.gaps, m.slow, m.pushes, m.purged,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.showZeros()
	return m
}

// showZeros makes the counters of slow streams and pushes appear with the value 0.
func (m *Metrics) showZeros() {
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
}

// namePrefix begins the names of all metrics of Yardline.
const namePrefix = "yardline_"

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: namePrefix + name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namePrefix + name, Help: help}, labels)
}

func histogram(name, help string, buckets ...float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: namePrefix + name, Help: help, Buckets: buckets})
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

// Handler returns the handler that serves the metrics in Prometheus's formats. logger
// receives the errors of scrapes.
func (m *Metrics) Handler(logger *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry: m.registry,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError),
	})
}

// Watch adds the metrics that are read from the hub and the log at each scrape. It may
// be called only once.
func (m *Metrics) Watch(h *hub.Hub, log eventlog.Log) {
	m.registry.MustRegister(&collector{h, log, m.IdleMemory()})
}

// WatchIssuer adds a metric that tells whether the last fetch of the identity provider's
// keys was good. keysError returns the error of that fetch, or nil. Each scrape calls it.
func (m *Metrics) WatchIssuer(keysError func() error) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{
			Name: namePrefix + "issuer_keys_good",
			Help: "1 while the last fetch of the identity provider's keys was good, else 0: older keys stay in use.",
		},
		func() float64 {
			if keysError() != nil {
				return 0
			}
			return 1
		},
	))
}
