package port

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// An Error is a refusal by the broker, or by something that answered in the broker's place, such as a proxy. An
// answer of the latter is never final.
type Error struct {
	// Status is the HTTP status.
	Status int

	// FromBroker reports whether the broker itself refused.
	FromBroker bool

	// Code is stable, such as invalid_event. If FromBroker is false, it is conn.LoginRedirect, or "http_" with the
	// status.
	Code string

	// Title says in a few words what happened.
	Title string

	// Detail is a sentence for the user, or "".
	Detail string

	// Fields are the invalid fields of an event that was published.
	Fields []event.FieldError

	// RetryAfter is the delay that the answer asked for, at most an hour. 0 means none.
	RetryAfter time.Duration
}

// Error returns title, code, status and detail.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s (%s, HTTP %d)", e.Title, e.Code, e.Status)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Sentence tells the user what happened and what to do, with the code to quote.
func (e *Error) Sentence() string {
	text := e.Title + "."
	for _, f := range e.Fields {
		text += " " + strings.TrimPrefix(f.Pointer, "/data/") + ": expected " + f.Expected + "."
	}
	if len(e.Fields) == 0 && e.Detail != "" {
		text += " " + e.Detail
	}
	return text + " (" + e.Code + ")"
}

// A document is a problem document. Gateways send problem documents too, of types of their own.
type document struct {
	Type   string             `json:"type"`
	Code   string             `json:"code"`
	Title  string             `json:"title"`
	Detail string             `json:"detail"`
	Errors []event.FieldError `json:"errors"`
}

// ErrorOf returns an [*Error] if the response is a refusal, and nil if its status is 2xx. A refusal that is no problem
// document of the broker came from something between the client and the broker.
func ErrorOf(r Response) error {
	if r.Status >= 200 && r.Status < 300 {
		return nil
	}
	e := &Error{Status: r.Status}
	var p document
	isProblem := r.ContentType == problem.MediaType && json.Unmarshal(r.Body, &p) == nil
	switch {
	case isProblem && p.Code != "" && strings.HasPrefix(p.Type, problem.TypePrefix):
		e.FromBroker, e.Code, e.Title, e.Detail, e.Fields = true, p.Code, p.Title, p.Detail, p.Errors
	case r.Status >= 300 && r.Status < 400 && r.Status != 304:
		e.Code, e.Title = conn.LoginRedirect, "A redirect came in place of the broker's answer"
		e.Detail = "Reload the page, perhaps to sign in."
		if r.Location != "" {
			e.Detail = "It leads to " + r.Location
		}
	default:
		e.setNotFromBroker()
	}
	e.RetryAfter = parseRetryAfter(r.RetryAfter, time.Now())
	return e
}

// ErrNotBroker means that something else than a broker answered as if all were well, such as a captive portal.
var ErrNotBroker = errors.New("wasmclient: the answer did not come from a broker")

// UnexpectedAnswer returns the error for an answer with a successful status that the broker would not give. It wraps
// [ErrNotBroker] if the status is 200, and is an [*Error] otherwise.
func UnexpectedAnswer(r Response) error {
	if r.Status == 200 {
		return fmt.Errorf("%w, but %q", ErrNotBroker, r.ContentType)
	}
	e := &Error{Status: r.Status}
	e.setNotFromBroker()
	return e
}

func (e *Error) setNotFromBroker() {
	e.Code, e.Title = "http_"+strconv.Itoa(e.Status), "The answer did not come from the broker"
}

// maxRetryAfter bounds Retry-After, because a proxy may be broken, and a clock may be wrong.
const maxRetryAfter = time.Hour

// parseRetryAfter reads a Retry-After header, which is a number of seconds or a date. It returns 0 for anything else.
func parseRetryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(0, min(seconds, int(maxRetryAfter/time.Second)))) * time.Second
	}
	if at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", header); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}
