package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
)

// streamParameters are the query parameters of every route that reads events: those of
// the filter, and the two names of the cursor to resume at.
var streamParameters = slices.Concat(filter.Parameters, []string{"after", lastEventID})

// queryParameters lists the query parameters of each route under /api/. A route that is
// not listed has none.
var queryParameters = map[string][]string{
	"GET /api/sse":           streamParameters,
	"POST /api/sse":          {"strict"},
	"GET /api/ws":            streamParameters,
	"GET /api/events":        slices.Concat(streamParameters, []string{"before", "limit", "wait"}),
	"GET /api/schema/{type}": {"for"},
}

// checkQuery returns a handler that refuses a malformed query, an unknown parameter, and a
// second value of a parameter that is not a list. It passes all other requests to next.
// Without it, net/url would drop a malformed pair silently, and a reader whose filter was
// dropped would get all events.
func (a *API) checkQuery(known []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := parseQuery(r.URL.RawQuery)
		if err == nil {
			err = checkParameters(q, known...)
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		next(w, r)
	}
}

// parseQuery reads a query. The error points to the parameter that is malformed.
func parseQuery(text string) (url.Values, error) {
	q, err := url.ParseQuery(text)
	if err == nil {
		return q, nil
	}
	name := ""
	for pair := range strings.SplitSeq(text, "&") {
		if _, err := url.ParseQuery(pair); err != nil {
			name, _, _ = strings.Cut(pair, "=")
			break
		}
	}
	const expected = `pairs of name=value between "&", percent-encoded: % as %25, ; as %3B`
	return nil, newProblem(problem.MalformedQuery.FillAdvice(expected),
		event.FieldError{Pointer: "/" + event.EscapePointer(name), Code: event.CodeFormat, Expected: expected})
}

// checkParameters refuses a parameter that is not among known, because ignoring it would
// change the meaning of the request: type= in place of types= would ask for all events.
// It also refuses the repetition of a parameter that is not a list.
func checkParameters(q url.Values, known ...string) error {
	for name, values := range q {
		if !slices.Contains(known, name) {
			expected := "none"
			if len(known) > 0 {
				expected = "some of " + strings.Join(known, ", ")
			}
			return newProblem(problem.UnknownParameter,
				event.Refuse("/"+event.EscapePointer(name), event.CodeUnknownName, expected).Fields...)
		}
		if len(values) > 1 && !slices.Contains(filter.Parameters, name) {
			return invalidParameter(name, "one value")
		}
	}
	return nil
}

// invalidParameter returns the refusal of a parameter's value. expected completes
// "expected …".
func invalidParameter(name, expected string) error {
	return newProblem(problem.InvalidParameter.FillAdvice(name, expected),
		event.Refuse("/"+name, event.CodeLimit, expected).Fields...)
}
