// Package stress measures a broker while many readers misbehave. Its tests measure, so make runs them alone.
package stress

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// connectionsPerToken is fewer than the broker allows for a token, a user and an address.
const connectionsPerToken = 50

// A crowd opens streams with as many users and addresses as the broker's limits ask for.
type crowd struct {
	t      *testing.T
	host   string
	tokens []string
}

// newCrowd returns a crowd for n streams at a time.
func newCrowd(t *testing.T, s *stack.Stack, n int) *crowd {
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	c := &crowd{t: t, host: u.Host}
	for i := range n/connectionsPerToken + 1 {
		c.tokens = append(c.tokens, s.TokenFor(fmt.Sprint("reader", i), 0, access.Manager))
	}
	return c
}

// dial sends the request for the i-th stream. The stream begins after a cursor; the zero cursor is the head. A
// receiveBuffer above 0 is the size of the kernel's buffer, in bytes. The caller must close the connection.
func (c *crowd) dial(i int, after wire.Cursor, receiveBuffer int) (net.Conn, error) {
	port := c.host[bytes.LastIndexByte([]byte(c.host), ':'):]
	source := net.IPv4(127, 0, 1, byte(1+i/1000)) // the broker allows some thousand connections from an address
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}).DialContext(c.t.Context(), "tcp4", "127.0.0.1"+port)
	if err != nil {
		return nil, err
	}
	if receiveBuffer > 0 {
		err = conn.(*net.TCPConn).SetReadBuffer(receiveBuffer)
	}
	if err == nil {
		_, err = fmt.Fprintf(conn, "GET /api/sse?after=%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
			after, c.host, c.tokens[i/connectionsPerToken])
	}
	if err != nil {
		conn.Close()
	}
	return conn, err
}

// A reader decodes one stream. It checks that no event is missing, doubled or out of order.
type reader struct {
	conn    net.Conn
	reached atomic.Uint64 // the sequence of the last event
	cursor  wire.Cursor   // of the last event; only the goroutine that reads may use it
	probes  *probes       // nil if the reader measures nothing
}

// errOrder means that a stream has a gap, or events that are missing, doubled or out of order.
var errOrder = errors.New("wrong order")

// read reads the stream until it ends or has reached the sequence last. isStarted, if not nil, is called after the
// hello. read returns nil when it has reached last.
func (r *reader) read(last uint64, isStarted func()) error {
	answer, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil {
		return err
	}
	// The body stays open, because Close would wait for the end of the stream. The caller closes the connection.
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the broker answered %s", answer.Status)
	}
	var decoder wire.Decoder
	var wrong error
	buffer := make([]byte, 16<<10)
	for {
		n, err := answer.Body.Read(buffer)
		now := time.Now()
		failed := decoder.Feed(buffer[:n], func(m wire.Message) {
			if m.Type == "hello" && isStarted != nil {
				isStarted()
			}
			if wrong == nil {
				wrong = r.handle(m, now)
			}
		})
		switch {
		case failed != nil:
			return failed
		case wrong != nil:
			return wrong
		case r.cursor.Seq >= last:
			return nil
		case err != nil:
			return err
		}
	}
}

// handle handles a message that was received at a time.
func (r *reader) handle(m wire.Message, now time.Time) error {
	if m.Empty || m.Type == "bye" {
		return nil
	}
	cursor, err := wire.ParseCursor(m.LastEventID)
	if err != nil {
		return err
	}
	if m.Type != "hello" && (m.Type == "gap" || cursor.Seq != r.cursor.Seq+1) {
		return fmt.Errorf("%w: %s %s after event %s", errOrder, m.Type, cursor, r.cursor)
	}
	r.cursor = cursor
	r.reached.Store(cursor.Seq)
	if r.probes != nil && m.Type == probeType {
		r.probes.receive(m.Data, now)
	}
	return nil
}

// probeType is the type of the events whose delay is measured.
const probeType = "rental_overdue"

// probes measures the time from before an event is published until readers have it. It is safe for concurrent use.
type probes struct {
	mu     sync.Mutex // guards all below
	sent   []time.Time
	delays []time.Duration
}

// next returns a new probe as JSON. Its time begins now.
func (p *probes) next() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, time.Now())
	return fmt.Sprintf(`{"type":%q,"data":{"rental_id":%d,"days_overdue":1}}`, probeType, len(p.sent))
}

// receive records that a reader has received a probe.
func (p *probes) receive(data []byte, now time.Time) {
	const field = `"rental_id":`
	_, digits, _ := bytes.Cut(data, []byte(field))
	end := bytes.IndexAny(digits, ",}")
	if end < 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, err := strconv.Atoi(string(digits[:end])); err == nil && 1 <= n && n <= len(p.sent) {
		p.delays = append(p.delays, now.Sub(p.sent[n-1]))
	}
}
