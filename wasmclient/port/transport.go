// Package port has the interfaces through which the client reaches its surroundings: the broker, the page, the storage.
package port

import (
	"context"
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

// A Request to the broker.
type Request struct {
	Method string
	Path   string            // with its query, from the broker's root
	Header map[string]string // beside those of the transport
	Body   []byte

	// Repeatable says that it does no harm to send the request twice, so that a
	// transport may do so where a kept connection ended before the answer.
	Repeatable bool
}

// A Response of the broker, or of something between. A transport follows no
// redirect: the broker sends none, and what a redirect leads to gets no
// credentials.
type Response struct {
	Status      int    // a redirect in a browser is 302: a page does not learn which
	ContentType string // by MediaType
	RetryAfter  string
	Location    string // of a redirect; "" in a browser
	Body        []byte // of a stream: empty
}

// MediaType is the media type of a Content-Type header in lower case, without
// its parameters: those of some proxies are malformed.
func MediaType(header string) string {
	media, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// A Transport carries requests to one broker, with its credentials. Packages
// browser and native have one each; both pass transporttest.
type Transport interface {
	// Do sends a request and returns the whole answer, whatever its status.
	// An error means that there was none.
	Do(ctx context.Context, r Request) (Response, error)

	// Stream sends a request. Where the answer is an event stream (200,
	// text/event-stream) its pieces go to take as they come, until the body
	// ends or take returns an error; a piece is valid during the call. Any
	// other answer is returned whole. An error means that no answer came, or
	// that the stream broke.
	Stream(ctx context.Context, r Request, take func(piece []byte) error) (Response, error)

	// Socket opens a WebSocket at a path, by the subprotocol wire.Subprotocol.
	// Its text messages go to take as they come, each valid during the call,
	// until it is closed or take returns an error. ErrNoUpgrade means that it
	// did not open; a browser does not say why.
	Socket(ctx context.Context, path string, take func(message []byte) error) error
}

// ErrNoUpgrade means that a WebSocket did not open.
var ErrNoUpgrade = errors.New("wasmclient: the WebSocket did not open")

// An Error is a refusal by the broker, or by a proxy or the like that answered in
// the broker's place. Such an answer is never final.
type Error struct {
	Status     int
	FromBroker bool
	Code       string // stable, such as invalid_event; not FromBroker: conn.LoginRedirect, or http_ and the status
	Title      string
	Detail     string
	Fields     []event.FieldError
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s (%s, HTTP %d)", e.Title, e.Code, e.Status)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Sentence says to the user what happened and what to do, with the code to
// quote.
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

// The marks of the broker's problem documents. Gateways send problem documents
// too, of types of their own.
const (
	ProblemMediaType = problem.MediaType
	problemTypes     = problem.TypePrefix
)

// ErrorOf reads a refusal, nil where the answer is none. What is no problem
// document of the broker came from something between us and it.
func ErrorOf(r Response) error {
	if r.Status >= 200 && r.Status < 300 {
		return nil
	}
	e := &Error{Status: r.Status}
	var p struct {
		Type   string             `json:"type"`
		Code   string             `json:"code"`
		Title  string             `json:"title"`
		Detail string             `json:"detail"`
		Errors []event.FieldError `json:"errors"`
	}
	isProblem := r.ContentType == ProblemMediaType && json.Unmarshal(r.Body, &p) == nil
	switch {
	case isProblem && p.Code != "" && strings.HasPrefix(p.Type, problemTypes):
		e.FromBroker, e.Code, e.Title, e.Detail, e.Fields = true, p.Code, p.Title, p.Detail, p.Errors
	case r.Status >= 300 && r.Status < 400 && r.Status != 304:
		e.Code, e.Title = conn.LoginRedirect, "A redirect came in place of the broker's answer"
		e.Detail = "Reload the page, perhaps to sign in."
		if r.Location != "" {
			e.Detail = "It leads to " + r.Location
		}
	default:
		e.notBroker()
	}
	e.RetryAfter = retryAfter(r.RetryAfter, time.Now())
	return e
}

// UnexpectedAnswer returns the error of an answer with a successful status that the broker
// would not give.
func UnexpectedAnswer(r Response) error {
	if r.Status == 200 {
		return fmt.Errorf("%w, but %q", ErrNotBroker, r.ContentType)
	}
	e := &Error{Status: r.Status}
	e.notBroker()
	return e
}

func (e *Error) notBroker() {
	e.Code, e.Title = "http_"+strconv.Itoa(e.Status), "The answer did not come from the broker"
}

// retryAfter reads the header of that name, a number of seconds or a date; 0
// where it says nothing.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(0, min(seconds, int(maxRetryAfter/time.Second)))) * time.Second
	}
	if at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", header); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}

// maxRetryAfter bounds what a broken proxy may ask for, or a clock that is wrong.
const maxRetryAfter = time.Hour

// ErrNotBroker means that something else answered, such as a captive portal.
var ErrNotBroker = errors.New("wasmclient: the answer did not come from a broker")
