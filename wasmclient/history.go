package wasmclient

import (
	"context"
	"net/url"
	"strconv"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// A HistoryPage is a part of the history, oldest first.
type HistoryPage struct {
	Events   []event.Event `json:"events"`
	Gap      *wire.Gap     `json:"gap"`      // what is no longer kept
	Previous wire.Cursor   `json:"previous"` // ask before it for the page before this
	Next     wire.Cursor   `json:"next"`     // ask after it for the page after this
	Head     wire.Cursor   `json:"head"`
	Grant    string        `json:"grant"`
}

// History asks for at most limit events that match, before a place; the zero
// place is the end of the log.
func (a API) History(ctx context.Context, f filter.Filter, before wire.Cursor, limit int) (HistoryPage, error) {
	q := f.Query()
	q.Set("limit", strconv.Itoa(limit))
	if before != (wire.Cursor{}) {
		q.Set("before", before.String())
	}
	return a.page(ctx, "/api/events?"+q.Encode())
}

// page asks for the page that a path names.
func (a API) page(ctx context.Context, path string) (p HistoryPage, err error) {
	err = a.call(ctx, "GET", path, nil, &p)
	return p, genuine(err, p.Head.Epoch != "")
}

// frames are the gap and the events of a page.
func (p HistoryPage) frames() (frames []wire.Frame) {
	if p.Gap != nil {
		frames = append(frames, p.Gap)
	}
	for _, e := range p.Events {
		if at, err := wire.ParseCursor(e.Cursor); err == nil {
			frames = append(frames, &wire.Event{Cursor: at, Event: e})
		}
	}
	return frames
}

func pathOf(parts ...string) (path string) {
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}
