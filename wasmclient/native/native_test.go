//go:build !js

package native

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/wasmclient/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTransportKeepsItsContract(t *testing.T) {
	var gone atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "%s\n%s\n%s", r.Method, r.Header.Get("X-Test"), body)
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(503)
		io.WriteString(w, transporttest.Refusal)
	})
	mux.HandleFunc("/stop", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	stream := func(pieces []string, end func(*http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			for _, p := range pieces {
				io.WriteString(w, p)
				w.(http.Flusher).Flush()
			}
			end(r)
		}
	}
	mux.HandleFunc("/stream", stream(transporttest.Pieces, func(*http.Request) {}))
	mux.HandleFunc("/endless", stream([]string{"data: x\n\n"}, func(r *http.Request) {
		gone.Store(false)
		<-r.Context().Done()
		gone.Store(true)
	}))
	mux.HandleFunc("/broken", stream([]string{"data: x\n\n"}, func(*http.Request) { panic(http.ErrAbortHandler) }))
	mux.HandleFunc("/odd", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; x y")
		io.WriteString(w, "data: x\n\n")
	})
	mux.Handle("/redirect", http.RedirectHandler("/landed", http.StatusFound))
	mux.HandleFunc("/landed", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) {
		if gone.Load() {
			io.WriteString(w, "yes")
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	transport, err := New(server.URL+"/", "")
	require.NoError(t, err)
	defer transport.Close()
	transporttest.Run(t, transport)
}

func TestNewRefusesAddressesThatAreNoURLOfHTTP(t *testing.T) {
	for _, bad := range []string{"", "localhost:8080", "ftp://x", "http://", "://"} {
		_, err := New(bad, "")
		require.Error(t, err, bad)
	}
}
