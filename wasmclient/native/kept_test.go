//go:build !js

package native

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// A balancer may close an idle connection while a request is written on it. An event with an id is sent
// again. An event without one might be stored twice, so its publisher gets an error.
func TestEventWithAnIDIsSentAgainOnAnotherConnection(t *testing.T) {
	var posts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == "POST" {
			if posts.Add(1) == 1 {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					_ = conn.Close()
				}
				return
			}
			if r.Header.Get("Idempotency-Key") != "" {
				t.Error("the header Idempotency-Key was sent")
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"x","cursor":"k-1","users":[]}`)
	}))
	defer server.Close()
	publish := func(id string) error {
		transport, err := New(server.URL, "")
		require.NoError(t, err)
		defer transport.Close()
		api := wasmclient.API{Transport: transport}
		_, err = api.Session(t.Context()) // so that there is an idle connection
		require.NoError(t, err)
		e := event.Example(event.TypePaymentReceived)
		e.ID = id
		posts.Store(0)
		_, err = api.Publish(t.Context(), e)
		return err
	}
	require.NoError(t, publish("x"))
	require.EqualValues(t, 2, posts.Load())
	require.Error(t, publish(""))
	require.EqualValues(t, 1, posts.Load())
}

// A proxy that compresses a stream holds events back. Other answers may be compressed.
func TestStreamsAreNotCompressed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, r.Header.Get("Accept-Encoding"))
	}))
	defer server.Close()
	transport, err := New(server.URL, "")
	require.NoError(t, err)
	defer transport.Close()
	get := port.Request{Method: "GET", Path: "/"}
	answer, err := transport.Stream(t.Context(), get, func([]byte) error { return nil })
	require.NoError(t, err)
	require.Equal(t, "identity", string(answer.Body))
	answer, err = transport.Do(t.Context(), get)
	require.NoError(t, err)
	require.Equal(t, "gzip", string(answer.Body))
}
