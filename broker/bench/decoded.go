package bench

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// decodedStream is a compressed subscriber whose events are decoded by a goroutine.
type decodedStream struct {
	marker   *marker
	counters *counters
	receipts *receipts
	arrivals arrivals // the goroutine's, until it has ended
}

// decodedReader owns the goroutines of the compressed subscribers that are decoded.
type decodedReader struct {
	streams []*decodedStream
	running sync.WaitGroup
}

// start opens n streams. fail is called with the error of a stream that cannot be opened
// or decoded. The goroutines end with ctx.
func (d *decodedReader) start(ctx context.Context, r *run, n int, fail func(error)) error {
	u, err := url.Parse(r.config.Subscribe)
	if err != nil {
		return &ConfigError{err.Error()}
	}
	for i := range n {
		s := &decodedStream{marker: r.marker, counters: &r.counters, receipts: newReceipts(r.schedule)}
		d.streams = append(d.streams, s)
		d.running.Go(func() {
			if err := s.read(ctx, hostAndPort(u), r.sourceOf(i), r.requests[i%len(r.requests)]); err != nil {
				fail(err) // changes nothing if ctx has ended
			}
		})
	}
	return nil
}

// read opens the stream and reads it until the server closes it or ctx ends.
func (s *decodedStream) read(ctx context.Context, address string, source net.IP, request []byte) error {
	dialer := net.Dialer{}
	if source != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: source}
	}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(countingReader{c, s.counters}), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := checkStreamHead(answer); err != nil {
		return err
	}
	s.counters.countOpened()
	var body io.Reader = answer.Body
	if isGzip(answer) {
		s.counters.gzip.Store(true)
		if body, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	err = s.scan(body)
	if ctx.Err() != nil {
		return nil
	}
	s.counters.countClosed(subscriberStream, s.receipts)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // the report has the closed streams
	}
	return err
}

// scan looks for marks until the body ends.
func (s *decodedStream) scan(body io.Reader) error {
	buffer, kept := make([]byte, 64<<10), 0
	for {
		n, err := body.Read(buffer[kept:])
		now, fresh := time.Now().UnixNano(), int64(0)
		rest := s.marker.find(buffer[:kept+n], func(number int, sent int64) {
			if s.receipts.record(number, now-sent, &s.arrivals) {
				fresh++
			}
		})
		kept = copy(buffer, rest)
		s.counters.countDelivered(fresh)
		if err != nil {
			return err
		}
	}
}

// countingReader counts the bytes that a connection receives.
type countingReader struct {
	io.Reader
	counters *counters
}

// Read implements io.Reader.
func (r countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.counters.bytes.Add(int64(n))
	return n, err
}

// hostAndPort returns the address to dial for a URL.
func hostAndPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "80")
}
