package edge

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"syscall/js"
	"time"
)

// writer is the http.ResponseWriter of a request. It sends the answer as a whole at the end, or,
// once it is flushed, as a stream that worker.mjs holds. Only the request's goroutine uses it.
type writer struct {
	to     http.ResponseWriter // of the workers module
	body   bytes.Buffer        // the bytes that were written before the stream was opened
	ctx    context.Context     // of the request
	cancel context.CancelFunc

	// These fields are for a stream only.
	host   *host  // nil in the front, which has no streams
	id     string // the name of the connection
	opened bool
	ended  bool // nothing more can be written
}

// rawWriter has the methods of the workers module's own writer.
type rawWriter interface {
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
	if w.ended || !w.host.sendAndWait(w.ctx, w.id, b) {
		w.ended = true
		return 0, os.ErrClosed
	}
	return len(b), nil
}

// FlushError is for http.ResponseController. It opens the stream and sends the bytes
// that were written.
// Later writes are sent at once. It does nothing in the front.
func (w *writer) FlushError() error {
	if w.opened || w.host == nil {
		return nil
	}
	w.to.(rawWriter).WriteRawJSBody(w.host.openStream(w.id, w.cancel))
	w.opened = true
	w.to.(rawWriter).Ready()
	_, err := w.Write(w.body.Bytes())
	w.body.Reset()
	return err
}

// SetReadDeadline is for http.ResponseController. It does nothing, because the runtime bounds the
// time of requests.
func (w *writer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is for http.ResponseController. A deadline that has passed ends the stream. A
// later deadline does nothing.
func (w *writer) SetWriteDeadline(at time.Time) error {
	if w.opened && !at.IsZero() && !at.After(time.Now()) {
		w.ended = true
		w.host.close(w.id, 0, "")
		w.cancel()
	}
	return nil
}

// end sends the answer, or ends the stream.
func (w *writer) end() {
	if w.opened {
		w.host.close(w.id, 0, "")
		return
	}
	body := js.Null()
	if w.body.Len() > 0 {
		body = bytesOf(w.body.Bytes())
	}
	w.to.(rawWriter).WriteRawJSBody(body)
}
