package loop

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// open carries one attempt over the transport that the machine wants, and
// feeds its frames in until it ends.
func (d *driver) open(ctx context.Context, o conn.Open, asked filter.Filter) error {
	feed := func(frames ...wire.Frame) error {
		for _, f := range frames {
			if err := d.input(ctx, conn.Frame{Attempt: o.Attempt, Frame: f}); err != nil {
				return err
			}
		}
		return d.input(ctx, pieceEnd{})
	}
	switch o.Transport {
	case conn.WebSocket:
		return d.socket(ctx, o, asked, feed)
	case conn.Poll:
		return d.poll(ctx, o, asked, feed)
	}
	return d.stream(ctx, o, asked, feed)
}

// starting adds to a query where to start.
func (d *driver) starting(query url.Values, after wire.Cursor) url.Values {
	if after != (wire.Cursor{}) {
		query.Set("after", after.String())
	} else if d.cfg.Oldest {
		query.Set("after", "oldest")
	}
	return query
}

// stream reads Server-Sent Events.
func (d *driver) stream(ctx context.Context, o conn.Open, asked filter.Filter, feed func(...wire.Frame) error) error {
	var decoder wire.Decoder
	r := port.Request{Method: "GET", Path: rest.WithFilter("/api/sse", asked, d.starting(url.Values{}, o.After)), Header: map[string]string{"Accept": "text/event-stream"}}
	response, err := d.cfg.Transport.Stream(ctx, r, func(piece []byte) error {
		var frames []wire.Frame
		var bad error
		err := decoder.Feed(piece, func(m wire.Message) {
			f, err := wire.ParseMessage(m)
			bad = cmp.Or(bad, err)
			if f != nil && bad == nil {
				frames = append(frames, f)
			}
		})
		return cmp.Or(feed(frames...), err, bad)
	})
	if err != nil {
		return err
	}
	return streamEnd(response)
}

// socket reads a WebSocket.
func (d *driver) socket(ctx context.Context, o conn.Open, asked filter.Filter, feed func(...wire.Frame) error) error {
	return d.cfg.Transport.Socket(ctx, rest.WithFilter("/api/ws", asked, d.starting(url.Values{}, o.After)), func(message []byte) error {
		var frames []wire.Frame
		for line := range bytes.Lines(message) {
			f, err := wire.ParseJSON(line)
			if err != nil {
				return err
			}
			if reply, ok := f.(*wire.Reply); ok {
				return refusalOf(reply)
			}
			if f != nil {
				frames = append(frames, f)
			}
		}
		return feed(frames...)
	})
}

// refusalOf is what a WebSocket says that was opened and then refused.
func refusalOf(r *wire.Reply) error {
	var p struct {
		Status     int `json:"status"`
		RetryAfter int `json:"retry_after"`
	}
	_ = json.Unmarshal(r.Data, &p) // what is no problem document has no status
	return port.ErrorOf(port.Response{Status: p.Status, ContentType: problem.MediaType, Body: r.Data,
		RetryAfter: strconv.Itoa(p.RetryAfter)})
}

// Of a long poll.
const (
	pollWait  = 25 // seconds: common proxies cut at 30
	pollLimit = 200
	pollBeat  = 30 * time.Second // a poll answers at least so often
	pollPause = time.Second      // after an empty answer that did not wait: something between does not let it
)

// poll asks again and again for what follows, and makes the frames of a stream
// of it.
func (d *driver) poll(ctx context.Context, o conn.Open, asked filter.Filter, feed func(...wire.Frame) error) error {
	next, begun, grant := o.After, false, ""
	for {
		query := url.Values{"limit": {strconv.Itoa(pollLimit)}}
		if begun {
			query.Set("wait", strconv.Itoa(pollWait))
		} else if next == (wire.Cursor{}) && !d.cfg.Oldest {
			query.Set("limit", "1") // for its cursors alone
		}
		start := time.Now()
		p, err := rest.ReadHistory(ctx, d.cfg.Transport, asked, d.starting(query, next))
		if err != nil {
			return err
		}
		if begun && p.Grant != grant {
			return errRegranted
		}
		frames := p.Frames()
		if !begun {
			start := o.After
			if start == (wire.Cursor{}) {
				start = p.Head
				if d.cfg.Oldest {
					start = p.Previous
					start.Seq--
				} else {
					frames, p.Next = nil, p.Head
				}
			}
			frames = append([]wire.Frame{&wire.Hello{Start: start, Head: p.Head, Heartbeat: pollBeat, Retry: time.Second, Grant: p.Grant}}, frames...)
		}
		if err := feed(append(frames, &wire.Heartbeat{Cursor: p.Next})...); err != nil {
			return err
		}
		if begun && len(p.Events) == 0 && time.Since(start) < pollPause {
			select {
			case <-time.After(pollPause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		next, begun, grant = p.Next, true, p.Grant
	}
}

// errRegranted is what the broker says too where an answer would be for other
// rights than the last one.
var errRegranted = &port.Error{Status: 409, FromBroker: true, Code: problem.CodeRegranted, Title: "Your rights have changed"}

// streamEnd says why an answer was no stream, or that the stream ended.
func streamEnd(r port.Response) error {
	switch {
	case r.Status == 200 && r.ContentType == "text/event-stream":
		return nil
	case r.Status >= 200 && r.Status < 300:
		return port.UnexpectedAnswer(r)
	}
	return port.ErrorOf(r)
}

// failure is an error as the machine takes it. Where there was no answer the
// page may know why.
func (d *driver) failure(err error) conn.Failure {
	f := failureOf(err)
	if (f.Code == "network" || f.Code == "no_upgrade") && d.cfg.Page != nil && !d.cfg.Page.Online() {
		f.Code = conn.NoNetwork
	}
	return f
}

// failureOf is an error as the machine takes it.
func failureOf(err error) conn.Failure {
	var refused *port.Error
	switch {
	case err == nil:
		return conn.Failure{Code: "end"}
	case errors.As(err, &refused):
		return conn.Failure{Status: refused.Status, FromBroker: refused.FromBroker, Code: refused.Code,
			RetryAfter: refused.RetryAfter}
	case errors.Is(err, port.ErrNotBroker):
		return conn.Failure{Code: "not_a_stream"}
	case errors.Is(err, port.ErrNoUpgrade):
		return conn.Failure{Code: "no_upgrade"}
	}
	return conn.Failure{Code: "network"}
}
