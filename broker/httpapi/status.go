package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
)

// A publicStatus is the answer of GET /embed/v1/status.json. It is all that the broker
// tells strangers about itself.
type publicStatus struct {
	State   string    `json:"state"` // a key of statusMessages; clients use the same names for their own state
	Since   time.Time `json:"since"` // to the second
	Message string    `json:"message"`
}

// statusMessages has the message of each public state.
var statusMessages = map[string]string{
	"connecting":   "Yardline is starting.",
	"live":         "Live updates work.",
	"limited":      "The server is busy: updates may be late. Nothing is lost.",
	"disconnected": "Yardline is restarting. Updates come as soon as it is back.",
}

// A status holds the present public status. Requests for it do not make the broker examine
// its state: Run does so once a second. It is safe for concurrent use.
type status struct {
	mu      sync.Mutex // guards all below
	now     publicStatus
	changed chan struct{} // closed, and replaced, when now changes
}

// newStatus returns the status of a broker that starts.
func newStatus() *status {
	return &status{now: newPublicStatus("connecting"), changed: make(chan struct{})}
}

// newPublicStatus returns the status of a state that begins now.
func newPublicStatus(state string) publicStatus {
	return publicStatus{state, time.Now().UTC().Truncate(time.Second), statusMessages[state]}
}

// get returns the present status, and a channel that is closed when it changes.
func (s *status) get() (now publicStatus, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.changed
}

// set changes the state, unless it is the present one.
func (s *status) set(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.State == state {
		return
	}
	s.now = newPublicStatus(state)
	close(s.changed)
	s.changed = make(chan struct{})
}

// watchStatus refreshes the public status once a second until ctx ends or the hub drains.
func (a *API) watchStatus(ctx context.Context) {
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		a.RefreshStatus(ctx)
		select {
		case <-tick.C:
		case <-a.Hub.Draining():
			a.status.set("disconnected")
			return
		case <-ctx.Done():
			return
		}
	}
}

// publicState returns the public state for an error of ready.
func publicState(err error) string {
	var closed *hub.ClosedError
	switch {
	case err == nil:
		return "live"
	case errors.Is(err, hub.ErrNotReady):
		return "connecting"
	case errors.As(err, &closed):
		return "disconnected"
	case errors.Is(err, eventlog.ErrFull), errors.Is(err, eventlog.ErrUnavailable):
		return "limited"
	}
	return "limited" // a deadline: the log is slow
}

// allowAnyOrigin returns a handler whose answers every page may read. A page cannot read
// the answer to a request with cookies, because the answer allows no credentials.
func allowAnyOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		// A browser may open the SVG as a document, which must then run nothing.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		next(w, r)
	}
}

// handleGetStatusJS is GET /embed/v1/status.js. It answers with a file of the app.
func (a *API) handleGetStatusJS(w http.ResponseWriter, r *http.Request) { a.UI.ServeHTTP(w, r) }

// handleGetStatusJSON is GET /embed/v1/status.json. It answers with the public status.
func (a *API) handleGetStatusJSON(w http.ResponseWriter, r *http.Request) {
	now, _ := a.status.get()
	body, _ := json.Marshal(now) // strings and a time always marshal
	writeTagged(w, r, "application/json", append(body, '\n'))
}

// handleGetStatusEvents is GET /embed/v1/status.events. It streams the public status, at
// once and whenever it changes. The stream ends after statusStreamLifetime: EventSource
// reconnects by itself.
func (a *API) handleGetStatusEvents(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		streamHeaders(w.Header())
		w.WriteHeader(http.StatusOK)
		return
	}
	slot, err := a.acquireSlot(a.clientAddress(r), nil)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	defer slot.release()
	streamHeaders(w.Header())
	out := http.NewResponseController(w)
	end, beat := time.NewTimer(statusStreamLifetime), time.NewTicker(statusHeartbeat)
	defer end.Stop()
	defer beat.Stop()
	lastState := ""
	sendChange := func() (changed <-chan struct{}, err error) {
		now, changed := a.status.get()
		if now.State != lastState {
			lastState = now.State
			body, _ := json.Marshal(now) // strings and a time always marshal
			err = a.writeFrames(w, out, fmt.Appendf(nil, "retry: 5000\nevent: status\ndata: %s\n\n", body))
		}
		return changed, err
	}
	for {
		changed, err := sendChange()
		if err != nil {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			// An event and not a comment, because EventSource hides comments from the page.
			if a.writeFrames(w, out, []byte("event: beat\ndata:\n\n")) != nil {
				return
			}
		case <-a.Hub.Draining():
			a.status.set("disconnected")
			_, _ = sendChange() // the stream ends either way
			return
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

const (
	statusStreamLifetime = 10 * time.Minute // after which a stream of the public status ends
	statusHeartbeat      = 15 * time.Second // the interval of its heartbeats
)

// badges has the word and the colour of each public state on the badge. The colours are
// dark enough for white text.
var badges = map[string]struct{ words, colour string }{
	"connecting":   {"starting", "#5d666d"},
	"live":         {"live", "#13703a"},
	"limited":      {"busy", "#8a5300"},
	"disconnected": {"restarting", "#5d666d"},
}

// badgeSVG is the format of the badge: its width, the word, the colour, the message, and
// the width of the right half without its round corners.
const badgeSVG = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="22" role="img" ` +
	`aria-label="Yardline: %[2]s"><title>%[4]s</title>` +
	`<rect width="%[1]d" height="22" rx="4" fill="#1b2126"/>` +
	`<path d="M68 0h%[5]da4 4 0 0 1 4 4v14a4 4 0 0 1-4 4H68z" fill="%[3]s"/>` +
	`<g fill="#fff" font-family="system-ui,Verdana,sans-serif" font-size="12">` +
	`<text x="10" y="15">Yardline</text><text x="78" y="15">%[2]s</text></g></svg>` + "\n"

// handleGetStatusSVG is GET /embed/v1/status.svg. It answers with the public status as a
// badge, for pages that run no script.
func (a *API) handleGetStatusSVG(w http.ResponseWriter, r *http.Request) {
	now, _ := a.status.get()
	b := badges[now.State]
	width := 7*len(b.words) + 20 // of the right half
	writeTagged(w, r, "image/svg+xml", fmt.Appendf(nil, badgeSVG,
		68+width, b.words, b.colour, now.Message, width-4))
}

// writeTagged answers with body and its ETag, or with 304 if the client has that body
// already (RFC 9110, section 13).
func writeTagged(w http.ResponseWriter, r *http.Request, media string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Access-Control-Expose-Headers", "ETag")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(body)
}
