//go:build !js

package native

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// network connects clients to a server in memory. A silent connection stays open, but its client's bytes do
// not arrive.
type network struct {
	accepted chan net.Conn
	closed   chan struct{}
	close    sync.Once
	dialed   atomic.Int32
	last     atomic.Pointer[silenced]
}

func newNetwork() *network {
	return &network{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accepted:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { n.close.Do(func() { close(n.closed) }); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	n.accepted <- server
	n.dialed.Add(1)
	c := &silenced{Conn: client}
	n.last.Store(c)
	return c, nil
}

// silenced drops the bytes that are written while it is silent, so that no answer comes.
type silenced struct {
	net.Conn
	silent atomic.Bool
}

func (c *silenced) Write(p []byte) (int, error) {
	if c.silent.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// A request on a connection that has died silently must end, even if the caller has no deadline, and the next
// one must use another connection.
func TestDeadConnectionOfHTTP1IsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := newNetwork()
		server := &http.Server{Handler: http.HandlerFunc(noContent)}
		go server.Serve(lines)
		transport, err := New("http://broker.test", "")
		require.NoError(t, err)
		own := transport.client.Transport.(*http.Transport)
		own.DialContext, own.Proxy = lines.dial, nil
		request := func() error {
			_, err := transport.Do(t.Context(), port.Request{Method: "POST", Path: "/", Body: []byte("{}")})
			return err
		}
		require.NoError(t, request())
		lines.last.Load().silent.Store(true)
		began := time.Now()
		require.Error(t, request())
		require.Equal(t, answerTimeout, time.Since(began))
		require.NoError(t, request())
		transport.Close()
		require.NoError(t, server.Close())
	})
}

// An HTTP/2 connection that has died silently must be replaced within half a minute, however many requests
// wait on it.
func TestDeadConnectionOfHTTP2IsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := newNetwork()
		var plain http.Protocols
		plain.SetUnencryptedHTTP2(true)
		server := &http.Server{Protocols: &plain, Handler: http.HandlerFunc(noContent)}
		go server.Serve(lines)
		transport, err := New("http://broker.test", "")
		require.NoError(t, err)
		own := transport.client.Transport.(*http.Transport)
		own.DialContext, own.Protocols, own.Proxy = lines.dial, &plain, nil
		request := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := transport.Do(ctx, port.Request{Method: "POST", Path: "/", Body: []byte("{}")})
			return err
		}
		require.NoError(t, request())
		require.NoError(t, request())
		require.EqualValues(t, 1, lines.dialed.Load(), "one connection carries both")
		lines.last.Load().silent.Store(true)
		began, failed := time.Now(), 0
		for request() != nil {
			failed++
			require.Less(t, time.Since(began), pingAfter+pingTimeout+11*time.Second, "%d requests failed", failed)
		}
		require.Positive(t, failed)
		require.EqualValues(t, 2, lines.dialed.Load())
		transport.Close()
		require.NoError(t, server.Close())
	})
}
