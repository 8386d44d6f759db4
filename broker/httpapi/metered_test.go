package httpapi

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// clientFrame returns a masked frame with a mask of zeros.
func clientFrame(first byte, size int) []byte {
	frame := []byte{first, 0x80}
	switch {
	case size < 126:
		frame[1] |= byte(size)
	case size < 1<<16:
		frame[1] |= 126
		frame = binary.BigEndian.AppendUint16(frame, uint16(size))
	default:
		frame[1] |= 127
		frame = binary.BigEndian.AppendUint64(frame, uint64(size))
	}
	return append(append(frame, 0, 0, 0, 0), make([]byte, size)...)
}

// The parser finds all frames, whatever the pieces in which their bytes arrive.
func TestFrameParserFindsFramesInAnyPieces(t *testing.T) {
	const text, ping, pong, continuation = 0x81, 0x89, 0x8a, 0x00
	var all []byte
	want := 0
	for i, size := range []int{0, 5, 125, 126, 1000, 65535, 65536, 70000, 0, 1} {
		first := []byte{text, ping, pong, continuation}[i%4]
		if first != text {
			want++
		}
		all = append(all, clientFrame(first, size)...)
	}
	for range 100 {
		var f frameParser
		got := 0
		for rest := all; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(5000))
			f.parse(rest[:n], func(_ byte, _ []byte) { got++ })
			rest = rest[n:]
		}
		require.Equal(t, want, got)
		require.True(t, f.isAtBoundary())
	}
}

// A pipe is a connection in memory. Reads come from in, and out has what was written.
type pipe struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (p *pipe) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *pipe) Write(b []byte) (int, error) { return p.out.Write(b) }

// A ping arrives while a message is being written. The pong follows after the end of the
// message. The WebSocket library must not answer, too, so it reads a pong.
func TestPongWaitsForTheEndOfAMessage(t *testing.T) {
	ping := append([]byte{0x89, 0x82, 1, 2, 3, 4}, 'h'^1, 'i'^2)
	for _, cut := range []int{1, 3, len(ping)} {
		p := &pipe{in: io.MultiReader(bytes.NewReader(ping[:cut]), bytes.NewReader(ping[cut:]))}
		c := newMeteredConn(p, p)
		_, err := c.Write([]byte{0x81, 3, 'a'}) // a part of a message
		require.NoError(t, err)
		read, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, byte(0x8a), read[0])
		require.Equal(t, "\x81\x03a", p.out.String())
		_, err = c.Write([]byte("bc"))
		require.NoError(t, err)
		require.Equal(t, "\x81\x03abc\x8a\x02hi", p.out.String())
		c.ping()
		require.True(t, bytes.HasSuffix(p.out.Bytes(), []byte{0x89, 0}))
	}
}

// rawSocket opens a WebSocket without a library, so that the test decides about each
// frame. receive is the size of the receive buffer; 0 means the default.
func (s *testBroker) rawSocket(headers string, receive int) net.Conn {
	s.Helper()
	d := net.Dialer{}
	c, err := d.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(s, err)
	s.Cleanup(func() { c.Close() })
	if receive > 0 {
		require.NoError(s, c.(*net.TCPConn).SetReadBuffer(receive))
	}
	_, err = io.WriteString(c, strings.ReplaceAll("GET /api/ws?after=oldest HTTP/1.1\nHost: localhost\n"+
		"Connection: Upgrade\n"+
		"Upgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"+
		"Sec-WebSocket-Protocol: yardline.v1\n"+headers+"\n", "\n", "\r\n"))
	require.NoError(s, err)
	return c
}

// A flood of control frames or continuations closes a WebSocket, authenticated or not. A
// few of them do not.
func TestFloodOfControlFramesClosesTheWebSocket(t *testing.T) {
	s := newTestBroker(t)
	frames := map[string][]byte{"ping": clientFrame(0x89, 0), "pong": clientFrame(0x8a, 4),
		"continuation": clientFrame(0, 0)}
	for _, headers := range []string{"", s.bearer(access.Manager) + "\n"} {
		for name, frame := range frames {
			c := s.rawSocket(headers, 0)
			require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
			if name == "continuation" {
				_, err := c.Write(clientFrame(0x01, 1))
				require.NoError(t, err)
			}
			go func() {
				many := bytes.Repeat(frame, 1000)
				for { // until it is closed
					if _, err := c.Write(many); err != nil {
						return
					}
				}
			}()
			n, err := io.Copy(io.Discard, c)
			var late net.Error
			require.False(t, asTimeout(err, &late), "%s: still open after %d bytes", name, n)
			require.Less(t, n, int64(10_000), "%s: answered a flood", name)
		}
	}
	c := s.socket("/api/ws", s.bearer(access.Manager))
	nextFrame[*wire.Hello](c)
	go func() { // a goroutine must read, so that pongs are handled
		_, _, _ = c.Read(t.Context())
	}()
	for range 50 {
		require.NoError(t, c.Ping(t.Context()))
	}
}

// asTimeout reports whether err is a timeout of a connection, and stores it in late.
func asTimeout(err error, late *net.Error) bool {
	e, ok := err.(net.Error) //nolint:errorlint // the connection returns the error itself
	*late = e
	return ok && e.Timeout()
}

// A client that ignores refusals is slowed down.
func TestTooManyCallsAreSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := func() *slog.Logger { return slog.New(slog.DiscardHandler) }
		r := &Reader{Subscriber: &hub.Subscriber{}, api: &API{}, peer: Peer{Log: quiet},
			callLimiter: rate.NewLimiter(callsPerSec, burstOfCalls)}
		start, refused := time.Now(), 0
		for range 1000 {
			if bytes.Contains(r.HandleCall(t.Context(), wire.Call{Call: wire.CallPing}, nil),
				[]byte("too_many_calls")) {
				refused++
			}
		}
		require.Greater(t, refused, 100)
		require.Greater(t, time.Since(start), time.Duration(refused)*time.Second/callsPerSec-time.Second)
	})
}

// The reader receives slowly and steadily. It does not answer pings in time, because
// they wait behind earlier data. The broker must not treat it as a client that has left.
func TestSlowWebSocketIsNotCut(t *testing.T) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), unlimited)
	s.api.timeouts.ping = 100 * time.Millisecond
	event := fmt.Sprintf(`{"type":"rental_status_updated","data":{"rental_id":1,"status":"active","notes":%q}}`,
		strings.Repeat("n", 480))
	const batches = 2
	for range batches {
		batch := "[" + strings.Repeat(event+",", 999) + event + "]"
		answer, body := s.send("POST", "/api/sse", batch, s.bearer(access.Service), isBatch)
		require.Equal(t, 201, answer.StatusCode, body)
	}
	server := httptest.NewUnstartedServer(s.api)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		// Otherwise the kernel would accept all of the data at once.
		require.NoError(t, c.(*net.TCPConn).SetWriteBuffer(64<<10))
		return ctx
	}
	server.Start()
	defer server.Close()
	s.url = server.URL
	c := s.rawSocket(s.bearer(access.Manager)+"\n", 64<<10)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := []byte(fmt.Sprintf(`"id":"k-%d"`, batches*1000))
	var tail []byte
	total := 0
	piece := make([]byte, 16<<10)
	for !bytes.Contains(tail, last) { // 1.6 MB a second at most
		<-tick.C
		n, err := c.Read(piece)
		require.NoError(t, err, "cut after %d bytes", total)
		total += n
		tail = append(tail, piece[:n]...)
		tail = tail[max(0, len(tail)-64<<10):]
	}
	t.Logf("%d bytes", total)
}

// The peer answers nothing, although its side of the connection receives heartbeats, as
// a proxy does. The broker must close the WebSocket.
func TestSilentWebSocketIsClosed(t *testing.T) {
	s := newTestBroker(t)
	s.api.timeouts.ping = 50 * time.Millisecond
	c := s.rawSocket(s.bearer(access.Manager)+"\n", 0)
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	_, err := io.Copy(io.Discard, c) // and answer no ping
	require.NoError(t, err, "it is closed")
}
