// Package transporttest is the contract of port.Transport as a test suite. Each package with a
// transport runs it against a server that answers the paths below.
package transporttest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// The paths that the server must answer:
//
//	/echo      200 text/plain: method, X-Test header and body, by line ends
//	/refuse    503 application/problem+json, Retry-After: 7, the body Refusal
//	/stop      204
//	/stream    200 text/event-stream; charset=utf-8: Pieces, each flushed, then the end
//	/endless   200 text/event-stream: one piece, then nothing; the server must notice that the client has gone
//	/broken    200 text/event-stream: one piece, then the connection is destroyed
//	/odd       200 text/event-stream; x y, as some proxies write it: one piece, then the end
//	/redirect  302 to /landed, whatever the method
//	/landed    200 text/plain
//	/gone      200 with "yes" when the client of /endless has gone, "no" before

// Refusal is the body of /refuse.
const Refusal = `{"code":"` + problem.CodeDraining + `","title":"The broker is stopping"}`

// Pieces are the body of /stream.
var Pieces = []string{"id: k-1\n", "data: ü", "€\n\n", strings.Repeat("data: x\n", 5000) + "\n"}

// Run runs the suite against a transport to that server.
func Run(t *testing.T, transport port.Transport) {
	get := func(path string) port.Request { return port.Request{Method: "GET", Path: path} }
	collect := func(ctx context.Context, path string) (string, port.Response, error) {
		var got strings.Builder
		r, err := transport.Stream(ctx, get(path), func(piece []byte) error { got.Write(piece); return nil })
		return got.String(), r, err
	}
	t.Run("do", func(t *testing.T) {
		r, err := transport.Do(t.Context(), port.Request{
			Method: "POST",
			Path:   "/echo?a=b",
			Header: map[string]string{"X-Test": "yes"},
			Body:   []byte("ü\x00"),
		})
		if err != nil || r.Status != 200 || r.ContentType != "text/plain" || string(r.Body) != "POST\nyes\nü\x00" {
			t.Errorf("%+v %v", r, err)
		}
	})
	t.Run("a refusal is an answer", func(t *testing.T) {
		r, err := transport.Do(t.Context(), get("/refuse"))
		if err != nil || r.Status != 503 || r.RetryAfter != "7" || string(r.Body) != Refusal {
			t.Errorf("%+v %v", r, err)
		}
		body, r, err := collect(t.Context(), "/refuse")
		if err != nil || body != "" || r.Status != 503 || string(r.Body) != Refusal {
			t.Errorf("as a stream: %q %+v %v", body, r, err)
		}
	})
	t.Run("no content", func(t *testing.T) {
		if _, r, err := collect(t.Context(), "/stop"); err != nil || r.Status != 204 {
			t.Errorf("%+v %v", r, err)
		}
	})
	t.Run("stream", func(t *testing.T) {
		body, r, err := collect(t.Context(), "/stream")
		if err != nil || r.Status != 200 || r.ContentType != "text/event-stream" || body != strings.Join(Pieces, "") {
			t.Errorf("%d bytes, %+v %v", len(body), r, err)
		}
	})
	t.Run("a malformed parameter", func(t *testing.T) {
		if body, r, err := collect(t.Context(), "/odd"); err != nil || r.ContentType != "text/event-stream" ||
			body == "" {
			t.Errorf("%q %+v %v", body, r, err)
		}
	})
	t.Run("a redirect is an answer", func(t *testing.T) {
		for _, method := range []string{"GET", "POST"} {
			r, err := transport.Do(t.Context(), port.Request{Method: method, Path: "/redirect"})
			if err != nil || r.Status != 302 {
				t.Errorf("%s: %+v %v", method, r, err)
			}
		}
		if body, r, err := collect(t.Context(), "/redirect"); err != nil || body != "" || r.Status != 302 {
			t.Errorf("as a stream: %q %+v %v", body, r, err)
		}
	})
	t.Run("an error of the handler ends a stream", func(t *testing.T) {
		enough := errors.New("enough")
		_, err := transport.Stream(t.Context(), get("/endless"), func([]byte) error { return enough })
		if !errors.Is(err, enough) {
			t.Error(err)
		}
		waitUntilGone(t, transport)
	})
	t.Run("the context ends a stream", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := transport.Stream(ctx, get("/endless"), func([]byte) error { cancel(); return nil })
		if err == nil {
			t.Error("no error")
		}
		waitUntilGone(t, transport)
	})
	t.Run("no server", func(t *testing.T) {
		if _, _, err := collect(t.Context(), "/broken"); err == nil {
			t.Error("a broken stream ended well")
		}
	})
}

// waitUntilGone waits until the server has noticed that the client of /endless has gone.
func waitUntilGone(t *testing.T, transport port.Transport) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		r, err := transport.Do(ctx, port.Request{Method: "GET", Path: "/gone"})
		if err != nil {
			t.Fatal("the server never noticed that the client has gone: ", err)
		}
		if string(r.Body) == "yes" {
			return
		}
	}
}
