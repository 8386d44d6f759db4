package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Report is the result of a measurement. The names of its fields in JSON have their units.
type Report struct {
	Subscribers int  `json:"subscribers"`
	Decoded     int  `json:"decoded"` // of the subscribers; events are counted at these
	Slow        int  `json:"slow,omitempty"`
	Stalled     int  `json:"stalled,omitempty"`
	Gzip        bool `json:"gzip"` // the server compressed the streams

	// Closed, SlowClosed and StalledClosed are the numbers of streams of each kind that
	// the server has closed.
	Closed        int64 `json:"closed"`
	SlowClosed    int64 `json:"slow_closed,omitempty"`
	StalledClosed int64 `json:"stalled_closed,omitempty"`

	OpenSeconds float64 `json:"open_s"` // until all streams were answered

	Published *Published `json:"published,omitempty"`
	Delivered *Delivered `json:"delivered,omitempty"`
	Server    *ServerUse `json:"server,omitempty"` // nil without Config.PID

	// OwnCPUSeconds is the CPU time of the load generator itself while it published.
	OwnCPUSeconds float64 `json:"own_cpu_s,omitempty"`
}

// Published is what the publishers have seen.
type Published struct {
	Events     int64   `json:"events"` // that the server has acknowledged
	Failed     int64   `json:"failed_requests"`
	FirstError string  `json:"first_error,omitempty"`
	PerSecond  float64 `json:"events_per_s"`
	Delay      Delay   `json:"delay"` // from a request to its answer
}

// Delivered is what the subscribers have received.
type Delivered struct {
	// Events is the number of deliveries. If not all subscribers are decoded, it follows
	// from the number at those that are.
	Events     int64   `json:"events"`
	Lost       int64   `json:"lost"`
	Duplicates int64   `json:"duplicates"`
	OutOfOrder int64   `json:"out_of_order"`
	PerSecond  float64 `json:"events_per_s"`
	BytesEach  float64 `json:"wire_bytes_per_event"`
	Delay      Delay   `json:"delay"` // from the request to the subscriber
}

// Delay has quantiles in milliseconds.
type Delay struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// ServerUse is what the server's process has used.
type ServerUse struct {
	OpenCPUMillis     float64 `json:"open_cpu_ms_per_stream"`
	IdleBytes         float64 `json:"idle_rss_bytes_per_stream"`
	IdleRSS           int64   `json:"idle_rss_bytes"`
	PeakRSS           int64   `json:"peak_rss_bytes,omitempty"` // while it published
	CPUSeconds        float64 `json:"cpu_s,omitempty"`          // from the first event to the last delivery
	PerMillion        float64 `json:"cpu_s_per_million_deliveries,omitempty"`
	PerHundredKEvents float64 `json:"cpu_s_per_100k_events,omitempty"`
}

// newDelay returns the quantiles of a histogram.
func newDelay(h *histogram) Delay {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return Delay{P50: ms(h.quantile(0.5)), P99: ms(h.quantile(0.99)), Max: ms(time.Duration(h.max))}
}

// newPublished returns what the publishers have seen. They must have ended.
func newPublished(p *publishing) *Published {
	n := int64(p.acknowledged.countMissing(newBitset(p.config.Events)))
	out := &Published{Events: n, Failed: p.failures.Load(), PerSecond: perSecond(n, p.end.Sub(p.start)),
		Delay: newDelay(&p.delays)}
	if p.firstError != nil {
		out.FirstError = p.firstError.Error()
	}
	return out
}

// newDelivered returns what the subscribers have received.
func newDelivered(all *arrivals, lost, bytes int64, took time.Duration, subscribers, decoded int) *Delivered {
	n := all.delivered * int64(subscribers) / int64(max(decoded, 1))
	return &Delivered{Events: n, Lost: lost, Duplicates: all.duplicates, OutOfOrder: all.outOfOrder,
		PerSecond: perSecond(n, took), BytesEach: ratio(float64(bytes), n), Delay: newDelay(&all.delays)}
}

// perSecond returns n for each second of d, or 0 for no time.
func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// ratio returns x/n, or 0 for n = 0.
func ratio(x float64, n int64) float64 {
	if n == 0 {
		return 0
	}
	return x / float64(n)
}

// WriteText writes the report as a table for people.
func (r *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 2, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("streams", "%d open after %.2f s, %d closed by the server", r.Subscribers, r.OpenSeconds, r.Closed)
	if r.Slow > 0 {
		row("slow streams", "%d, of which the server closed %d", r.Slow, r.SlowClosed)
	}
	if r.Stalled > 0 {
		row("stalled streams", "%d, of which the server closed %d", r.Stalled, r.StalledClosed)
	}
	if s := r.Server; s != nil {
		row("opening a stream", "%.3f ms of CPU", s.OpenCPUMillis)
		row("an idle stream", "%.0f bytes of memory; %.0f MB in all", s.IdleBytes, float64(s.IdleRSS)/1e6)
	}
	if p := r.Published; p != nil {
		row("published", "%d events, %.0f a second; %d requests failed", p.Events, p.PerSecond, p.Failed)
		row("publish delay", "%s", p.Delay)
		r.writeDelivered(row)
	}
	if s := r.Server; s != nil && r.Published != nil {
		row("CPU of the server", "%.2f s: %.2f s for a million deliveries, %.2f s for 100,000 events",
			s.CPUSeconds, s.PerMillion, s.PerHundredKEvents)
		row("memory of the server", "%.0f MB at most", float64(s.PeakRSS)/1e6)
		row("CPU of this program", "%.2f s", r.OwnCPUSeconds)
	}
	return w.Flush()
}

// writeDelivered writes the rows about deliveries.
func (r *Report) writeDelivered(row func(name, format string, args ...any)) {
	d := r.Delivered
	row("delivered", "%d events, %.0f a second", d.Events, d.PerSecond)
	row("lost", "%d; %d twice, %d out of order", d.Lost, d.Duplicates, d.OutOfOrder)
	row("delivery delay", "%s", d.Delay)
	kind := "plain"
	if r.Gzip {
		kind = "gzip"
	}
	row("on the wire", "%.0f bytes for an event and subscriber, %s", d.BytesEach, kind)
	if r.Decoded < r.Subscribers {
		row("decoded", "%d of %d streams; of the others only the bytes are counted", r.Decoded, r.Subscribers)
	}
}

// String returns the quantiles for people.
func (d Delay) String() string {
	return fmt.Sprintf("%.2f ms at the median, %.2f ms at p99, %.2f ms at most", d.P50, d.P99, d.Max)
}
