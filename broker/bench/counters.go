package bench

import "sync/atomic"

// counters has what the readers count while a measurement goes on. All of it may be read
// at any time.
type counters struct {
	opened    atomic.Int64 // streams of all kinds that were opened
	bytes     atomic.Int64 // bytes that Config.Subscribers have received
	delivered atomic.Int64 // new events at the streams that are decoded
	closed    [streamKinds]atomic.Int64

	// live is the number of decoded streams that are open, and liveDelivered what they
	// have received. Publishers that wait for the subscribers do not wait for closed ones.
	live, liveDelivered atomic.Int64
	gzip                atomic.Bool // the streams are compressed

	// draining makes the reader read the slow and stalled streams to their end, and drained
	// is what it has read of them, in bytes. Until then their ends are hidden behind data.
	draining atomic.Bool
	drained  atomic.Int64
}

// streamKind says how a subscriber reads.
type streamKind uint8

const (
	subscriberStream streamKind = iota // one of Config.Subscribers
	slowStream
	stalledStream
	streamKinds // the number of kinds
)

// countOpened counts a decoded stream that was opened.
func (c *counters) countOpened() {
	c.opened.Add(1)
	c.live.Add(1)
}

// countClosed counts a stream that the server has closed. r is nil if the stream was not
// decoded.
func (c *counters) countClosed(kind streamKind, r *receipts) {
	c.closed[kind].Add(1)
	if r != nil {
		c.live.Add(-1)
		c.liveDelivered.Add(-r.count)
	}
}

// countDelivered counts new events of one stream.
func (c *counters) countDelivered(n int64) {
	c.delivered.Add(n)
	c.liveDelivered.Add(n)
}
