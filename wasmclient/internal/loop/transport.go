package loop

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"

	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// open carries one attempt over the transport that the machine wants, and sends its frames to Run until the attempt
// ends.
func (d *driver) open(ctx context.Context, o conn.Open, f filter.Filter) error {
	feed := func(frames ...wire.Frame) error {
		for _, frame := range frames {
			if err := d.send(ctx, frameMessage{conn.Frame{Attempt: o.Attempt, Frame: frame}}); err != nil {
				return err
			}
		}
		return d.send(ctx, batchEnd{})
	}
	switch o.Transport {
	case conn.WebSocket:
		return d.readSocket(ctx, rest.WithFilter("/api/ws", f, d.startQuery(url.Values{}, o.After)), feed)
	case conn.Poll:
		return d.poll(ctx, o.After, f, feed)
	default:
		return d.readStream(ctx, rest.WithFilter("/api/sse", f, d.startQuery(url.Values{}, o.After)), feed)
	}
}

// startQuery adds the start of the stream to a query, and returns the query.
func (d *driver) startQuery(query url.Values, after wire.Cursor) url.Values {
	if after != (wire.Cursor{}) {
		query.Set("after", after.String())
	} else if d.cfg.Oldest {
		query.Set("after", "oldest")
	}
	return query
}

// readStream reads Server-Sent Events.
func (d *driver) readStream(ctx context.Context, path string, feed func(...wire.Frame) error) error {
	var decoder wire.Decoder
	r := port.Request{Method: "GET", Path: path, Header: map[string]string{"Accept": "text/event-stream"}}
	response, err := d.cfg.Transport.Stream(ctx, r, func(piece []byte) error {
		var frames []wire.Frame
		var malformed error
		err := decoder.Feed(piece, func(m wire.Message) {
			f, err := wire.ParseMessage(m)
			malformed = cmp.Or(malformed, err)
			if f != nil && malformed == nil {
				frames = append(frames, f)
			}
		})
		return cmp.Or(feed(frames...), err, malformed)
	})
	if err != nil {
		return err
	}
	return streamEnd(response)
}

// streamEnd returns nil if a stream ended, and otherwise why the answer was no stream.
func streamEnd(r port.Response) error {
	switch {
	case r.Status == 200 && r.ContentType == "text/event-stream":
		return nil
	case r.Status >= 200 && r.Status < 300:
		return port.UnexpectedAnswer(r)
	default:
		return port.ErrorOf(r)
	}
}

// readSocket reads a WebSocket.
func (d *driver) readSocket(ctx context.Context, path string, feed func(...wire.Frame) error) error {
	return d.cfg.Transport.Socket(ctx, path, func(message []byte) error {
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

// refusalOf returns the refusal that a WebSocket has sent after it was opened.
func refusalOf(r *wire.Reply) error {
	var p struct {
		Status     int `json:"status"`
		RetryAfter int `json:"retry_after"`
	}
	_ = json.Unmarshal(r.Data, &p) // Data that is no problem document has no status.
	return port.ErrorOf(port.Response{
		Status:      p.Status,
		ContentType: problem.MediaType,
		Body:        r.Data,
		RetryAfter:  strconv.Itoa(p.RetryAfter),
	})
}

// errRegranted is the refusal with which the broker says that the user's rights have changed. The client uses it too,
// when an answer is for other rights than the last one.
var errRegranted = &port.Error{
	Status:     409,
	FromBroker: true,
	Code:       problem.CodeRegranted,
	Title:      "Your rights have changed",
}

// failure converts an error of an attempt into the failure that the machine gets. If no answer came, and the page
// reports no network, the failure has the code conn.NoNetwork.
func (d *driver) failure(err error) conn.Failure {
	f := failureOf(err)
	if (f.Code == "network" || f.Code == "no_upgrade") && d.cfg.Page != nil && !d.cfg.Page.IsOnline() {
		f.Code = conn.NoNetwork
	}
	return f
}

// failureOf converts an error without asking the page. A nil error means that the stream has ended.
func failureOf(err error) conn.Failure {
	var refused *port.Error
	switch {
	case err == nil:
		return conn.Failure{Code: "end"}
	case errors.As(err, &refused):
		return conn.Failure{
			Status:     refused.Status,
			FromBroker: refused.FromBroker,
			Code:       refused.Code,
			RetryAfter: refused.RetryAfter,
		}
	case errors.Is(err, port.ErrNotBroker):
		return conn.Failure{Code: "not_a_stream"}
	case errors.Is(err, port.ErrNoUpgrade):
		return conn.Failure{Code: "no_upgrade"}
	default:
		return conn.Failure{Code: "network"}
	}
}
