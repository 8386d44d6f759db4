package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	webpush "github.com/SherClockHolmes/webpush-go"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
)

// urgencies holds the urgency of a push for each severity of an event (RFC 8030,
// section 5.3).
var urgencies = map[event.Severity]webpush.Urgency{
	event.Error:   webpush.UrgencyHigh,
	event.Warning: webpush.UrgencyNormal,
	event.Success: webpush.UrgencyLow,
	event.Info:    webpush.UrgencyLow,
}

const (
	// pushLifetime is how long the push service keeps a push for a device that is away.
	pushLifetime = 12 * time.Hour
	// recordSize is the number of bytes that every body is padded to, so that its length
	// reveals nothing. A notify.Message is shorter.
	recordSize = 2048
	// maxAttempts is the number of requests for one push.
	maxAttempts = 3
	// maxRetry is the longest wait between two attempts.
	maxRetry = 30 * time.Second
)

// A RefusedError means that a push service refuses the pushes of this broker. It
// wraps ErrNotDelivered. Another attempt is useless until an operator has changed
// something.
type RefusedError struct {
	Status int    // the HTTP status of the service's answer
	Answer string // the beginning of the service's answer as one line, for the operator
}

// Error implements error.
func (r *RefusedError) Error() string {
	return strings.TrimSuffix(
		fmt.Sprintf("%v: the push service answered %d: %s", ErrNotDelivered, r.Status, r.Answer),
		": ",
	)
}

// Unwrap lets errors.Is find ErrNotDelivered.
func (r *RefusedError) Unwrap() error { return ErrNotDelivered }

// outgoing is one push, before its encryption.
type outgoing struct {
	body    []byte
	topic   string // The service replaces an undelivered push by a later one of its topic.
	urgency webpush.Urgency
}

// deliver sends a push to a device and reports the result to the observer. It
// forgets a device that the push service no longer knows, and records whether the
// service refuses the device.
func (s *Service) deliver(ctx context.Context, d *device, out outgoing) (result string, err error) {
	answer, err := s.attempt(ctx, d, out)
	var refused *RefusedError
	reason, status := "", 0
	switch {
	case err == nil && (answer == http.StatusNotFound || answer == http.StatusGone):
		s.c.Observer.Pushed(ResultGone, "")
		return ResultGone, s.forgetDevice(ctx, d)
	case err == nil:
		result = ResultSent
	case errors.As(err, &refused):
		result, status, reason = ResultFailed, refused.Status, reasonOf(refused.Status)
	default:
		result, reason = ResultFailed, reasonOf(answer)
	}
	s.c.Observer.Pushed(result, reason)
	if err == nil || refused != nil {
		if failed := s.setFailure(ctx, d.ID, status); failed != nil && ctx.Err() == nil {
			s.c.Logger.Warn("push: whether a device is refused could not be stored", "device", d.ID, "error", failed)
		}
	}
	return result, err
}

// attempt sends a push up to maxAttempts times, while the push service is busy or
// cannot be reached. status is that of the service's last answer, or 0 when there
// was no answer. The error is nil when the service accepted the push, and when it no
// longer knows the device. It is a *RefusedError when the service refused the push.
func (s *Service) attempt(ctx context.Context, d *device, out outgoing) (status int, err error) {
	wait := time.Second
	var last error
	for try := range maxAttempts {
		if try > 0 {
			sleep(ctx, wait)
		}
		answer, err := s.post(ctx, d, out)
		status = answer.status
		switch {
		case ctx.Err() != nil:
			return status, ctx.Err()
		case err == nil && status >= 200 && status < 300, status == http.StatusNotFound, status == http.StatusGone:
			return status, nil
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			return status, &RefusedError{status, answer.text}
		}
		if last = err; err == nil {
			last = fmt.Errorf("the push service answered %d: %s", status, answer.text)
		}
		wait = min(max(answer.after, 4*wait), maxRetry)
	}
	return status, fmt.Errorf("%w, tried %d times: %w", ErrNotDelivered, maxAttempts, last)
}

// An answer is the answer of a push service to one request.
type answer struct {
	status int           // 0 when there was no answer
	after  time.Duration // Retry-After, at most 60 seconds
	text   string        // the beginning of its body as one line of printable characters
}

// maxAnswerBytes is the most bytes of an answer in the log.
const maxAnswerBytes = 200

// post sends one encrypted request to a push service.
func (s *Service) post(ctx context.Context, d *device, out outgoing) (a answer, err error) {
	to := &webpush.Subscription{Endpoint: d.Endpoint, Keys: webpush.Keys{Auth: d.Keys.Auth, P256dh: d.Keys.P256dh}}
	response, err := webpush.SendNotificationWithContext(ctx, out.body, to, &webpush.Options{
		HTTPClient:      s.client,
		RecordSize:      recordSize,
		Subscriber:      s.c.Contact,
		Topic:           out.topic,
		TTL:             int(pushLifetime.Seconds()),
		Urgency:         out.urgency,
		VAPIDPublicKey:  s.keys.Public,
		VAPIDPrivateKey: s.keys.Private,
	})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	// Reading the body lets the client use the connection again.
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return answer{response.StatusCode, time.Duration(max(0, min(seconds, 60))) * time.Second, printable(text)}, nil
}

// printable returns the beginning of a text as one line of printable characters.
func printable(text []byte) string {
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text[:min(len(text), maxAnswerBytes)]), ""))
	return strings.Join(strings.Fields(line), " ")
}

// SendTest pushes a greeting to a device of a user, so that the user can check that
// pushes arrive.
// The error is ErrUnknownDevice when the user has no such device, or wraps
// ErrNotDelivered. SendTest waits for the push service.
func (s *Service) SendTest(ctx context.Context, g access.Grant, id string) error {
	s.mu.Lock()
	d := s.devices[id]
	s.mu.Unlock()
	if d == nil || d.Grant.Actor() != g.Actor() {
		return ErrUnknownDevice
	}
	body, err := json.Marshal(notify.Message{
		Title: "Yardline",
		Body:  "Notifications work on this device.",
		Tag:   "test",
		URL:   "/notifications",
	})
	if err != nil {
		panic(err) // A notify.Message always marshals.
	}
	result, err := s.deliver(ctx, d, outgoing{body: body, topic: "test", urgency: webpush.UrgencyHigh})
	if err == nil && result == ResultGone {
		return ErrUnknownDevice
	}
	return err
}
