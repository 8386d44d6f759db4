package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
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
	publishTimeout = 10 * time.Second // until the log has stored the events
)

// The media types of a publication. mediaJSON is for a short or structured event, and for
// the data of a CloudEvent in binary mode.
const (
	mediaJSON  = "application/json"
	mediaEvent = "application/cloudevents+json"
	mediaBatch = "application/cloudevents-batch+json"
)

// A publication is the content of a request to publish.
type publication struct {
	events  []json.RawMessage // not validated yet; one event unless batch is true
	batch   bool
	options hub.PublishOptions
}

// handlePostSSE is POST /api/sse. It publishes one event or a batch, and answers with the
// receipts: status 201 if the log has stored an event, 200 if it had stored all of them
// before.
func (a *API) handlePostSSE(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	pub, err := a.readPublication(w, r, p)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publishTimeout)
	defer cancel()
	if !pub.batch {
		receipt, err := a.Hub.Publish(ctx, p.Grant, pub.events[0], pub.options)
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		writeJSON(w, createdStatus(!receipt.Duplicate), receipt)
		return
	}
	receipts, err := a.Hub.PublishBatch(ctx, p.Grant, pub.events, pub.options.Strict)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	stored := slices.ContainsFunc(receipts, func(r hub.Receipt) bool { return !r.Duplicate })
	writeJSON(w, createdStatus(stored), map[string][]hub.Receipt{"events": receipts})
}

// readPublication reads a request to publish, and counts its events against the publish
// rate of its sender. It does not validate the events.
func (a *API) readPublication(
	w http.ResponseWriter, r *http.Request, p identity.Principal,
) (pub publication, err error) {
	if pub.options.Strict, err = parseStrict(r); err != nil {
		return pub, err
	}
	if want := r.Header.Get(ifGrant); want != "" && want != p.Grant.ID() {
		return pub, regranted // another user has signed in since, or the user's rights have changed
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON && media != mediaEvent && media != mediaBatch {
		return pub, newProblem(problem.UnsupportedMediaType.FillAdvice(mediaJSON, mediaEvent, mediaBatch))
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return pub, newProblem(problem.UnsupportedEncoding.FillAdvice(encoding))
	}
	pub.batch = media == mediaBatch
	limit := int64(event.MaxEventBytes)
	if pub.batch {
		limit = maxBatchBytes
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		return pub, err
	}
	if pub.options.EntityAt, err = parseEntityCursor(r); err != nil {
		return pub, err
	}
	if pub.batch {
		pub.events, err = parseBatch(r.Header, body)
	} else if body, err = singleEvent(r.Header, media, body); err == nil {
		pub.events = []json.RawMessage{body}
	}
	if err == nil {
		err = a.checkPublishRate(p, a.clientAddress(r), len(pub.events))
	}
	return pub, err
}

// parseBatch reads the events of a batch. It does not validate them.
func parseBatch(h http.Header, body []byte) (events []json.RawMessage, err error) {
	if err := json.Unmarshal(body, &events); err != nil {
		return nil, event.Refuse("", event.CodeJSON, "a JSON array of events")
	}
	if len(events) == 0 || len(events) > maxBatchEvents {
		return nil, event.Refuse("", event.CodeSize, fmt.Sprintf("1 to %d events", maxBatchEvents))
	}
	for _, header := range []string{idempotencyKey, ifEntityCursor} {
		if h.Get(header) != "" {
			return nil, newProblem(problem.HeaderOfBatch.FillAdvice(header),
				event.Refuse("/"+header, event.CodeRule, "none with a batch").Fields...)
		}
	}
	return events, nil
}

// createdStatus returns the status of an answer to a request to publish. stored tells
// whether the log has stored an event that it did not have before.
func createdStatus(stored bool) int {
	if stored {
		return http.StatusCreated
	}
	return http.StatusOK
}

// ifGrant is the header in which a browser sends the id of the grant that it published
// by. The broker refuses the events if the request has another grant.
const ifGrant = "If-Grant"

// ifEntityCursor is the header in which a publisher sends the cursor up to which it has
// seen the entity. The broker refuses the event if the entity has changed since.
const ifEntityCursor = "If-Entity-Cursor"

// parseEntityCursor returns the cursor of If-Entity-Cursor, or nil without that header.
func parseEntityCursor(r *http.Request) (*wire.Cursor, error) {
	text := r.Header.Get(ifEntityCursor)
	if text == "" {
		return nil, nil
	}
	c, err := wire.ParseCursor(text)
	if err != nil {
		return nil, invalidCursor("/" + ifEntityCursor)
	}
	return &c, nil
}

// readBody reads a whole body of at most limit bytes, and removes a byte order mark. It
// lifts the deadline that guard has set only when the body has ended. Otherwise net/http
// would wait for the rest of the body without a deadline.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // fails only without a connection
		text, err := event.TrimByteOrderMark(body)
		if err != nil {
			return nil, event.Refuse("", event.CodeUTF8, "text in UTF-8, not in UTF-16")
		}
		return text, nil
	case errors.As(err, &tooLarge):
		return nil, newProblem(problem.TooLarge,
			event.Refuse("", event.CodeSize, fmt.Sprintf("at most %d bytes", limit)).Fields...)
	}
	w.Header().Set("Connection", "close") // the next request would begin at an unknown place
	return nil, newProblem(problem.BrokenBody)
}

// parseStrict returns the query parameter strict, which defaults to false.
func parseStrict(r *http.Request) (bool, error) {
	switch r.URL.Query().Get("strict") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalidParameter("strict", "true or false")
}
