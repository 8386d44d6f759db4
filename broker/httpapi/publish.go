package httpapi

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
)

// publishTimeout bounds how long an event may take into the log.
const publishTimeout = 10 * time.Second

// publish is POST /api/sse: one event, in the short form or as a structured
// CloudEvent. 201 with where it is; 200 where it was there before.
func (a *api) publish(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && media != "application/cloudevents+json" {
		a.refuse(w, r, &Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Title: "Events are sent as JSON",
			Detail: "Send Content-Type: application/json or application/cloudevents+json."})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, event.MaxEventBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		a.refuse(w, r, &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Title: "The event is too large",
			Detail: "The data of an event has at most 16 KiB.", Errors: event.Refuse("", "size", "at most 20480 bytes").Fields})
		return
	}
	if err != nil {
		a.refuse(w, r, &Problem{Status: http.StatusBadRequest, Code: "broken_body", Title: "The request's body could not be read", Detail: "Send it again."})
		return
	}
	if err := onlyParameters(r, "strict"); err != nil {
		a.refuse(w, r, err)
		return
	}
	strict, err := strictOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	// A client that has sent everything may close its side and still wait for
	// the answer; to net/http that looks as if it had gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), publishTimeout)
	defer cancel()
	receipt, err := a.Hub.Publish(ctx, p.Grant, body, strict)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	status := http.StatusCreated
	if receipt.Duplicate {
		status = http.StatusOK
	}
	writeJSON(w, status, receipt)
}

func strictOf(r *http.Request) (bool, error) {
	switch r.URL.Query().Get("strict") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, &Problem{Status: http.StatusBadRequest, Code: "invalid_parameter", Title: "A parameter is not valid", Detail: "strict is true or false.",
		Errors: []event.FieldError{{Pointer: "/strict", Code: "enum", Expected: "true or false"}}}
}

// snapshot is GET /api/snapshot.
func (a *api) snapshot(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	s, err := a.Hub.Snapshot(r.Context(), p.Grant)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s)
}
