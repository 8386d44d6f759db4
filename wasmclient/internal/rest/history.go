package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// History is a part of the history, oldest first. wasmclient.HistoryPage documents the fields.
type History struct {
	Events   []event.Event `json:"events"`
	Gap      *wire.Gap     `json:"gap"`
	Previous wire.Cursor   `json:"previous"`
	Next     wire.Cursor   `json:"next"`
	Head     wire.Cursor   `json:"head"`
	Grant    string        `json:"grant"`
}

// A HistoryPage is a History as it was read.
type HistoryPage struct {
	History

	unreadable []wire.Frame // in the places of the events that this build cannot read
}

// UnmarshalJSON reads a page. It leaves out the events that it cannot read.
func (p *HistoryPage) UnmarshalJSON(b []byte) error {
	var in struct {
		History
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*p = HistoryPage{History: in.History}
	for _, raw := range in.Events {
		var e event.Event
		var place struct{ Cursor wire.Cursor }
		if err := json.Unmarshal(raw, &e); err == nil {
			p.Events = append(p.Events, e)
		} else if json.Unmarshal(raw, &place) == nil && place.Cursor.Epoch != "" {
			p.unreadable = append(p.unreadable, &wire.Unreadable{Cursor: place.Cursor, Err: err})
		} else {
			return err
		}
	}
	return nil
}

// Frames returns the gap and the events of a page as the frames of a stream, in the order of the log.
func (p HistoryPage) Frames() (frames []wire.Frame) {
	for _, e := range p.Events {
		if at, err := wire.ParseCursor(e.Cursor); err == nil {
			frames = append(frames, &wire.Event{Cursor: at, Event: e})
		}
	}
	if len(p.unreadable) > 0 {
		frames = append(frames, p.unreadable...)
		slices.SortFunc(frames, func(a, b wire.Frame) int {
			return cmp.Compare(a.ReachedCursor().Seq, b.ReachedCursor().Seq)
		})
	}
	if p.Gap != nil {
		frames = slices.Insert(frames, 0, wire.Frame(p.Gap))
	}
	return frames
}

// ReadHistory reads the page of the history that a filter and a query name.
func ReadHistory(ctx context.Context, t port.Transport, f filter.Filter, q url.Values) (p HistoryPage, err error) {
	err = Call(ctx, t, "GET", WithFilter("/api/events", f, q), nil, &p)
	return p, RequireComplete(err, p.Head.Epoch != "")
}

// WithFilter returns the path of a resource with a query and the parameters of a filter. It adds the latter to the
// query.
func WithFilter(resource string, f filter.Filter, query url.Values) string {
	for name, values := range f.Query() {
		query[name] = values
	}
	return (&url.URL{Path: resource, RawQuery: query.Encode()}).String()
}
