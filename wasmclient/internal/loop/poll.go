package loop

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
)

const (
	// pollWait is the number of seconds that the broker waits for events, because common proxies cut a request at 30.
	pollWait = 25

	// pollLimit is the number of events that a poll asks for.
	pollLimit = 200

	// pollHeartbeat is the longest time between two answers.
	pollHeartbeat = 30 * time.Second

	// pollPause follows an empty answer that came at once, because something between client and broker does not let the
	// broker wait.
	pollPause = time.Second
)

// poll asks for the events after a cursor again and again, and makes the frames of a stream of the answers.
func (d *driver) poll(ctx context.Context, after wire.Cursor, f filter.Filter, feed func(...wire.Frame) error) error {
	p, err := d.firstPoll(ctx, after, f, feed)
	if err != nil {
		return err
	}
	for {
		query := url.Values{"limit": {strconv.Itoa(pollLimit)}, "wait": {strconv.Itoa(pollWait)}}
		started := time.Now()
		next, err := rest.ReadHistory(ctx, d.cfg.Transport, f, d.startQuery(query, p.Next))
		if err != nil {
			return err
		}
		if next.Grant != p.Grant {
			return errRegranted
		}
		p = next
		if err := feed(append(p.Frames(), &wire.Heartbeat{Cursor: p.Next})...); err != nil {
			return err
		}
		if len(p.Events) == 0 && time.Since(started) < pollPause {
			if err := sleep(ctx, pollPause); err != nil {
				return err
			}
		}
	}
}

// firstPoll asks for the first events, without waiting, and begins the stream with a hello. It returns the answer.
// The second poll starts after its Next.
func (d *driver) firstPoll(
	ctx context.Context, after wire.Cursor, f filter.Filter, feed func(...wire.Frame) error,
) (rest.HistoryPage, error) {
	limit := pollLimit
	if after == (wire.Cursor{}) && !d.cfg.Oldest {
		limit = 1 // Only the cursors of the answer count.
	}
	query := d.startQuery(url.Values{"limit": {strconv.Itoa(limit)}}, after)
	p, err := rest.ReadHistory(ctx, d.cfg.Transport, f, query)
	if err != nil {
		return p, err
	}
	frames, start := p.Frames(), after
	switch {
	case after != (wire.Cursor{}):
	case d.cfg.Oldest:
		start = p.Previous
		start.Seq--
	default:
		frames, start, p.Next = nil, p.Head, p.Head
	}
	hello := &wire.Hello{Start: start, Head: p.Head, Heartbeat: pollHeartbeat, Retry: time.Second, Grant: p.Grant}
	frames = append([]wire.Frame{hello}, frames...)
	return p, feed(append(frames, &wire.Heartbeat{Cursor: p.Next})...)
}

// sleep waits for a time. The error is ctx's.
func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
