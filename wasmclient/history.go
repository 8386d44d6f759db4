package wasmclient

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
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

	unreadable []wire.Frame // in place of events that cannot be read
}

// UnmarshalJSON reads a page. It leaves out the events that it cannot read.
func (p *HistoryPage) UnmarshalJSON(b []byte) error {
	type page HistoryPage // without this method
	var in struct {
		page
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*p = HistoryPage(in.page)
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
	for _, e := range p.Events {
		if at, err := wire.ParseCursor(e.Cursor); err == nil {
			frames = append(frames, &wire.Event{Cursor: at, Event: e})
		}
	}
	if len(p.unreadable) > 0 {
		frames = append(frames, p.unreadable...)
		slices.SortFunc(frames, func(a, b wire.Frame) int { return cmp.Compare(a.ReachedCursor().Seq, b.ReachedCursor().Seq) })
	}
	if p.Gap != nil {
		frames = slices.Insert(frames, 0, wire.Frame(p.Gap))
	}
	return frames
}

func pathOf(parts ...string) (path string) {
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}
