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

// network connects clients to a server in memory. A connection that is silenced
// stays open, and nothing passes in either direction any more.
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

// silenced swallows what is written once it is silent, so that no answer comes.
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

// TestDeadConnectionOfHTTP1: a kept connection that died without a word is given up,
// also for a caller without a deadline, and the next request has another.
func TestDeadConnectionOfHTTP1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := newNetwork()
		server := &http.Server{Handler: http.HandlerFunc(noContent)}
		go server.Serve(lines)
		transport, err := New("http://broker.test", "")
		require.NoError(t, err)
		own := transport.client.Transport.(*http.Transport)
		own.DialContext, own.Proxy = lines.dial, nil
		ask := func() error {
			_, err := transport.Do(t.Context(), port.Request{Method: "POST", Path: "/", Body: []byte("{}")})
			return err
		}
		require.NoError(t, ask())
		lines.last.Load().silent.Store(true)
		began := time.Now()
		require.Error(t, ask())
		require.Equal(t, answerWithin, time.Since(began))
		require.NoError(t, ask())
		transport.Close()
		require.NoError(t, server.Close())
	})
}

// TestDeadConnectionOfHTTP2: an HTTP/2 connection that died without a word is
// replaced within half a minute, however many requests wait on it.
func TestDeadConnectionOfHTTP2(t *testing.T) {
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
		ask := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := transport.Do(ctx, port.Request{Method: "POST", Path: "/", Body: []byte("{}")})
			return err
		}
		require.NoError(t, ask())
		require.NoError(t, ask())
		require.EqualValues(t, 1, lines.dialed.Load(), "one connection carries both")
		lines.last.Load().silent.Store(true)
		began, failed := time.Now(), 0
		for ask() != nil {
			failed++
			require.Less(t, time.Since(began), pingAfter+pingWithin+11*time.Second, "%d requests failed", failed)
		}
		require.Positive(t, failed)
		require.EqualValues(t, 2, lines.dialed.Load())
		transport.Close()
		require.NoError(t, server.Close())
	})
}
