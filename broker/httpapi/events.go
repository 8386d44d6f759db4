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
	defaultLimit = 100
	maxLimit     = 1000
	maxWait      = 55 // seconds: common proxies cut at 60
)

// events is GET /api/events: history in both directions, and long poll.
func (a *API) events(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	request, err := historyOf(r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	request.Grant = p.Grant
	// Only a request that waits for events ends when its client leaves; see whole.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.patience.answer)
	defer cancel()
	if request.Wait > 0 {
		place, err := a.admit(a.address(r), &p)
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		defer place.leave()
		waiting, end := context.WithCancel(r.Context())
		defer end()
		stop, err := a.open.over(p, a.again(r), func(wire.Reason) { end() })
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		defer stop()
		ctx = waiting
	}
	page, err := a.Hub.History(ctx, request)
	if err != nil && request.Wait > 0 && r.Context().Err() == nil && ctx.Err() != nil {
		// The grant has ended, or is another one, while it waited. Asking again
		// tells which.
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

// A historyPage says by which grant it was read, as a stream's hello does.
type historyPage struct {
	hub.HistoryPage
	Grant string `json:"grant"`
}

var regranted = newProblem(problem.Regranted)

func historyOf(r *http.Request) (hub.HistoryRequest, error) {
	var h hub.HistoryRequest
	var err error
	if h.Filter, h.After, err = asked(r); err != nil {
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
