package httpapi

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// maxPiece is the size limit of one write to a stream, in bytes.
const maxPiece = 64 << 10

// goodbyeTime is how long the broker waits for a reader to receive the goodbye when its
// grant has ended.
const goodbyeTime = time.Second

// fromOldest is the value of the parameter after that asks for all events that the log
// keeps.
const fromOldest = "oldest"

// handleGetSSE is GET /api/sse. It streams events as server-sent events.
func (a *API) handleGetSSE(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	f, after, err := parseStreamRequest(r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	subscription := hub.Request{Filter: f, After: after, Format: wire.SSE, Gzip: a.GzipStreams && acceptsGzip(r.Header)}
	if r.Method == http.MethodHead {
		a.setStreamHeaders(w.Header(), subscription.Gzip)
		w.WriteHeader(http.StatusOK)
		return
	}
	if recorder, ok := w.(*statusRecorder); ok && a.canFanOut(r) {
		a.fanOut(recorder, r, p, subscription)
		return
	}
	out := http.NewResponseController(w)
	subscription.Abort = func() { _ = out.SetWriteDeadline(time.Now()) } // fails only when the connection is gone
	reader, err := a.Open(r, p, subscription)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	defer reader.Leave()
	a.setStreamHeaders(w.Header(), subscription.Gzip)
	w.WriteHeader(http.StatusOK)
	err = reader.Pump(r.Context(), func(frames []byte) error { return a.writeFrames(w, out, frames) })
	// A stream that ends without a goodbye must not look complete. With a deadline that has
	// passed, net/http cannot write the last chunk, and cuts the connection.
	deadline := time.Now()
	var closed *hub.ClosedError
	if errors.As(err, &closed) && closed.Bye.Reason != wire.ByeSlow {
		deadline = deadline.Add(a.timeouts.write)
	}
	_ = out.SetWriteDeadline(deadline) // fails only when the connection is gone
}

// streamHeaders sets the headers of every stream of events. It sets no length and no
// Transfer-Encoding: on HTTP/1.1, net/http then makes one chunk of each flush, so that a
// reader has an event at once and can tell a cut from an end. It names the charset because
// some HTTP clients read a text without one as Latin-1, such as Python's requests.
func streamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-transform") // proxies that compress hold events back
	h.Set("X-Accel-Buffering", "no")                 // nginx holds streams back without it
}

// writeAll passes frames to write in pieces of whole lines. A piece has at most limit
// bytes, unless a line is longer. Each piece has the time of one write, so that a slow link
// is not cut.
func writeAll(write func([]byte) error, frames []byte, limit int) error {
	for len(frames) > 0 {
		n := len(frames)
		if n > limit {
			if n = bytes.LastIndexByte(frames[:limit], '\n') + 1; n == 0 {
				n = bytes.IndexByte(frames, '\n') + 1
			}
			if n == 0 { // gzip has no lines
				n = len(frames)
			}
		}
		if err := write(frames[:n]); err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}

// writeFrames writes and flushes one piece of a stream within timeouts.write.
func (a *API) writeFrames(w http.ResponseWriter, out *http.ResponseController, frames []byte) error {
	if err := out.SetWriteDeadline(time.Now().Add(a.timeouts.write)); err != nil {
		return err
	}
	if _, err := w.Write(frames); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	// HTTP/2 resets a stream when its deadline passes, even while nothing is written.
	return out.SetWriteDeadline(time.Time{})
}

// parseStreamRequest returns the filter and the cursor that a reader asks for. The query
// must have passed checkQuery.
func parseStreamRequest(r *http.Request) (f filter.Filter, after *wire.Cursor, err error) {
	if f, err = filter.Parse(r.URL.Query()); err != nil {
		return f, nil, err
	}
	after, err = parseResumeCursor(r)
	return f, after, err
}

// lastEventID is the query parameter in which EventSource polyfills send their
// cursor, because they cannot set a header in every browser.
const lastEventID = "lastEventId"

// parseResumeCursor returns the place where a reader resumes. nil means live events only.
// Last-Event-ID, which a browser sends by itself when it reconnects, takes precedence over
// lastEventId, which a polyfill adds then. Both take precedence over after, which is in the
// URL since the first attempt.
func parseResumeCursor(r *http.Request) (*wire.Cursor, error) {
	text, pointer := r.Header.Get("Last-Event-ID"), "/Last-Event-ID"
	for _, name := range []string{lastEventID, "after"} {
		if text == "" {
			text, pointer = r.URL.Query().Get(name), "/"+name
		}
	}
	switch text {
	case "":
		return nil, nil
	case fromOldest:
		return &wire.Cursor{}, nil
	}
	c, err := wire.ParseCursor(text)
	if err != nil {
		return nil, invalidCursor(pointer)
	}
	return &c, nil
}

// invalidCursor returns the refusal of a cursor.
func invalidCursor(pointer string) error {
	return newProblem(problem.InvalidCursor,
		event.FieldError{Pointer: pointer, Code: event.CodeFormat, Expected: "<epoch>-<sequence>, such as k3x9-184"})
}
