package hub

import (
	"context"

	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// A refilterRequest asks Next to change the filter of its subscription.
type refilterRequest struct {
	filter filter.Filter
	ref    string
}

// Refilter changes the filter of the subscription. The stream tells the client
// of the change by a wire.FilterChanged with ref. The old filter applies to all
// events up to and including its Through cursor, and the new filter to all
// later events. Refilter returns when Next has received the request. The error
// is a *ClosedError, or that of ctx.
func (s *Subscriber) Refilter(ctx context.Context, f filter.Filter, ref string) error {
	select {
	case s.refilters <- refilterRequest{f, ref}:
		return nil
	case <-s.done:
		return s.closeError()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// applyRefilter changes the filter. It returns as the next bytes of the stream
// the frames that the old filter still selects, and the wire.FilterChanged. For a subscriber in a view the old
// filter applies through the hub's head, because the view holds everything up
// to it. For a subscriber that catches up it applies through its own cursor.
func (s *Subscriber) applyRefilter(r refilterRequest) []byte {
	h := s.hub
	var frames []byte
	if s.view != nil {
		h.mu.Lock()
		s.cursor = h.state.Cursor
		end := s.view.end.Load()
		h.leaveViewLocked(s)
		h.mu.Unlock()
		for more, _ := s.readView(end); more != nil; more, _ = s.readView(end) {
			frames = append(frames, more...)
		}
		h.mu.Lock()
		s.view = nil
		h.mu.Unlock()
	}
	s.filter = r.filter
	frames = s.format.Append(frames, &wire.FilterChanged{Through: s.cursor, Ref: r.ref, Filter: r.filter.Key()})
	return s.encodeOwn(frames)
}
