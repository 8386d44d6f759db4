// Package filter selects the events that a reader receives.
//
// A filter only removes events from those that the package access shows to the reader.
//
// # Usage
//
// [Parse] reads a filter from the query of a request. [Filter.Match] reports whether an
// event passes it. [Filter.Query] writes it back.
//
// # Guarantees
//
// Parse normalises filters, so that filters which pass the same events by the same parts
// have equal keys ([Filter.Key]). Parse(f.Query()) returns a filter equal to f.
package filter

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/snd-rental/yardline/shared/event"
)

// A Filter passes an event that matches each of its parts. The zero Filter passes every
// event. Parse returns filters in normal form: sorted, each name once, and without a part
// that names everything.
type Filter struct {
	// Types are the types that pass. Empty means all.
	Types []event.Type
	// Modules are the modules that pass. Empty means all.
	Modules []event.Module
	// Subjects are the subjects that pass: a subject such as rental/123, or all subjects
	// of a kind, such as rental/*. Empty means all.
	Subjects []string
	// Severity is the least severity that passes. "" means info.
	Severity event.Severity
}

// The limits of a filter. The longest subject of an event has 490 bytes: equipment/ and 120
// characters of at most 4 bytes.
const (
	maxSubjects   = 100
	maxSubjectLen = 512 // bytes
)

// An Error is the refusal of a query parameter.
type Error struct {
	// Parameter is the name of the parameter.
	Parameter string
	// Expected describes the values that the parameter accepts.
	Expected string
}

// Error returns the name of the parameter and the values that it accepts.
func (e *Error) Error() string { return e.Parameter + ": expected " + e.Expected }

// Parameters lists the query parameters that Parse reads. It must not be changed.
var Parameters = []string{"types", "modules", "subjects", "severity"}

// Parse reads a filter from the query parameters types, modules, subjects and severity.
// A list is separated by commas, or its parameter is repeated. A subject that has a comma
// is percent-encoded once more. Parse ignores other parameters. The error is an [*Error]
// that lists the known names.
func Parse(q url.Values) (Filter, error) {
	var (
		f   Filter
		err error
	)
	if f.Types, err = readNames(q, "types", event.Types); err != nil {
		return Filter{}, err
	}
	if f.Modules, err = readNames(q, "modules", event.Modules); err != nil {
		return Filter{}, err
	}
	severities, err := readNames(q, "severity", event.Severities)
	if err != nil {
		return Filter{}, err
	}
	if len(severities) > 1 {
		return Filter{}, &Error{"severity", "one of info, success, warning, error"}
	}
	if len(severities) == 1 && severities[0] != event.Info {
		f.Severity = severities[0]
	}
	if f.Subjects, err = parseSubjects(q); err != nil {
		return Filter{}, err
	}
	return f, nil
}

// parseSubjects returns the subjects of a query, sorted and each once.
func parseSubjects(q url.Values) ([]string, error) {
	var subjects []string
	for _, s := range readItems(q, "subjects") {
		subject, err := url.PathUnescape(s)
		if err != nil || !isSubject(subject) {
			return nil, &Error{"subjects",
				"subjects such as rental/123 or rental/*, of a kind out of " + join(event.SubjectKinds)}
		}
		subjects = append(subjects, subject)
	}
	slices.Sort(subjects)
	if subjects = slices.Compact(subjects); len(subjects) > maxSubjects {
		return nil, &Error{"subjects", fmt.Sprintf("at most %d subjects", maxSubjects)}
	}
	return subjects, nil
}

// isSubject reports whether s may be a subject of a filter: a known kind, a slash, and
// more text without control characters.
func isSubject(s string) bool {
	kind, rest, slash := strings.Cut(s, "/")
	return slash && slices.Contains(event.SubjectKinds, kind) && rest != "" &&
		len(s) <= maxSubjectLen && !strings.ContainsFunc(s, unicode.IsControl)
}

// Query returns the query form of f. Parse reads it back as an equal filter.
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

// Key returns a text that is equal for equal filters that Parse returned.
func (f Filter) Key() string { return f.Query().Encode() }

// Match reports whether e passes. It looks at the type, module, severity and subject
// only, which every reader of e sees. Its result is therefore the same before and after
// redaction.
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
	matches := func(pattern string) bool { return MatchSubject(pattern, e.Subject) }
	return len(f.Subjects) == 0 || slices.ContainsFunc(f.Subjects, matches)
}

// MatchSubject reports whether a subject equals the pattern, or is of the pattern's kind
// when the pattern ends in /*.
func MatchSubject(pattern, subject string) bool {
	if kind, all := strings.CutSuffix(pattern, "/*"); all {
		return strings.HasPrefix(subject, kind+"/")
	}
	return pattern == subject
}

// readNames reads a list of known names and returns them in their declared order. It
// returns nil for a list of all names, because such a list restricts nothing. The parameter
// severity is no list, so this does not apply to it.
func readNames[T ~string](q url.Values, parameter string, known []T) ([]T, error) {
	given := readItems(q, parameter)
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

// readItems returns the items of a parameter: all its values, split at commas.
func readItems(q url.Values, parameter string) []string {
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

// join returns the items as one text, separated by commas.
func join[T ~string](items []T) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = string(item)
	}
	return strings.Join(parts, ",")
}
