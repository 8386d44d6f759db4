package hub

import (
	"context"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// joinLocked makes a subscriber that has reached the head a member of its
// view.
func (h *Hub) joinViewLocked(s *Subscriber) {
	form := audienceKey(s.grant.Roles, s.format)
	key := form + "?" + s.filter.Key()
	v := h.views[key]
	if v == nil {
		v = newView(key, form, s.grant.Roles, s.format, s.filter)
		h.views[key] = v
	}
	v.memberCount++
	s.view = v
	s.position.segment = v.tail
	s.position.offset.Store(v.end.Load())
	s.returnedStored, s.writtenStored = v.newestStored.Load(), v.newestStored.Load()
	for _, person := range access.PersonKeysOfGrant(s.grant) {
		if h.persons[person] == nil {
			h.persons[person] = map[*Subscriber]struct{}{}
		}
		h.persons[person][s] = struct{}{}
	}
	if h.config.Groups != nil {
		h.config.Groups.Join(v.key, s.ID)
	}
	h.config.Observer.Replayed(s.replayed)
	s.replayed = 0
}

// partLocked ends a membership; what the view holds for the subscriber up to
// now can still be read.
func (h *Hub) leaveViewLocked(s *Subscriber) {
	for _, person := range access.PersonKeysOfGrant(s.grant) {
		if delete(h.persons[person], s); len(h.persons[person]) == 0 {
			delete(h.persons, person)
		}
	}
	if h.config.Groups != nil {
		h.config.Groups.Leave(s.view.key, s.ID)
	}
	if s.view.memberCount--; s.view.memberCount == 0 {
		delete(h.views, s.view.key)
	}
}

// formOf is equal for views that deliver equal frames of an event.
func audienceKey(roles []access.Role, format wire.Format) string {
	form := []byte(strconv.Itoa(int(format)))
	for _, r := range roles {
		form = append(append(form, ','), r...)
	}
	return string(form)
}

// A refilter is another filter for a subscription.
type refilterRequest struct {
	filter filter.Filter
	ref    string
}

// Refilter gives the subscription another filter: everything through a seam
// goes by the old one, then comes a wire.FilterChanged with the seam and the ref,
// and everything after it goes by the new one. It returns when Next has taken
// it. The error is a *ClosedError, or that of ctx.
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

// refilter returns what is left to send by the old filter, and the seam.
// While the subscriber catches up the seam is where it stands; in a view it is
// the head, through which the view is delivered.
func (s *Subscriber) applyRefilter(r refilterRequest) (frames []byte) {
	h := s.hub
	if s.view != nil {
		h.mu.Lock()
		s.cursor = h.state.Cursor
		end := s.view.end.Load()
		h.leaveViewLocked(s)
		h.mu.Unlock()
		for more := s.readView(end); more != nil; more = s.readView(end) {
			frames = append(frames, more...)
		}
		h.mu.Lock()
		s.view = nil
		h.mu.Unlock()
	}
	s.filter = r.filter
	return s.format.Append(frames, &wire.FilterChanged{Through: s.cursor, Ref: r.ref, Filter: r.filter.Key()})
}

// Format is how the frames are written.
func (s *Subscriber) Format() wire.Format { return s.format }

// MarkWritten tells that what Next returned has reached the socket. It is called
// by the goroutine that calls Next.
func (s *Subscriber) MarkWritten() {
	if s.returnedStored > s.writtenStored {
		s.writtenStored = s.returnedStored
		s.hub.config.Observer.Delivered(time.Since(time.Unix(0, s.returnedStored)))
	}
}

// MarkStalled tells that a write to the reader took too long, and the connection
// is closed for it. One that was closed before was aborted, and is no other.
func (s *Subscriber) MarkStalled() {
	if !s.IsClosed() {
		s.hub.config.Observer.Slow(CauseStalledWrite)
	}
}
