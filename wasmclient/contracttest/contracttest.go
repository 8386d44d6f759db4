// Package contracttest is what any client of a Yardline stream must do, as a
// table: what the broker sends, connection by connection, and what the client
// must deliver, ask for and show. Run plays every case in virtual time, whole,
// byte by byte, and split in two at every byte. Clients in other languages can
// play the same Cases over a socket.
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

// An Answer is what the broker, or something between, gives to one request for a
// stream. After Body and Later the connection ends, unless it stays Open.
type Answer struct {
	Status     int    // 0 is 200; else Body is that of a refusal
	Media      string // the Content-Type of a refusal; "" is the broker's where Body is JSON, and else HTML
	RetryAfter string // seconds
	Body       string
	Lasts      time.Duration // how long the stream lasts until Later comes
	Later      string
	Open       bool
}

// media is the Content-Type of a refusal.
func (a Answer) media() string {
	switch {
	case a.Media != "":
		return a.Media
	case strings.HasPrefix(a.Body, "{"):
		return problem.MediaType
	}
	return "text/html"
}

// A Case is a life of a client that starts with live events only.
type Case struct {
	Name    string
	Answers []Answer      // to the requests, one after the other; then nothing is answered
	Within  time.Duration // how long it takes at the most; 0 is a minute
	IDs     []string      // of the events that are delivered, in order
	After   []string      // the place that each request names, "" for none
	Gaps    int           // that are reported
	State   string        // in the end
	Code    string        // in the end
}

// A Subject is a client under test.
type Subject interface {
	// Run connects by the transport until ctx ends, and calls event with the id
	// of every event that is delivered, and gap for every gap.
	Run(ctx context.Context, t port.Transport, event func(id string), gap func())
	// State is the present state and code, by the names of UX.
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

func (c Case) longest() (n int) {
	for _, a := range c.Answers {
		n = max(n, len(a.Body))
	}
	return n
}

func split(body string, at int) []string {
	if at >= len(body) {
		return []string{body}
	}
	return []string{body[:at], body[at:]}
}

func (c Case) play(t *testing.T, s Subject, cut func(string) []string, how string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		broker := &script{answers: c.Answers, cut: cut}
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		gaps := 0
		var done sync.WaitGroup
		done.Go(func() { s.Run(ctx, broker, func(id string) { got = append(got, id) }, func() { gaps++ }) })
		within := c.Within
		if within == 0 {
			within = time.Minute
		}
		time.Sleep(within)
		synctest.Wait()
		state, code := s.State()
		cancel()
		done.Wait()
		is := fmt.Sprintf("events %q, places %q, %d gaps, %s %s", got, broker.after, gaps, state, code)
		want := fmt.Sprintf("events %q, places %q, %d gaps, %s %s", c.IDs, c.After, c.Gaps, c.State, c.Code)
		if is != want {
			t.Fatalf("%s:\n got %s\nwant %s", how, is, want)
		}
	})
}

// script is the broker of a case.
type script struct {
	answers []Answer
	cut     func(string) []string

	mu    sync.Mutex
	after []string // what each request named
}

// Stream implements port.Transport.
func (s *script) Stream(ctx context.Context, r port.Request, take func([]byte) error) (port.Response, error) {
	u, err := url.Parse(r.Path)
	if err != nil {
		return port.Response{}, err
	}
	s.mu.Lock()
	n := len(s.after)
	if n >= len(s.answers) { // nothing more is said, and nothing more is noted
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
		if err := take([]byte(piece)); err != nil {
			return answer, err
		}
	}
	if a.Later != "" {
		time.Sleep(a.Lasts) // virtual
		if err := take([]byte(a.Later)); err != nil {
			return answer, err
		}
	}
	if a.Open {
		<-ctx.Done()
		return answer, ctx.Err()
	}
	return answer, nil
}

// Do implements port.Transport: a stream is all there is.
func (s *script) Do(context.Context, port.Request) (port.Response, error) {
	return port.Response{}, errors.New("contracttest: no answer")
}

// Socket implements port.Transport.
func (s *script) Socket(context.Context, string, func([]byte) error) error {
	return port.ErrNoUpgrade
}
