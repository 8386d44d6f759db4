package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// publishing is one course of publishing all events.
type publishing struct {
	config   Config
	schedule schedule
	marker   *marker
	template template
	counters *counters
	head     []byte // of a request, up to the length of its body
	address  string // host and port
	start    time.Time

	sent     atomic.Int64 // events whose request was sent, without those that failed
	failures atomic.Int64 // requests that failed

	// mu guards all fields below, to which each connection adds its counts at its end.
	mu           sync.Mutex
	acknowledged bitset
	delays       histogram // from a request to its answer
	firstError   error
	end          time.Time // when the last answer arrived
}

// newPublishing prepares the requests.
func newPublishing(r *run) (*publishing, error) {
	c := r.config
	p := &publishing{config: c, schedule: r.schedule, marker: r.marker, counters: &r.counters,
		acknowledged: newBitset(c.Events)}
	u, err := url.Parse(c.Publish)
	if err != nil {
		return nil, &ConfigError{err.Error()}
	}
	p.address = hostAndPort(u)
	if p.template, err = parseTemplate(c.Body, c.Batch > 1); err != nil {
		return nil, err
	}
	headers := append([]string{"Content-Type: " + c.ContentType}, c.Headers...)
	p.head, err = requestHead(http.MethodPost, c.Publish, c.PublishToken, append(headers, c.PublishHeaders...)...)
	p.head = append(p.head, "Content-Length: "...)
	return p, err
}

// warmUp publishes a few events that no count has.
func (p *publishing) warmUp(ctx context.Context, events int) error {
	c := publishConn{publishing: p}
	defer c.close()
	for range events {
		if err := c.post(ctx, p.config.Events, p.config.Batch); err != nil {
			return err
		}
	}
	return nil
}

// run publishes all events, and returns when the last answer has arrived.
func (p *publishing) run(ctx context.Context) {
	p.start = time.Now()
	var running sync.WaitGroup
	for k := range p.schedule.publishers {
		running.Go(func() { p.runConn(ctx, k) })
	}
	running.Wait()
}

// runConn publishes the events of one connection.
func (p *publishing) runConn(ctx context.Context, publisher int) {
	c := publishConn{publishing: p}
	defer c.close()
	acknowledged, delays, batch := newBitset(p.config.Events), histogram{}, p.schedule.batch
	var firstError error
	var end time.Time
	for first := publisher * batch; first < p.config.Events; first += batch * p.schedule.publishers {
		if !p.waitForTurn(ctx, first) {
			break
		}
		start := time.Now()
		if err := c.post(ctx, first, batch); err != nil {
			p.sent.Add(-int64(batch))
			firstError = cmp.Or(firstError, err)
			if p.failures.Add(1) >= maxPublishErrors {
				break
			}
			continue
		}
		end = time.Now()
		delays.record(int64(end.Sub(start)))
		for i := range batch {
			acknowledged.add(first + i)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, word := range acknowledged {
		p.acknowledged[i] |= word
	}
	p.delays.add(&delays)
	p.firstError = cmp.Or(p.firstError, firstError)
	if end.After(p.end) {
		p.end = end
	}
}

// waitForTurn waits until the request that begins with an event is due and until the
// window has place for it. It returns false if the connection must stop.
func (p *publishing) waitForTurn(ctx context.Context, first int) bool {
	if p.config.Rate > 0 {
		due := p.start.Add(time.Duration(float64(first) / p.config.Rate * float64(time.Second)))
		sleep(ctx, time.Until(due))
	}
	batch := int64(p.schedule.batch)
	for ctx.Err() == nil && p.failures.Load() < maxPublishErrors {
		sent, live := p.sent.Load(), p.counters.live.Load()
		onTheWay := (sent+batch)*live - p.counters.liveDelivered.Load()
		if p.config.Window > 0 && onTheWay > int64(p.config.Window)*live {
			sleep(ctx, windowPause)
		} else if p.sent.CompareAndSwap(sent, sent+batch) {
			return true
		}
	}
	return false
}

// windowPause is the time after which a publisher looks again whether the window has place.
const windowPause = 100 * time.Microsecond

// sleep waits for a duration, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// publishConn is a connection that publishes. It is opened by the first request, and
// again after an error.
type publishConn struct {
	*publishing
	conn          net.Conn
	reader        *bufio.Reader
	request, body []byte
}

// post sends a request with the given events and reads the answer.
func (c *publishConn) post(ctx context.Context, first, count int) error {
	err := c.exchange(ctx, first, count)
	var refused *RefusedError
	if err != nil && !errors.As(err, &refused) {
		c.close()
	}
	return err
}

// exchange is post without the care for a broken connection.
func (c *publishConn) exchange(ctx context.Context, first, count int) (err error) {
	if c.conn == nil {
		dialer := net.Dialer{Timeout: c.config.Patience}
		if c.conn, err = dialer.DialContext(ctx, "tcp", c.address); err != nil {
			return err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	defer context.AfterFunc(ctx, c.interrupt(c.conn))()
	c.body = c.template.append(c.body[:0], c.marker, first, count, time.Now())
	c.request = strconv.AppendInt(append(c.request[:0], c.head...), int64(len(c.body)), 10)
	c.request = append(append(c.request, "\r\n\r\n"...), c.body...)
	if err := c.conn.SetDeadline(time.Now().Add(publishTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return &RefusedError{Request: "an event", Status: answer.StatusCode, Body: readStart(answer.Body)}
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.Close {
		c.close()
	}
	return nil
}

// publishTimeout is how long a publisher waits for an answer.
const publishTimeout = time.Minute

// interrupt returns a function that ends the reads and writes of a connection.
func (c *publishConn) interrupt(conn net.Conn) func() {
	return func() { _ = conn.SetDeadline(time.Unix(1, 0)) } // fails only when it is closed
}

// close closes the connection if it is open.
func (c *publishConn) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
