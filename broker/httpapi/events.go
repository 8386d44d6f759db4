package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// Bounds of a page of history.
const (
	defaultLimit = 100  // events
	maxLimit     = 1000 // events
	maxWait      = 55   // seconds of a long poll, because common proxies cut a silent connection after 60
)

// handleGetEvents is GET /api/events. It answers with a page of history, forwards or
// backwards, and can wait for events if there are none yet (long poll).
func (a *API) handleGetEvents(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	request, err := parseHistoryRequest(r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	request.Grant = p.Grant
	// Only a request that waits for events ends when its client leaves; see detachFromClient.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.timeouts.answer)
	defer cancel()
	if request.Wait > 0 {
		slot, err := a.acquireSlot(a.clientAddress(r), &p)
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		defer slot.release()
		waiting, end := context.WithCancel(r.Context())
		defer end()
		watch := &watchedConnection{holder: longPoll(end)}
		credential, err := a.Authority.CredentialOf(r)
		if err == nil {
			err = a.grants.add(r.Context(), watch, p, credential)
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		defer a.grants.remove(watch)
		ctx = waiting
	}
	page, err := a.Hub.History(ctx, request)
	if err != nil && request.Wait > 0 && r.Context().Err() == nil && ctx.Err() != nil {
		// The grant has ended or changed during the wait. Authenticating again tells which.
		_, err = a.Authority.Authenticate(r)
		if err == nil {
			err = regranted
		}
	}
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, historyPage{page, p.Grant.ID()})
}

// A longPoll ends the wait of a long poll.
type longPoll context.CancelFunc

// endGrant implements grantHolder.
func (end longPoll) endGrant(wire.Reason) { end() }

// A historyPage is the answer of GET /api/events.
type historyPage struct {
	hub.HistoryPage
	Grant string `json:"grant"` // the id of the grant that selected the events, as in a stream's hello
}

// regranted refuses a request because its sender's grant has changed.
var regranted = newProblem(problem.Regranted)

// parseHistoryRequest reads the query of GET /api/events. The query must have passed
// checkQuery.
func parseHistoryRequest(r *http.Request) (hub.HistoryRequest, error) {
	var h hub.HistoryRequest
	var err error
	if h.Filter, h.After, err = parseStreamRequest(r); err != nil {
		return h, err
	}
	if text := r.URL.Query().Get("before"); text != "" {
		before, err := wire.ParseCursor(text)
		if err != nil {
			return h, invalidCursor("/before")
		}
		h.Before = &before
	}
	if h.Limit, err = intParameter(r, "limit", defaultLimit, 1, maxLimit); err != nil {
		return h, err
	}
	seconds, err := intParameter(r, "wait", 0, 0, maxWait)
	h.Wait = time.Duration(seconds) * time.Second
	switch {
	case err != nil:
		return h, err
	case h.After != nil && h.Before != nil:
		return h, invalidParameter("before", "after or before, not both")
	case h.Wait > 0 && h.After == nil:
		return h, invalidParameter("wait", "wait with after alone: only the future can be waited for")
	}
	return h, nil
}

// intParameter returns an integer parameter of the query, which must be from least to
// most. It returns absent if the query does not have the parameter.
func intParameter(r *http.Request, name string, absent, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, invalidParameter(name, fmt.Sprintf("an integer from %d to %d", least, most))
	}
	return n, nil
}
