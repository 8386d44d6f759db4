package hub

import (
	"strconv"
	"sync"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// An audience is a set of roles with a format. All subscribers of an audience
// receive the same frame of an event, apart from events that they see as a
// person.
type audience struct {
	key    string
	roles  []access.Role
	format wire.Format
}

// audienceLocked returns the audience of roles and a format. There are at most
// 128 of them, so that the hub keeps all. The caller must hold h.mu.
func (h *Hub) audienceLocked(roles []access.Role, format wire.Format) *audience {
	key := []byte(strconv.Itoa(int(format)))
	for _, r := range roles {
		key = append(append(key, ','), r...)
	}
	a := h.audiences[string(key)]
	if a == nil {
		a = &audience{string(key), roles, format}
		h.audiences[string(key)] = a
	}
	return a
}

// A recentEvent is an event of the ring. It keeps its frames, so that an event
// is encoded once for all subscribers of an audience, those that read it later
// included. All methods may be called concurrently.
type recentEvent struct {
	seq   uint64
	event event.Event

	mu     sync.Mutex // guards all below; held while a frame is encoded, so that it is encoded once
	frames []audienceFrame
	isNew  bool // the event is being delivered, so that its frames are kept in any case
	isOld  bool // the event has left the ring, so that its frames are not kept
}

// An audienceFrame is the frame of an event for an audience. The frame is nil
// when the roles of the audience may not see the event.
type audienceFrame struct {
	audience *audience
	frame    []byte
}

// maxCachedBytes bounds the frames that the ring holds, in bytes. Frames beyond
// it are encoded each time. 8,192 events of 500 bytes for eight audiences take
// 32 MiB.
const maxCachedBytes = 48 << 20

// frameFor returns the frame of a recent event for an audience, or nil when its
// roles may not see the event. The caller must not change the frame.
func (h *Hub) frameFor(r *recentEvent, a *audience) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.frames {
		if known.audience == a {
			return known.frame
		}
	}
	var frame []byte
	if redacted, ok := access.RedactForRoles(a.roles, r.event); ok {
		cursor := wire.Cursor{Epoch: h.config.Log.Epoch(), Seq: r.seq}
		frame = a.format.Append(nil, &wire.Event{Cursor: cursor, Event: redacted})
	}
	if r.isNew || !r.isOld && h.cachedBytes.Load() < maxCachedBytes {
		h.cachedBytes.Add(int64(len(frame)))
		r.frames = append(r.frames, audienceFrame{a, frame})
	}
	return frame
}

// addRecentLocked adds an event to the ring, and returns the events that left
// it. The caller must hold h.mu.
func (h *Hub) addRecentLocked(item *recentEvent) (old []*recentEvent) {
	h.ring = append(h.ring, item)
	if len(h.ring) >= 2*h.config.Ring {
		old = h.ring[:len(h.ring)-h.config.Ring]
		h.ring = append([]*recentEvent(nil), h.ring[len(old):]...)
	}
	return old
}

// markDelivered notes that an event is delivered to all views. Its frames are
// dropped if the ring holds too many bytes.
func (h *Hub) markDelivered(r *recentEvent) {
	r.mu.Lock()
	r.isNew = false
	r.mu.Unlock()
	if h.cachedBytes.Load() > maxCachedBytes {
		h.forgetFrames(r)
	}
}

// forgetFrames removes the frames of an event.
func (h *Hub) forgetFrames(r *recentEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.frames {
		h.cachedBytes.Add(-int64(len(f.frame)))
	}
	r.frames = nil
}

// dropFrames removes the frames of events that have left the ring.
func (h *Hub) dropFrames(removed []*recentEvent) {
	for _, r := range removed {
		r.mu.Lock()
		r.isOld = true
		r.mu.Unlock()
		h.forgetFrames(r)
	}
}
