package httpapi

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// maxPiece is how much is written at once, in bytes.
const maxPiece = 64 << 10

// goodbyeTime is how long a reader has to take the goodbye when the grant has
// ended.
const goodbyeTime = time.Second

// fromOldest is the value of after that asks for everything that is kept.
const fromOldest = "oldest"

// stream is GET /api/sse.
func (a *API) stream(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	f, after, err := asked(r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	if headAlone(w, r) {
		return
	}
	out := http.NewResponseController(w)
	reader, err := a.Open(r, p, hub.Request{Filter: f, After: after, Format: wire.SSE,
		Abort: func() { _ = out.SetWriteDeadline(time.Now()) }}) // fails only when the connection is gone
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	defer reader.Leave()
	h := w.Header()
	streamHeaders(h)
	if r.ProtoMajor == 1 {
		// The body ends with the connection: no chunk headers around frames.
		h.Set("Transfer-Encoding", "identity")
	}
	w.WriteHeader(http.StatusOK)
	reader.Pump(r.Context(), func(frames []byte) error { return a.write(w, out, frames) })
}

// headAlone answers HEAD: what a stream would begin with, and no stream, which
// nobody would read.
func headAlone(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodHead {
		return false
	}
	streamHeaders(w.Header())
	w.WriteHeader(http.StatusOK)
	return true
}

// streamHeaders are those of every stream of events.
func streamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx holds streams back without it
}

// writeAll writes frames in pieces of at most maxPiece bytes, unless a line is
// longer: a slow link gets the time of a write for each.
func writeAll(write func([]byte) error, frames []byte) error {
	for len(frames) > 0 {
		n := len(frames)
		if n > maxPiece {
			if n = bytes.LastIndexByte(frames[:maxPiece], '\n') + 1; n == 0 {
				n = bytes.IndexByte(frames, '\n') + 1
			}
		}
		if err := write(frames[:n]); err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}

func (a *API) write(w http.ResponseWriter, out *http.ResponseController, frames []byte) error {
	if err := out.SetWriteDeadline(time.Now().Add(a.patience.write)); err != nil {
		return err
	}
	if _, err := w.Write(frames); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	// HTTP/2 resets a stream when its deadline passes, also a quiet one.
	return out.SetWriteDeadline(time.Time{})
}

// asked is what a reader asks for: which events, and from where. more are the
// parameters that the resource takes beside these.
func asked(r *http.Request, more ...string) (f filter.Filter, after *wire.Cursor, err error) {
	if err := onlyParameters(r.URL.Query(), slices.Concat(filter.Parameters, []string{"after"}, more)...); err != nil {
		return f, nil, err
	}
	if f, err = filter.Parse(r.URL.Query()); err != nil {
		return f, nil, err
	}
	after, err = cursorOf(r)
	return f, after, err
}

// onlyParameters refuses a parameter that would be ignored: a slip such as
// type= for types= would ask for everything.
func onlyParameters(q url.Values, known ...string) error {
	for name := range q {
		if !slices.Contains(known, name) {
			return &Problem{Status: http.StatusBadRequest, Code: "invalid_parameter", Title: "A parameter is not known here", Detail: "Check its name.",
				Errors: []event.FieldError{{Pointer: "/" + event.EscapePointer(name), Code: "unknown_name", Expected: "some of " + strings.Join(known, ", ")}}}
		}
	}
	return nil
}

// cursorOf is where a reader wants to resume: Last-Event-ID, which a browser
// sends by itself, before the parameter after. nil is live events only.
func cursorOf(r *http.Request) (*wire.Cursor, error) {
	text, pointer := r.Header.Get("Last-Event-ID"), "/Last-Event-ID"
	if text == "" {
		text, pointer = r.URL.Query().Get("after"), "/after"
	}
	switch text {
	case "":
		return nil, nil
	case fromOldest:
		return &wire.Cursor{}, nil
	}
	c, err := wire.ParseCursor(text)
	if err != nil {
		return nil, badCursor(pointer)
	}
	return &c, nil
}

func badCursor(pointer string) error {
	return &Problem{Status: http.StatusBadRequest, Code: "invalid_cursor", Title: "The cursor is not valid",
		Detail: "Resume with the id of an event that this broker sent, or ask for after=" + fromOldest + ".",
		Errors: []event.FieldError{{Pointer: pointer, Code: "format", Expected: "<epoch>-<sequence>, such as k3x9-184"}}}
}
