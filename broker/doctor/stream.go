package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// adviceBuffering is the advice for a proxy that holds streams back.
const adviceBuffering = "Switch off buffering and compression of text/event-stream in the proxy: " +
	"proxy_buffering off in nginx (which must not ignore X-Accel-Buffering), no compression of this type, " +
	"no caching in a CDN."

// checkStream measures the time until a stream's hello, and then the delay of an event. When
// a proxy holds a stream back, either the headers come without a hello, or neither comes.
func (x *examination) checkStream(ctx context.Context) {
	if x.Token == "" || x.basic != nil {
		x.report(
			"stream",
			Skipped,
			"Give a --token of somebody who may read, and let no proxy take its header.",
			"Streams need a token.",
		)
		return
	}
	s, helloTime, err := x.openStream(ctx)
	if errors.Is(err, errLate) {
		x.report("stream", Failed, adviceBuffering, "Nothing came within %v: a proxy holds the stream back.",
			helloTimeout)
		return
	}
	if err != nil {
		x.report("stream", Failed, "See the broker's log.", "No answer: %v.", cause(err))
		return
	}
	defer s.close()
	answer := s.answer
	if answer.StatusCode != http.StatusOK ||
		!strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusalBytes)) // a part of it is enough
		if p := problemOf(answer, body); p != nil {
			x.reportRefusal("stream", "the stream", answer, p)
			return
		}
		body = body[:min(len(body), 512)]
		x.report(
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
		x.report(
			"compression",
			Warning,
			adviceBuffering,
			"A proxy compresses the stream, although the broker forbids it (no-transform)%s: events may wait in it "+
				"for more to compress.",
			servedBy(answer),
		)
	}
	if x.reportHello(s, helloTime) {
		x.checkDelay(ctx, s, helloTime)
	}
}

// reportHello reports how long the hello of a stream took, and whether heartbeats are
// frequent. It returns false when no hello came.
func (x *examination) reportHello(s *stream, helloTime time.Duration) bool {
	answer := s.answer
	switch {
	case s.hello != nil && helloTime > maxHelloTime:
		x.report(
			"stream",
			Warning,
			"Look for a slow network, or a proxy that gathers what it passes on.",
			"The first word came after %v%s.",
			helloTime,
			servedBy(answer),
		)
	case s.hello != nil:
		x.report("stream", OK, "", "The first word came after %v; a sign of life every %v.",
			helloTime, s.hello.Heartbeat)
	case errors.Is(s.err, errLate):
		x.report(
			"stream",
			Failed,
			adviceBuffering,
			"The stream began, but its first word did not come within %v: a proxy holds it back%s.",
			helloTimeout,
			servedBy(answer),
		)
		return false
	default:
		x.report(
			"stream",
			Failed,
			"Look at the timeouts of proxies in between.",
			"The stream broke before its first word: %v.",
			s.err,
		)
		return false
	}
	if s.hello.Heartbeat >= 30*time.Second {
		x.report(
			"heartbeat",
			Warning,
			"Start the broker with --heartbeat 15s.",
			"A sign of life every %v: common proxies cut quiet streams at 30 s.",
			s.hello.Heartbeat,
		)
	}
	return true
}

// problemDocument is a refusal of the broker.
type problemDocument struct{ Type, Code, Title, Detail string }

// problemOf returns the problem document in an answer, or nil if the answer is not a refusal
// of the broker.
func problemOf(answer *http.Response, body []byte) *problemDocument {
	var p problemDocument
	if answer.Header.Get("Content-Type") != problem.MediaType || json.Unmarshal(body, &p) != nil ||
		!strings.HasPrefix(p.Type, problem.TypePrefix) {
		return nil
	}
	return &p
}

// reportRefusal reports a refusal of the broker itself. refused names the refused action.
func (x *examination) reportRefusal(check, refused string, answer *http.Response, p *problemDocument) {
	x.report(check, Failed, "See docs/protocol.md, “Refusals”.", "The broker refuses %s with status %d (%s): %s. %s",
		refused, answer.StatusCode, p.Code, p.Title, p.Detail)
}

// maxRefusalBytes is the number of bytes of a refusal that are read.
const maxRefusalBytes = 4 << 10

// errLate means that nothing came by a stream in time.
var errLate = errors.New("nothing came in time")

// stream is an open stream. Only one goroutine may use it.
type stream struct {
	answer *http.Response
	hello  *wire.Hello // nil if none came
	err    error       // the reason why no hello came

	cancel  context.CancelCauseFunc
	ctx     context.Context
	decoder wire.Decoder
	waiting []wire.Frame // received, but not returned by next yet
}

// openStream opens a stream and waits for its hello. helloTime is the time until the hello, or
// until the refusal. The caller must close the stream.
func (x *examination) openStream(ctx context.Context) (s *stream, helloTime time.Duration, err error) {
	s = &stream{}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	timer := time.AfterFunc(helloTimeout, func() { s.cancel(errLate) })
	defer timer.Stop()
	start := time.Now()
	//nolint:bodyclose // close closes the body of a stream
	if s.answer, err = x.get(s.ctx, "/api/sse?types="+string(event.TypeSystemNotification)); err != nil {
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

// close ends the stream.
func (s *stream) close() {
	s.cancel(nil)
	s.answer.Body.Close()
}

// reason returns errLate if the stream was cancelled because nothing came in time, and err
// otherwise.
func (s *stream) reason(err error) error {
	if errors.Is(context.Cause(s.ctx), errLate) {
		return errLate
	}
	return err
}

// next returns the next frame. It ends the stream and returns errLate when no frame comes
// before the timeout.
func (s *stream) next(timeout time.Duration) (wire.Frame, error) {
	timer := time.AfterFunc(timeout, func() { s.cancel(errLate) })
	defer timer.Stop()
	buffer := make([]byte, 4096)
	for len(s.waiting) == 0 {
		n, err := s.answer.Body.Read(buffer)
		feedErr := s.decoder.Feed(buffer[:n], func(m wire.Message) {
			if f := frameOf(wire.ParseMessage(m)); f != nil {
				s.waiting = append(s.waiting, f)
			}
		})
		if feedErr != nil {
			return nil, feedErr
		}
		if err != nil && len(s.waiting) == 0 {
			return nil, s.reason(err)
		}
	}
	f := s.waiting[0]
	s.waiting = s.waiting[1:]
	return f, nil
}

// frameOf returns f, or nil after an error.
func frameOf(f wire.Frame, err error) wire.Frame {
	if err != nil {
		return nil
	}
	return f
}
