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

// A publicStatus is all that a stranger may know: the answer of
// /embed/v1/status.json. State is a name of the client's states.
type publicStatus struct {
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Message string    `json:"message"`
}

// The states of a broker, in words for everybody.
var statusMessages = map[string]string{
	"connecting":   "Yardline is starting.",
	"live":         "Live updates work.",
	"limited":      "The server is busy: updates may be late. Nothing is lost.",
	"disconnected": "Yardline is restarting. Updates come as soon as it is back.",
}

// status is what the broker says of itself in public. It is looked at once a
// second, whoever asks.
type status struct {
	mu   sync.Mutex // guards all below
	now  publicStatus
	next chan struct{} // closed when it changes
}

func newStatus() *status {
	return &status{now: publicStatus{"connecting", time.Now().UTC().Truncate(time.Second), statusMessages["connecting"]}, next: make(chan struct{})}
}

func (s *status) get() (now publicStatus, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.next
}

func (s *status) become(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.State == state {
		return
	}
	s.now = publicStatus{state, time.Now().UTC().Truncate(time.Second), statusMessages[state]}
	close(s.next)
	s.next = make(chan struct{})
}

// watchStatus keeps the public status until ctx ends.
func (a *API) watchStatus(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		a.RefreshStatus(ctx)
		select {
		case <-tick.C:
		case <-a.Hub.Draining():
			a.status.become("disconnected")
			return
		case <-ctx.Done():
			return
		}
	}
}

// RefreshStatus is what Run does once a second, for who does not call it: it finds out
// the public status.
func (a *API) RefreshStatus(ctx context.Context) { a.status.become(stateOf(a.ready(ctx))) }

// stateOf is the name of what readiness says.
func stateOf(err error) string {
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

// public lets every page use an answer, and none give us its cookie for it.
func public(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox") // an SVG may be opened by itself
		next(w, r)
	}
}

// widget is GET /embed/v1/status.js: a file of the app.
func (a *API) widget(w http.ResponseWriter, r *http.Request) { a.UI.ServeHTTP(w, r) }

func (a *API) statusJSON(w http.ResponseWriter, r *http.Request) {
	now, _ := a.status.get()
	body, _ := json.Marshal(now) // strings and a time always marshal
	tagged(w, r, "application/json", append(body, '\n'))
}

// statusEvents is GET /embed/v1/status.events: the same, now and whenever it
// changes. It ends after a while, and EventSource comes back.
func (a *API) statusEvents(w http.ResponseWriter, r *http.Request) {
	if headAlone(w, r) {
		return
	}
	place, err := a.admit(a.address(r), nil)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	defer place.leave()
	streamHeaders(w.Header())
	out := http.NewResponseController(w)
	end, beat := time.NewTimer(statusLife), time.NewTicker(statusBeat)
	defer end.Stop()
	defer beat.Stop()
	said := ""
	tell := func() (changed <-chan struct{}, err error) {
		now, changed := a.status.get()
		if now.State != said {
			said = now.State
			body, _ := json.Marshal(now) // strings and a time always marshal
			err = a.write(w, out, fmt.Appendf(nil, "retry: 5000\nevent: status\ndata: %s\n\n", body))
		}
		return changed, err
	}
	for {
		changed, err := tell()
		if err != nil {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			if a.write(w, out, []byte("event: beat\ndata:\n\n")) != nil { // a comment would be hidden from EventSource
				return
			}
		case <-a.Hub.Draining():
			a.status.become("disconnected")
			_, _ = tell() // it ends either way
			return
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

const (
	statusLife = 10 * time.Minute
	statusBeat = 15 * time.Second
)

// badges are the colours of the public states, dark enough for white text.
var badges = map[string]struct{ words, colour string }{
	"connecting":   {"starting", "#5d666d"},
	"live":         {"live", "#13703a"},
	"limited":      {"busy", "#8a5300"},
	"disconnected": {"restarting", "#5d666d"},
}

// statusSVG is GET /embed/v1/status.svg: a badge for pages that run no script.
func (a *API) statusSVG(w http.ResponseWriter, r *http.Request) {
	now, _ := a.status.get()
	b := badges[now.State]
	wide := 7*len(b.words) + 20
	tagged(w, r, "image/svg+xml", fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="22" role="img" aria-label="Yardline: %[2]s"><title>%[4]s</title>`+
		`<rect width="%[1]d" height="22" rx="4" fill="#1b2126"/><path d="M68 0h%[5]da4 4 0 0 1 4 4v14a4 4 0 0 1-4 4H68z" fill="%[3]s"/>`+
		`<g fill="#fff" font-family="system-ui,Verdana,sans-serif" font-size="12"><text x="10" y="15">Yardline</text><text x="78" y="15">%[2]s</text></g></svg>`+"\n",
		68+wide, b.words, b.colour, now.Message, wide-4))
}

// tagged answers 304 to who has this already (RFC 9110, section 13).
func tagged(w http.ResponseWriter, r *http.Request, media string, body []byte) {
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
