package edge

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"syscall/js"
	"time"
)

// A writer is an answer: given whole at the end, or, once it is flushed, a
// stream that worker.mjs holds.
type writer struct {
	to     http.ResponseWriter
	body   bytes.Buffer
	ctx    context.Context
	cancel context.CancelFunc

	// Of a stream alone.
	host   *host
	id     string
	opened bool
	ended  bool
}

// raw is what the workers module's own writer can do.
type raw interface {
	WriteRawJSBody(js.Value)
	Ready()
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.to.Header() }

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) { w.to.WriteHeader(status) }

// Write implements http.ResponseWriter.
func (w *writer) Write(b []byte) (int, error) {
	if !w.opened {
		return w.body.Write(b)
	}
	if w.ended || !w.host.sendPast(w.ctx, w.id, b) {
		w.ended = true
		return 0, os.ErrClosed
	}
	return len(b), nil
}

// FlushError is for http.ResponseController: what was written goes out, and
// what comes later does at once.
func (w *writer) FlushError() error {
	if w.opened || w.host == nil {
		return nil
	}
	w.to.(raw).WriteRawJSBody(w.host.open(w.id, w.cancel))
	w.opened = true
	w.to.(raw).Ready()
	_, err := w.Write(w.body.Bytes())
	w.body.Reset()
	return err
}

// SetReadDeadline is for http.ResponseController. Requests are bounded by who
// runs the worker.
func (w *writer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is for http.ResponseController: one that has passed breaks
// off a stream. Writes do not block here.
func (w *writer) SetWriteDeadline(at time.Time) error {
	if w.opened && !at.IsZero() && !at.After(time.Now()) {
		w.ended = true
		w.host.close(w.id, 0, "")
		w.cancel()
	}
	return nil
}

// end gives the answer, or ends the stream.
func (w *writer) end() {
	if w.opened {
		w.host.close(w.id, 0, "")
		return
	}
	body := js.Null()
	if w.body.Len() > 0 {
		body = bytesOf(w.body.Bytes())
	}
	w.to.(raw).WriteRawJSBody(body)
}
