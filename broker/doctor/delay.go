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
	"github.com/snd-rental/yardline/shared/wire"
)

// How the delay of an event is measured.
const (
	// maxDelay is the longest delay without a warning. A proxy causes longer ones.
	maxDelay = 100 * time.Millisecond
	// delayTries is the number of measurements. The best one counts, because a busy machine
	// is late at times.
	delayTries = 3
	// quietTime is the pause before an event. A proxy holds an event for a shorter time when
	// it follows closely on another one.
	quietTime = 500 * time.Millisecond
)

// checkDelay measures the delay of a single event. With the token of an admin it publishes
// an event. With any other token, and if Config.ReadOnly is set, it measures the hellos of
// streams.
func (x *examination) checkDelay(ctx context.Context, s *stream, hello time.Duration) {
	if x.ReadOnly || !slices.Contains(x.roles, "admin") {
		x.checkHelloDelay(ctx, hello)
		return
	}
	best := time.Duration(-1)
	for range delayTries {
		pause(ctx, quietTime)
		delay, err := x.measureEventDelay(ctx, s)
		if errors.Is(err, errLate) {
			x.report(
				"delay",
				Failed,
				adviceBuffering,
				"An event did not come within %v of being stored: a proxy holds it back until more comes%s.",
				eventTimeout(s),
				servedBy(s.answer),
			)
			return
		}
		if err != nil {
			x.report(
				"delay",
				Warning,
				"See the broker's log.",
				"How late an event comes could not be measured: %v.",
				cause(err),
			)
			return
		}
		if best < 0 || delay < best {
			best = delay
		}
		if best <= maxDelay {
			break
		}
	}
	x.reportDelay(s.answer, best, "An event came %v after it was stored")
}

// pause returns after d, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reportDelay reports a delay. The format of the sentence has one verb, for the delay.
func (x *examination) reportDelay(answer *http.Response, delay time.Duration, format string) {
	delay = delay.Round(100 * time.Microsecond)
	if delay <= maxDelay {
		x.report("delay", OK, "", format+".", delay)
		return
	}
	x.report(
		"delay",
		Warning,
		"A fifth of a second is HAProxy's: option http-no-delay in its defaults mends it. Else: "+adviceBuffering,
		format+": a proxy holds each event back%s.",
		delay,
		servedBy(answer),
	)
}

// checkHelloDelay compares the time until the hello of streams with the time of short
// answers. hello is the time of the stream that is open already.
func (x *examination) checkHelloDelay(ctx context.Context, hello time.Duration) {
	shortest := callTimeout
	var answer *http.Response
	for range delayTries {
		start := time.Now()
		var err error
		if answer, err = x.get(ctx, "/healthz"); err != nil {
			x.report(
				"delay",
				Warning,
				"See the broker's log.",
				"How late an event comes could not be measured: %v.",
				cause(err),
			)
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body) // so that the next request uses the connection again
		answer.Body.Close()
		shortest = min(shortest, time.Since(start))
	}
	for range delayTries - 1 {
		if hello-shortest <= maxDelay {
			break
		}
		s, helloTime, err := x.openStream(ctx)
		if err != nil {
			break // the first measurement counts
		}
		s.close()
		if s.hello != nil {
			hello = min(hello, helloTime)
		}
	}
	x.reportDelay(answer, max(0, hello-shortest), "The first word of a stream came %v later than a short answer")
}

// measureEventDelay publishes a notification for admins. It returns the time from the
// broker's receipt until the event comes by the stream.
func (x *examination) measureEventDelay(ctx context.Context, s *stream) (delay time.Duration, err error) {
	id := "doctor-" + rand.Text()
	body, _ := json.Marshal(map[string]any{ // strings always marshal
		"type": event.TypeSystemNotification,
		"id":   id,
		"data": map[string]any{
			"message":  "yardline doctor has measured how long an event takes to arrive.",
			"audience": []string{"admin"},
		},
	})
	answer, err := x.publish(ctx, string(body)) //nolint:bodyclose // publish has closed the body
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

// publish publishes an event. The body of the answer is closed.
func (x *examination) publish(ctx context.Context, body string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := x.send(ctx, "POST", "/api/sse", strings.NewReader(body), "Content-Type", "application/json")
	if err != nil {
		return nil, err
	}
	return answer, answer.Body.Close()
}

// eventTimeout returns how long to wait for an event. It is long enough for a proxy that holds
// the event back until the next heartbeat.
func eventTimeout(s *stream) time.Duration { return s.hello.Heartbeat + helloTimeout }
