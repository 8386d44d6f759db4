package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
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

// publish is POST /api/sse: one event or a batch. 201 with where it is; 200
// where all of it was there before.
func (a *API) publish(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	if err := onlyParameters(r.URL.Query(), "strict"); err != nil {
		a.refuse(w, r, err)
		return
	}
	strict, err := strictOf(r)
	if want := r.Header.Get(ifGrant); err == nil && want != "" && want != p.Grant.ID() {
		err = regranted // the session is another user's by now, or has other rights
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON && media != mediaEvent && media != mediaBatch {
		a.refuse(w, r, &Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Title: "Events are sent as JSON",
			Detail: "Send Content-Type: " + mediaJSON + ", " + mediaEvent + " or " + mediaBatch + "."})
		return
	}
	limit := int64(event.MaxEventBytes)
	if media == mediaBatch {
		limit = maxBatchBytes
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	options := hub.PublishOptions{Strict: strict}
	if options.EntityAt, err = entityCursor(r); err != nil {
		a.refuse(w, r, err)
		return
	}
	// A client that has sent everything may close its side and still wait for
	// the answer; to net/http that looks as if it had gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), publishTimeout)
	defer cancel()
	if media == mediaBatch {
		a.publishBatch(ctx, w, r, p, body, strict)
		return
	}
	if body, err = single(r.Header, media, body); err == nil {
		err = a.mayPublish(p, a.address(r), 1)
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	receipt, err := a.Hub.Publish(ctx, p.Grant, body, options)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	writeJSON(w, created(!receipt.Duplicate), receipt)
}

func (a *API) publishBatch(ctx context.Context, w http.ResponseWriter, r *http.Request, p identity.Principal, body []byte, strict bool) {
	var raws []json.RawMessage
	if err := json.Unmarshal(body, &raws); err != nil {
		a.refuse(w, r, event.Refuse("", "json", "a JSON array of events"))
		return
	}
	if len(raws) == 0 || len(raws) > maxBatchEvents {
		a.refuse(w, r, event.Refuse("", "size", fmt.Sprintf("1 to %d events", maxBatchEvents)))
		return
	}
	for _, header := range []string{idempotencyKey, ifEntityCursor} {
		if r.Header.Get(header) != "" {
			a.refuse(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_parameter", Title: "A header is for single events", Detail: "Send a batch without " + header + ". Each of its events may have an id.",
				Errors: event.Refuse("/"+header, "rule", "none with a batch").Fields})
			return
		}
	}
	if err := a.mayPublish(p, a.address(r), len(raws)); err != nil {
		a.refuse(w, r, err)
		return
	}
	receipts, err := a.Hub.PublishBatch(ctx, p.Grant, raws, strict)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	fresh := false
	for _, receipt := range receipts {
		fresh = fresh || !receipt.Duplicate
	}
	writeJSON(w, created(fresh), map[string][]hub.Receipt{"events": receipts})
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

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // guard has set one
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Title: "The request is too large",
			Detail: "An event has at most 20 KiB, a batch at most 1 MiB.", Errors: event.Refuse("", "size", fmt.Sprintf("at most %d bytes", limit)).Fields}
	}
	if err != nil {
		return nil, &Problem{Status: http.StatusBadRequest, Code: "broken_body", Title: "The request's body could not be read", Detail: "Send it again."}
	}
	return body, nil
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
