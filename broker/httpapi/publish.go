package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// Limits of a request that publishes.
const (
	maxBatchBytes  = 1 << 20
	maxBatchEvents = 1000
	// publishTimeout bounds how long a request may take into the log.
	publishTimeout = 10 * time.Second
)

// The forms of a publication, by media type. A structured or short event, and
// the data of a binary CloudEvent, come as JSON.
const (
	mediaJSON  = "application/json"
	mediaEvent = "application/cloudevents+json"
	mediaBatch = "application/cloudevents-batch+json"
)

// A publication is what a request to publish asks for.
type publication struct {
	events  []json.RawMessage
	batch   bool
	options hub.PublishOptions
}

// publish is POST /api/sse: one event or a batch. 201 with where it is; 200
// where all of it was there before.
func (a *API) publish(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	what, err := a.publication(w, r, p)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publishTimeout)
	defer cancel()
	if !what.batch {
		receipt, err := a.Hub.Publish(ctx, p.Grant, what.events[0], what.options)
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		writeJSON(w, created(!receipt.Duplicate), receipt)
		return
	}
	receipts, err := a.Hub.PublishBatch(ctx, p.Grant, what.events, what.options.Strict)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	fresh := false
	for _, receipt := range receipts {
		fresh = fresh || !receipt.Duplicate
	}
	writeJSON(w, created(fresh), map[string][]hub.Receipt{"events": receipts})
}

// publication reads a request to publish, and takes its events from what the
// publisher may send.
func (a *API) publication(w http.ResponseWriter, r *http.Request, p identity.Principal) (what publication, err error) {
	if what.options.Strict, err = strictOf(r); err != nil {
		return what, err
	}
	if want := r.Header.Get(ifGrant); want != "" && want != p.Grant.ID() {
		return what, regranted // the session is another user's by now, or has other rights
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON && media != mediaEvent && media != mediaBatch {
		return what, newProblem(problem.UnsupportedMediaType.FillAdvice(mediaJSON, mediaEvent, mediaBatch))
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return what, newProblem(problem.UnsupportedEncoding.FillAdvice(encoding))
	}
	what.batch = media == mediaBatch
	limit := int64(event.MaxEventBytes)
	if what.batch {
		limit = maxBatchBytes
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		return what, err
	}
	if what.options.EntityAt, err = entityCursor(r); err != nil {
		return what, err
	}
	if what.batch {
		what.events, err = batch(r.Header, body)
	} else if body, err = single(r.Header, media, body); err == nil {
		what.events = []json.RawMessage{body}
	}
	if err == nil {
		err = a.mayPublish(p, a.address(r), len(what.events))
	}
	return what, err
}

// batch reads the events of a batch; none is looked at yet.
func batch(h http.Header, body []byte) (events []json.RawMessage, err error) {
	if err := json.Unmarshal(body, &events); err != nil {
		return nil, event.Refuse("", "json", "a JSON array of events")
	}
	if len(events) == 0 || len(events) > maxBatchEvents {
		return nil, event.Refuse("", "size", fmt.Sprintf("1 to %d events", maxBatchEvents))
	}
	for _, header := range []string{idempotencyKey, ifEntityCursor} {
		if h.Get(header) != "" {
			return nil, newProblem(problem.HeaderOfBatch.FillAdvice(header),
				event.Refuse("/"+header, "rule", "none with a batch").Fields...)
		}
	}
	return events, nil
}

func created(fresh bool) int {
	if fresh {
		return http.StatusCreated
	}
	return http.StatusOK
}

// ifGrant is the header by which a browser says for whom it sends.
const ifGrant = "If-Grant"

// ifEntityCursor is the header by which a publisher says what it has seen of
// the entity.
const ifEntityCursor = "If-Entity-Cursor"

func entityCursor(r *http.Request) (*wire.Cursor, error) {
	text := r.Header.Get(ifEntityCursor)
	if text == "" {
		return nil, nil
	}
	c, err := wire.ParseCursor(text)
	if err != nil {
		return nil, badCursor("/" + ifEntityCursor)
	}
	return &c, nil
}

// readBody reads a whole body of at most limit bytes. guard has set a deadline,
// which is lifted only when the body has ended: net/http would wait for the rest
// of another one without any.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		// It fails only for a writer that is not a connection.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		text, err := event.TrimByteOrderMark(body)
		if err != nil {
			return nil, event.Refuse("", "utf8", "text in UTF-8, not in UTF-16")
		}
		return text, nil
	case errors.As(err, &tooLarge):
		return nil, newProblem(problem.TooLarge,
			event.Refuse("", "size", fmt.Sprintf("at most %d bytes", limit)).Fields...)
	}
	w.Header().Set("Connection", "close") // nobody knows where the next request would begin
	return nil, newProblem(problem.BrokenBody)
}

func strictOf(r *http.Request) (bool, error) {
	switch r.URL.Query().Get("strict") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, badParameter("strict", "true or false")
}
