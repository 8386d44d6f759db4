// Package contracttest is the contract of every client of a Yardline stream, as a table of cases. A case
// lists the broker's answers, and the events, requests and states that the client must have.
//
// [Run] plays each case in virtual time: with whole answers, rune by rune, and split in two at every
// byte. Clients in other languages can play the same [Cases] over a socket.
package contracttest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// An Answer is the answer of the broker, or of a proxy, to one request for a stream. After Body and
// Later the connection ends, unless it stays Open.
type Answer struct {
	Status     int           // Status is the HTTP status of a refusal. 0 means 200, an event stream.
	Media      string        // Media is the Content-Type of a refusal. Empty means one that fits Body: JSON or HTML.
	RetryAfter string        // RetryAfter is the header of that name, in seconds.
	Body       string        // Body is the answer, or the beginning of the stream.
	Lasts      time.Duration // Lasts is the time between Body and Later.
	Later      string        // Later is the end of the stream.
	Open       bool          // Open keeps the stream open.
}

// media returns the Content-Type of a refusal.
func (a Answer) media() string {
	switch {
	case a.Media != "":
		return a.Media
	case strings.HasPrefix(a.Body, "{"):
		return problem.MediaType
	}
	return "text/html"
}

// A Case describes one run of a client that starts with live events only.
type Case struct {
	Name    string
	Answers []Answer      // Answers are those to the requests, in order. Later requests get none.
	Within  time.Duration // Within is the length of the run. Defaults to a minute.
	IDs     []string      // IDs are those of the events that the client must deliver, in order.
	After   []string      // After are the cursors that the requests must name, empty for none.
	Gaps    int           // Gaps is the number of gaps that the client must report.
	State   string        // State is the client's state in the end.
	Code    string        // Code is the state's code in the end.
}

// A Subject is a client under test.
type Subject interface {
	// Run connects by the transport until ctx ends. It calls event with the id of each event that it
	// delivers, and gap for each gap.
	Run(ctx context.Context, t port.Transport, event func(id string), gap func())
	// State returns the present state and its code, by the names of package conn.
	State() (state, code string)
}

// Run plays all cases.
func Run(t *testing.T, subject func() Subject) {
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) {
			c.play(t, subject(), func(body string) []string { return []string{body} }, "whole")
			c.play(t, subject(), func(body string) []string { return strings.Split(body, "") }, "rune by rune")
			for at := 1; at < c.longest(); at++ {
				c.play(t, subject(), func(body string) []string { return split(body, at) }, fmt.Sprint("split at ", at))
			}
		})
	}
}

// longest returns the length of the longest body of the answers, in bytes.
func (c Case) longest() (n int) {
	for _, a := range c.Answers {
		n = max(n, len(a.Body))
	}
	return n
}

// split divides a body in two at a byte.
func split(body string, at int) []string {
	if at >= len(body) {
		return []string{body}
	}
	return []string{body[:at], body[at:]}
}

// play plays the case with a client. cut divides the bodies of answers into pieces; how names this way in failures.
func (c Case) play(t *testing.T, s Subject, cut func(string) []string, how string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		broker := &script{answers: c.Answers, cut: cut}
		ctx, cancel := context.WithCancel(t.Context())
		var ids []string
		gaps := 0
		var done sync.WaitGroup
		done.Go(func() { s.Run(ctx, broker, func(id string) { ids = append(ids, id) }, func() { gaps++ }) })
		within := c.Within
		if within == 0 {
			within = time.Minute
		}
		time.Sleep(within)
		synctest.Wait()
		state, code := s.State()
		cancel()
		done.Wait()
		got := fmt.Sprintf("events %q, places %q, %d gaps, %s %s", ids, broker.after, gaps, state, code)
		want := fmt.Sprintf("events %q, places %q, %d gaps, %s %s", c.IDs, c.After, c.Gaps, c.State, c.Code)
		if got != want {
			t.Fatalf("%s:\n got %s\nwant %s", how, got, want)
		}
	})
}

// script is the broker of a case. It implements port.Transport.
type script struct {
	answers []Answer
	cut     func(string) []string

	mu    sync.Mutex
	after []string // the cursor of each request
}

// Stream implements port.Transport.
func (s *script) Stream(ctx context.Context, r port.Request, handle func([]byte) error) (port.Response, error) {
	u, err := url.Parse(r.Path)
	if err != nil {
		return port.Response{}, err
	}
	s.mu.Lock()
	n := len(s.after)
	if n >= len(s.answers) { // there are no more answers, and the request is not noted
		s.mu.Unlock()
		<-ctx.Done()
		return port.Response{}, ctx.Err()
	}
	s.after = append(s.after, u.Query().Get("after"))
	a := s.answers[n]
	s.mu.Unlock()
	if a.Status != 0 {
		return port.Response{Status: a.Status, ContentType: a.media(), RetryAfter: a.RetryAfter,
			Body: []byte(a.Body)}, nil
	}
	answer := port.Response{Status: 200, ContentType: "text/event-stream"}
	for _, piece := range s.cut(a.Body) {
		if err := handle([]byte(piece)); err != nil {
			return answer, err
		}
	}
	if a.Later != "" {
		time.Sleep(a.Lasts) // virtual
		if err := handle([]byte(a.Later)); err != nil {
			return answer, err
		}
	}
	if a.Open {
		<-ctx.Done()
		return answer, ctx.Err()
	}
	return answer, nil
}

// Do implements port.Transport. There are no answers but streams.
func (s *script) Do(context.Context, port.Request) (port.Response, error) {
	return port.Response{}, errors.New("contracttest: no answer")
}

// Socket implements port.Transport. There are no WebSockets.
func (s *script) Socket(context.Context, string, func([]byte) error) error {
	return port.ErrNoUpgrade
}
