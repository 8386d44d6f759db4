package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// Bounds of a page of history.
const (
	defaultLimit = 100
	maxLimit     = 1000
	maxWait      = 55 // seconds: common proxies cut at 60
)

// events is GET /api/events: history in both directions, and long poll.
func (a *api) events(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	request, err := historyOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	request.Grant = p.Grant
	page, err := a.Hub.History(r.Context(), request)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	// A sign-out or expiry while it waited.
	if _, err := a.Authority.Authenticate(r); err != nil {
		a.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, page)
}

func historyOf(r *http.Request) (hub.HistoryRequest, error) {
	var h hub.HistoryRequest
	var err error
	if h.Filter, h.After, err = asked(r, "before", "limit", "wait"); err != nil {
		return h, err
	}
	if text := r.URL.Query().Get("before"); text != "" {
		before, err := wire.ParseCursor(text)
		if err != nil {
			return h, badCursor("/before")
		}
		h.Before = &before
	}
	if h.Limit, err = number(r, "limit", defaultLimit, 1, maxLimit); err != nil {
		return h, err
	}
	seconds, err := number(r, "wait", 0, 0, maxWait)
	h.Wait = time.Duration(seconds) * time.Second
	switch {
	case err != nil:
		return h, err
	case h.After != nil && h.Before != nil:
		return h, badParameter("before", "after or before, not both")
	case h.Wait > 0 && h.After == nil:
		return h, badParameter("wait", "wait with after alone: only the future can be waited for")
	}
	return h, nil
}

// number reads an integer parameter within bounds.
func number(r *http.Request, name string, absent, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badParameter(name, fmt.Sprintf("an integer from %d to %d", least, most))
	}
	return n, nil
}

func badParameter(name, expected string) error {
	return &Problem{Status: http.StatusBadRequest, Code: "invalid_parameter", Title: "A parameter is not valid", Detail: name + ": expected " + expected + ".",
		Errors: event.Refuse("/"+name, "limit", expected).Fields}
}
