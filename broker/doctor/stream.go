package doctor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

const buffering = "Switch off buffering and compression of text/event-stream in the proxy: proxy_buffering off in " +
	"nginx (which must not ignore X-Accel-Buffering), no compression of this type, no caching in a CDN."

// stream measures the time to hello, and then the delay of an event. When a proxy
// holds a stream back, either the headers come without a hello, or neither comes.
func (v *visit) stream(ctx context.Context) {
	if v.Token == "" || v.basic != nil {
		v.say(
			"stream",
			Skipped,
			"Give a --token of somebody who may read, and let no proxy take its header.",
			"Streams need a token.",
		)
		return
	}
	s, took, err := v.open(ctx)
	if errors.Is(err, errLate) {
		v.say("stream", Failed, buffering, "Nothing came within %v: a proxy holds the stream back.", helloTimeout)
		return
	}
	if err != nil {
		v.say("stream", Failed, "See the broker's log.", "No answer: %v.", cause(err))
		return
	}
	defer s.close()
	answer := s.answer
	if answer.StatusCode != http.StatusOK ||
		!strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal)) // what there is of it
		if p := problemOf(answer, body); p != nil {
			v.refused("stream", "the stream", answer, p)
			return
		}
		body = body[:min(len(body), 512)]
		v.say(
			"stream",
			Failed,
			"Let the proxy pass /api/sse on unchanged, and see the answer.",
			"No stream but status %d%s: %s",
			answer.StatusCode,
			servedBy(answer),
			strings.TrimSpace(string(body)),
		)
		return
	}
	if answer.Uncompressed || answer.Header.Get("Content-Encoding") != "" {
		v.say(
			"compression",
			Warning,
			buffering,
			"A proxy compresses the stream, although the broker forbids it (no-transform)%s: events may wait in it "+
				"for more to compress.",
			servedBy(answer),
		)
	}
	switch {
	case s.hello != nil && took > helloWithin:
		v.say(
			"stream",
			Warning,
			"Look for a slow network, or a proxy that gathers what it passes on.",
			"The first word came after %v%s.",
			took,
			servedBy(answer),
		)
	case s.hello != nil:
		v.say("stream", OK, "", "The first word came after %v; a sign of life every %v.", took, s.hello.Heartbeat)
	case errors.Is(s.err, errLate):
		v.say(
			"stream",
			Failed,
			buffering,
			"The stream began, but its first word did not come within %v: a proxy holds it back%s.",
			helloTimeout,
			servedBy(answer),
		)
		return
	default:
		v.say(
			"stream",
			Failed,
			"Look at the timeouts of proxies in between.",
			"The stream broke before its first word: %v.",
			s.err,
		)
		return
	}
	if s.hello.Heartbeat >= 30*time.Second {
		v.say(
			"heartbeat",
			Warning,
			"Start the broker with --heartbeat 15s.",
			"A sign of life every %v: common proxies cut quiet streams at 30 s.",
			s.hello.Heartbeat,
		)
	}
	v.delay(ctx, s, took)
}

// A problemDocument is a refusal of the broker.
type problemDocument struct{ Type, Code, Title, Detail string }

// problemOf returns the broker's refusal, or nil when the answer is not the broker's.
func problemOf(answer *http.Response, body []byte) *problemDocument {
	var p problemDocument
	if answer.Header.Get("Content-Type") != problem.MediaType || json.Unmarshal(body, &p) != nil ||
		!strings.HasPrefix(p.Type, problem.TypePrefix) {
		return nil
	}
	return &p
}

// refused reports a refusal of the broker itself.
func (v *visit) refused(check, what string, answer *http.Response, p *problemDocument) {
	v.say(check, Failed, "See docs/protocol.md, “Refusals”.", "The broker refuses %s with status %d (%s): %s. %s",
		what, answer.StatusCode, p.Code, p.Title, p.Detail)
}

// maxRefusal is how much of a refusal is read, in bytes.
const maxRefusal = 4 << 10

// Bounds of the delay of one event.
const (
	holds = 100 * time.Millisecond // more is a proxy's doing
	tries = 3                      // of which the best counts: a busy machine is late at times
	// before an event, since what follows closely on another one is held for a shorter time
	quiet = 500 * time.Millisecond
)

// delay measures how late a single event comes. The doctor publishes the event
// when the token may publish and see it; otherwise delay measures the stream's hello.
func (v *visit) delay(ctx context.Context, s *stream, hello time.Duration) {
	if v.ReadOnly || !slices.Contains(v.roles, "admin") {
		v.helloDelay(ctx, hello)
		return
	}
	best := time.Duration(-1)
	for range tries {
		pause(ctx, quiet)
		late, err := v.eventDelay(ctx, s)
		if errors.Is(err, errLate) {
			v.say(
				"delay",
				Failed,
				buffering,
				"An event did not come within %v of being stored: a proxy holds it back until more comes%s.",
				eventTimeout(s),
				servedBy(s.answer),
			)
			return
		}
		if err != nil {
			v.say(
				"delay",
				Warning,
				"See the broker's log.",
				"How late an event comes could not be measured: %v.",
				cause(err),
			)
			return
		}
		if best < 0 || late < best {
			best = late
		}
		if best <= holds {
			break
		}
	}
	v.sayDelay(s.answer, best, "An event came %v after it was stored")
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// sayDelay reports a delay, by a format that has a place for the time.
func (v *visit) sayDelay(answer *http.Response, late time.Duration, format string) {
	late = late.Round(100 * time.Microsecond)
	if late <= holds {
		v.say("delay", OK, "", format+".", late)
		return
	}
	v.say(
		"delay",
		Warning,
		"A fifth of a second is HAProxy's: option http-no-delay in its defaults mends it. Else: "+buffering,
		format+": a proxy holds each event back%s.",
		late,
		servedBy(answer),
	)
}

// helloDelay compares the first word of streams with short answers.
func (v *visit) helloDelay(ctx context.Context, hello time.Duration) {
	least := callTimeout
	var answer *http.Response
	for range tries {
		start := time.Now()
		var err error
		if answer, err = v.get(ctx, "/healthz"); err != nil {
			v.say(
				"delay",
				Warning,
				"See the broker's log.",
				"How late an event comes could not be measured: %v.",
				cause(err),
			)
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body) // so that the connection is used again
		answer.Body.Close()
		least = min(least, time.Since(start))
	}
	for range tries - 1 {
		if hello-least <= holds {
			break
		}
		s, took, err := v.open(ctx)
		if err != nil {
			break // the first measurement stands
		}
		s.close()
		if s.hello != nil {
			hello = min(hello, took)
		}
	}
	v.sayDelay(answer, max(0, hello-least), "The first word of a stream came %v later than a short answer")
}

// eventDelay publishes a notification for admins, and returns how long after
// the broker's receipt the stream brings it.
func (v *visit) eventDelay(ctx context.Context, s *stream) (late time.Duration, err error) {
	id := "doctor-" + rand.Text()
	body, _ := json.Marshal(map[string]any{"type": event.TypeSystemNotification, "id": id, "data": map[string]any{
		// strings always marshal
		"message": "yardline doctor has measured how long an event takes to arrive.", "audience": []string{"admin"}}})
	answer, err := v.publish(ctx, string(body))
	if err != nil {
		return 0, err
	}
	stored := time.Now()
	if answer.StatusCode != http.StatusCreated {
		return 0, errors.New("the event was refused with status " + answer.Status)
	}
	for {
		f, err := s.next(eventTimeout(s))
		if err != nil {
			return 0, err
		}
		if e, ok := f.(*wire.Event); ok && e.Event.ID == id {
			return max(0, time.Since(stored)), nil
		}
	}
}

func (v *visit) publish(ctx context.Context, body string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := v.send(ctx, "POST", "/api/sse", strings.NewReader(body), "Content-Type", "application/json")
	if err != nil {
		return nil, err
	}
	return answer, answer.Body.Close()
}

// eventTimeout is long enough for an event that comes with the next heartbeat.
func eventTimeout(s *stream) time.Duration { return s.hello.Heartbeat + helloTimeout }

// errLate means that nothing came in time.
var errLate = errors.New("nothing came in time")

// A stream is an open one, and its first word. Only one goroutine may use it.
type stream struct {
	answer *http.Response
	hello  *wire.Hello // nil where none came, with err
	err    error

	cancel  context.CancelCauseFunc
	ctx     context.Context
	decoder wire.Decoder
	waiting []wire.Frame
}

// open opens a stream and waits for its first word. took is the time until
// then.
func (v *visit) open(ctx context.Context) (s *stream, took time.Duration, err error) {
	s = &stream{}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	timer := time.AfterFunc(helloTimeout, func() { s.cancel(errLate) })
	defer timer.Stop()
	start := time.Now()
	if s.answer, err = v.get(s.ctx, "/api/sse?types="+string(event.TypeSystemNotification)); err != nil {
		err = s.reason(err)
		s.cancel(nil)
		return nil, 0, err
	}
	if s.answer.StatusCode == http.StatusOK {
		var first wire.Frame
		first, s.err = s.next(helloTimeout)
		s.hello, _ = first.(*wire.Hello)
	}
	return s, time.Since(start).Round(100 * time.Microsecond), nil
}

func (s *stream) close() {
	s.cancel(nil)
	s.answer.Body.Close()
}

// reason is errLate where that is why something failed.
func (s *stream) reason(err error) error {
	if errors.Is(context.Cause(s.ctx), errLate) {
		return errLate
	}
	return err
}

// next returns the next frame. It ends the stream when no frame comes within a time.
func (s *stream) next(within time.Duration) (wire.Frame, error) {
	timer := time.AfterFunc(within, func() { s.cancel(errLate) })
	defer timer.Stop()
	buffer := make([]byte, 4096)
	for len(s.waiting) == 0 {
		n, err := s.answer.Body.Read(buffer)
		fed := s.decoder.Feed(buffer[:n], func(m wire.Message) {
			if f := frameOf(wire.ParseMessage(m)); f != nil {
				s.waiting = append(s.waiting, f)
			}
		})
		if fed != nil {
			return nil, fed
		}
		if err != nil && len(s.waiting) == 0 {
			return nil, s.reason(err)
		}
	}
	f := s.waiting[0]
	s.waiting = s.waiting[1:]
	return f, nil
}

// frameOf is the frame, nil where it is none.
func frameOf(f wire.Frame, err error) wire.Frame {
	if err != nil {
		return nil
	}
	return f
}
