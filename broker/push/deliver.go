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

var urgencies = map[event.Severity]webpush.Urgency{
	event.Error:   webpush.UrgencyHigh,
	event.Warning: webpush.UrgencyNormal,
	event.Success: webpush.UrgencyLow,
	event.Info:    webpush.UrgencyLow,
}

const (
	lifetime = 12 * time.Hour // of a push that waits at the service for the device
	// record is the size that every body is padded to, so that its length says
	// nothing; a Message is shorter.
	record   = 2048
	attempts = 3
	maxRetry = 30 * time.Second
)

// A RefusedError is the answer of a push service that refuses this broker. Trying
// again does not help before an operator has changed something.
type RefusedError struct {
	Status int
	Answer string // the first line of the service's answer, for the operator
}

func (r *RefusedError) Error() string {
	return strings.TrimSuffix(
		fmt.Sprintf("%v: the push service answered %d: %s", ErrNotDelivered, r.Status, r.Answer),
		": ",
	)
}

// Unwrap makes errors.Is(err, ErrNotDelivered) true.
func (r *RefusedError) Unwrap() error { return ErrNotDelivered }

// deliver sends a body to a device, and again where the service is busy. A
// device that the service no longer knows is forgotten; one that it refuses is
// marked as failing. The observer counts the result.
func (s *Service) deliver(
	ctx context.Context,
	d *device,
	body []byte,
	topic string,
	urgency webpush.Urgency,
) (result string, err error) {
	answer, err := s.attempt(ctx, d, body, topic, urgency)
	var refused *RefusedError
	reason, status := "", 0
	switch {
	case err == nil && (answer == http.StatusNotFound || answer == http.StatusGone):
		s.c.Observer.Pushed(ResultGone, "")
		return ResultGone, s.forget(ctx, d)
	case err == nil:
		result = ResultSent
	case errors.As(err, &refused):
		result, status, reason = ResultFailed, refused.Status, reasonOf(refused.Status)
	default:
		result, reason = ResultFailed, reasonOf(answer)
	}
	s.c.Observer.Pushed(result, reason)
	if err == nil || refused != nil {
		if failed := s.mark(ctx, d.ID, status); failed != nil && ctx.Err() == nil {
			s.c.Logger.Warn("push: whether a device is refused could not be stored", "device", d.ID, "error", failed)
		}
	}
	return result, err
}

// attempt sends a body until the service has answered. The status is that of
// its last answer, 0 where there was none; the error may be a *RefusedError.
func (s *Service) attempt(
	ctx context.Context,
	d *device,
	body []byte,
	topic string,
	urgency webpush.Urgency,
) (status int, err error) {
	wait := time.Second
	var last error
	for try := range attempts {
		if try > 0 {
			pause(ctx, wait)
		}
		answer, err := s.post(ctx, d, body, topic, urgency)
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
	return status, fmt.Errorf("%w, tried %d times: %w", ErrNotDelivered, attempts, last)
}

// An answer is the answer of a push service to one request.
type answer struct {
	status int           // 0 where there was no answer
	after  time.Duration // the time that the service asks to wait
	text   string        // the first line of its body, of printable characters alone
}

// maxText bounds what the log shows of an answer, in bytes.
const maxText = 200

// post makes one request.
func (s *Service) post(
	ctx context.Context,
	d *device,
	body []byte,
	topic string,
	urgency webpush.Urgency,
) (a answer, err error) {
	to := &webpush.Subscription{Endpoint: d.Endpoint, Keys: webpush.Keys{Auth: d.Keys.Auth, P256dh: d.Keys.P256dh}}
	response, err := webpush.SendNotificationWithContext(
		ctx,
		body,
		to,
		&webpush.Options{HTTPClient: s.client, RecordSize: record, Subscriber: s.c.Contact, Topic: topic,
			TTL: int(
				lifetime.Seconds(),
			), Urgency: urgency, VAPIDPublicKey: s.keys.Public, VAPIDPrivateKey: s.keys.Private},
	)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(
		io.LimitReader(response.Body, 4<<10),
	) // The body is read so that the connection can be used again.
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return answer{response.StatusCode, time.Duration(max(0, min(seconds, 60))) * time.Second, printable(text)}, nil
}

// printable returns the beginning of an answer as one line.
func printable(text []byte) string {
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text[:min(len(text), maxText)]), ""))
	return strings.Join(strings.Fields(line), " ")
}

// Test pushes a greeting to a device of a user, to see that it comes. The error
// is ErrUnknownDevice, or what the push service said.
func (s *Service) SendTest(ctx context.Context, g access.Grant, id string) error {
	s.mu.Lock()
	d := s.devices[id]
	s.mu.Unlock()
	if d == nil || d.Grant.Actor() != g.Actor() {
		return ErrUnknownDevice
	}
	body, err := json.Marshal(
		notify.Message{
			Title: "Yardline",
			Body:  "Notifications work on this device.",
			Tag:   "test",
			URL:   "/notifications",
		},
	)
	if err != nil {
		panic(err) // our own type
	}
	result, err := s.deliver(ctx, d, body, "test", webpush.UrgencyHigh)
	if err == nil && result == ResultGone {
		return ErrUnknownDevice
	}
	return err
}
