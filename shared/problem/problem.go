// Package problem lists every refusal of the broker: its code, its HTTP status, its
// title, and its advice for the user.
//
// The broker answers a refused request with a problem document (RFC 9457). The file
// table.go is the only place that spells the codes, titles and advice of these
// documents. The broker writes its documents from it, clients compare codes with its
// constants, a test holds the edge's worker.mjs to it, and the table of refusals in
// docs/protocol.md is generated from it:
//
//	go test ./shared/problem -run ProtocolDoc -rewrite
//
// # Codes
//
// A code never changes, because programs decide by it. Several problems may share a
// code when a program treats them alike, such as the three that are "forbidden".
// Titles and advice are for people, and may change.
//
// The codes of single fields, such as "required", are constants of the package event.
package problem

import "fmt"

// TypePrefix is the start of the type of each problem document. The code follows it. A
// refusal is the broker's only if its document has such a type.
const TypePrefix = "urn:yardline:problem:"

// MediaType is the content type of a problem document.
const MediaType = "application/problem+json"

// A Problem is one refusal of the broker. It is a value; its methods return changed
// copies.
type Problem struct {
	// Code identifies the kind of problem for programs. Clients must expect codes that they
	// do not know.
	Code string
	// Status is the HTTP status of the answer, 400 or more.
	Status int
	// Title describes the problem in a few words. It may have placeholders, which FillTitle
	// fills.
	Title string
	// Advice describes the next step of the user. It is the "detail" of the document. It may have
	// placeholders, which FillAdvice fills.
	Advice string
	// RetryAfter is the number of seconds after which the request may succeed. 0 means
	// that waiting does not help, or that the broker computes the time for each answer.
	RetryAfter int
}

// FillTitle returns a copy of p with the placeholders of its title filled, as
// [fmt.Sprintf] does.
func (p Problem) FillTitle(values ...any) Problem {
	p.Title = fmt.Sprintf(p.Title, values...)
	return p
}

// FillAdvice returns a copy of p with the placeholders of its advice filled, as
// [fmt.Sprintf] does.
func (p Problem) FillAdvice(values ...any) Problem {
	p.Advice = fmt.Sprintf(p.Advice, values...)
	return p
}

// Type returns the type of the problem's document.
func (p Problem) Type() string { return TypePrefix + p.Code }

// Codes returns every code once, in the order of the HTTP status.
func Codes() []string {
	var codes []string
	known := map[string]bool{}
	for _, p := range All() {
		if !known[p.Code] {
			known[p.Code] = true
			codes = append(codes, p.Code)
		}
	}
	return codes
}

// define returns a problem. The compiler must be able to compute the call, so that programs link only the problems that
// they use.
func define(status int, code, title, advice string) Problem {
	return Problem{Code: code, Status: status, Title: title, Advice: advice}
}

// defineWithRetry is like define, for a problem that goes away by itself.
func defineWithRetry(status int, code, title, advice string, retryAfter int) Problem {
	return Problem{Code: code, Status: status, Title: title, Advice: advice, RetryAfter: retryAfter}
}
