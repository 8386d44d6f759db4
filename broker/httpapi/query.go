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

// streamParameters are the query parameters of everything that reads events:
// the filter, and the two names of the cursor to resume at.
var streamParameters = slices.Concat(filter.Parameters, []string{"after", lastEventID})

// parametersOf lists the query parameters of each method of the API. A method
// that is not listed has none.
var parametersOf = map[string][]string{
	"GET /api/sse":           streamParameters,
	"POST /api/sse":          {"strict"},
	"GET /api/ws":            streamParameters,
	"GET /api/events":        slices.Concat(streamParameters, []string{"before", "limit", "wait"}),
	"GET /api/schema/{type}": {"for"},
}

// checkQuery refuses a malformed query, an unknown parameter, and a second value
// of a parameter that is no list, before next gets the request. Otherwise net/url
// would drop a malformed pair silently, and without its filter a reader would get
// all events.
func (a *API) checkQuery(known []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := parseQuery(r.URL.RawQuery)
		if err == nil {
			err = onlyParameters(q, known...)
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		next(w, r)
	}
}

// parseQuery reads a query. The error names the pair that is malformed.
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
		event.FieldError{Pointer: "/" + event.EscapePointer(name), Code: "format", Expected: expected})
}

// onlyParameters refuses a parameter that would be ignored: a slip such as
// type= for types= would ask for everything. Only lists may be repeated.
func onlyParameters(q url.Values, known ...string) error {
	for name, values := range q {
		if !slices.Contains(known, name) {
			expected := "none"
			if len(known) > 0 {
				expected = "some of " + strings.Join(known, ", ")
			}
			return newProblem(problem.UnknownParameter,
				event.Refuse("/"+event.EscapePointer(name), "unknown_name", expected).Fields...)
		}
		if len(values) > 1 && !slices.Contains(filter.Parameters, name) {
			return badParameter(name, "one value")
		}
	}
	return nil
}

func badParameter(name, expected string) error {
	return newProblem(problem.InvalidParameter.FillAdvice(name, expected),
		event.Refuse("/"+name, "limit", expected).Fields...)
}
