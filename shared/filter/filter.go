// Package filter is a subscription: which events a reader asks for. What the
// reader may see is decided elsewhere (package access); a filter only narrows.
package filter

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/snd-rental/yardline/shared/event"
)

// A Filter passes an event that matches every part that is set. It is a
// value; Parse returns it normalised (sorted, each name once, a part that
// names everything left out), so that equal filters have equal Keys.
type Filter struct {
	Types    []event.Type
	Modules  []event.Module
	Subjects []string       // exact (rental/123) or every subject of a kind (rental/*)
	Severity event.Severity // the least that passes; "" is the same as info
}

// Limits of what one filter may name.
const (
	maxSubjects   = 100
	maxSubjectLen = 512 // the longest that an event can have is equipment/ and 120 characters
)

// An Error names the parameter that was refused and what it takes.
type Error struct {
	Parameter string
	Expected  string
}

func (e *Error) Error() string { return e.Parameter + ": expected " + e.Expected }

// Parameters are those that Parse reads.
var Parameters = []string{"types", "modules", "subjects", "severity"}

// Parse reads a filter from the query parameters types, modules, subjects and
// severity; lists are comma separated or repeated, and a subject is
// percent-encoded once more where it holds a comma. Other parameters are
// ignored. The error is an *Error that lists the known names.
func Parse(q url.Values) (Filter, error) {
	var (
		f   Filter
		err error
	)
	if f.Types, err = names(q, "types", event.Types); err != nil {
		return Filter{}, err
	}
	if f.Modules, err = names(q, "modules", event.Modules); err != nil {
		return Filter{}, err
	}
	severities, err := names(q, "severity", event.Severities)
	if err != nil {
		return Filter{}, err
	}
	if len(severities) > 1 {
		return Filter{}, &Error{"severity", "one of info, success, warning, error"}
	}
	if len(severities) == 1 && severities[0] != event.Info {
		f.Severity = severities[0]
	}
	for _, s := range values(q, "subjects") {
		subject, err := url.PathUnescape(s)
		kind, rest, slash := strings.Cut(subject, "/")
		if err != nil || !slash || !slices.Contains(event.SubjectKinds, kind) || rest == "" ||
			len(subject) > maxSubjectLen ||
			strings.ContainsFunc(subject, unicode.IsControl) {
			return Filter{}, &Error{"subjects", "subjects such as rental/123 or rental/*, of a kind out of " + join(event.SubjectKinds)}
		}
		f.Subjects = append(f.Subjects, subject)
	}
	slices.Sort(f.Subjects)
	if f.Subjects = slices.Compact(f.Subjects); len(f.Subjects) > maxSubjects {
		return Filter{}, &Error{"subjects", fmt.Sprintf("at most %d subjects", maxSubjects)}
	}
	return f, nil
}

// Query is the query form of f, which Parse reads back as an equal filter.
func (f Filter) Query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("types", join(f.Types))
	set("modules", join(f.Modules))
	set("severity", string(f.Severity))
	escaped := make([]string, len(f.Subjects))
	for i, s := range f.Subjects {
		escaped[i] = strings.NewReplacer("%2F", "/", ",", "%2C").Replace(url.PathEscape(s))
	}
	set("subjects", join(escaped))
	return q
}

// Key is equal for filters that pass the same events by the same parts.
func (f Filter) Key() string { return f.Query().Encode() }

// Match tells whether e passes. It reads only what every reader of e is
// given: type, module, severity and subject.
func (f Filter) Match(e event.Event) bool {
	if len(f.Types) > 0 && !slices.Contains(f.Types, e.Type) {
		return false
	}
	if len(f.Modules) > 0 && !slices.Contains(f.Modules, e.Module()) {
		return false
	}
	if f.Severity != "" && e.Severity.Rank() < f.Severity.Rank() {
		return false
	}
	return len(f.Subjects) == 0 || slices.ContainsFunc(f.Subjects, func(s string) bool { return MatchSubject(s, e.Subject) })
}

// MatchSubject tells whether a subject is the pattern, or of its kind.
func MatchSubject(pattern, subject string) bool {
	if kind, all := strings.CutSuffix(pattern, "/*"); all {
		return strings.HasPrefix(subject, kind+"/")
	}
	return pattern == subject
}

// names reads a list of known names in their declared order; a list of all of
// them is no restriction.
func names[T ~string](q url.Values, parameter string, known []T) ([]T, error) {
	given := values(q, parameter)
	for _, name := range given {
		if !slices.Contains(known, T(name)) {
			return nil, &Error{parameter, "some of " + join(known)}
		}
	}
	var found []T
	for _, name := range known {
		if slices.Contains(given, string(name)) {
			found = append(found, name)
		}
	}
	if len(found) == len(known) && parameter != "severity" {
		return nil, nil
	}
	return found, nil
}

func values(q url.Values, parameter string) []string {
	var all []string
	for _, value := range q[parameter] {
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				all = append(all, item)
			}
		}
	}
	return all
}

func join[T ~string](items []T) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = string(item)
	}
	return strings.Join(parts, ",")
}
