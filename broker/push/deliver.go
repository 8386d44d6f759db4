package push

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	webpush "github.com/SherClockHolmes/webpush-go"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
)

var urgencies = map[event.Severity]webpush.Urgency{event.Error: webpush.UrgencyHigh, event.Warning: webpush.UrgencyNormal, event.Success: webpush.UrgencyLow, event.Info: webpush.UrgencyLow}

const (
	lifetime = 12 * time.Hour // of a push that waits at the service for the device
	// record is the size that every body is padded to, so that its length says
	// nothing; a Message is shorter.
	record   = 2048
	attempts = 3
	maxRetry = 30 * time.Second
)

// deliver sends a body to a device, and again where the service is busy. A
// device that the service no longer knows is forgotten.
func (s *Service) deliver(ctx context.Context, d *device, body []byte, topic string, urgency webpush.Urgency) (result string, err error) {
	wait := time.Second
	var last error
	for try := range attempts {
		if try > 0 {
			pause(ctx, wait)
		}
		status, after, err := s.post(ctx, d, body, topic, urgency)
		switch {
		case ctx.Err() != nil:
			return ResultFailed, ctx.Err()
		case err == nil && status >= 200 && status < 300:
			return ResultSent, nil
		case status == http.StatusNotFound || status == http.StatusGone:
			return ResultGone, s.forget(ctx, d)
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			return ResultFailed, fmt.Errorf("%w: the service answered %d", ErrNotDelivered, status)
		}
		if last = err; err == nil {
			last = fmt.Errorf("the service answered %d", status)
		}
		wait = min(max(after, 4*wait), maxRetry)
	}
	return ResultFailed, fmt.Errorf("%w, tried %d times: %w", ErrNotDelivered, attempts, last)
}

// post makes one request. after is what the service asks to wait.
func (s *Service) post(ctx context.Context, d *device, body []byte, topic string, urgency webpush.Urgency) (status int, after time.Duration, err error) {
	to := &webpush.Subscription{Endpoint: d.Endpoint, Keys: webpush.Keys{Auth: d.Keys.Auth, P256dh: d.Keys.P256dh}}
	response, err := webpush.SendNotificationWithContext(ctx, body, to, &webpush.Options{HTTPClient: s.client, RecordSize: record, Subscriber: s.c.Contact, Topic: topic,
		TTL: int(lifetime.Seconds()), Urgency: urgency, VAPIDPublicKey: s.keys.Public, VAPIDPrivateKey: s.keys.Private})
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10) // so that the connection can be used again
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return response.StatusCode, time.Duration(max(0, min(seconds, 60))) * time.Second, nil
}

// Test pushes a greeting to a device of a user, to see that it comes. The error
// is ErrUnknown, or what the push service said.
func (s *Service) Test(ctx context.Context, g access.Grant, id string) error {
	s.mu.Lock()
	d := s.devices[id]
	s.mu.Unlock()
	if d == nil || d.Grant.Actor() != g.Actor() {
		return ErrUnknown
	}
	body, err := json.Marshal(notify.Message{Title: "Yardline", Body: "Notifications work on this device.", Tag: "test", URL: "/notifications"})
	if err != nil {
		panic(err) // our own type
	}
	result, err := s.deliver(ctx, d, body, "test", webpush.UrgencyHigh)
	s.c.Observer.Pushed(result)
	if err == nil && result == ResultGone {
		return ErrUnknown
	}
	return err
}
