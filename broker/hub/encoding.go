package hub

import (
	"time"

	"github.com/snd-rental/yardline/broker/hub/sharedgzip"
)

// encodeOpening returns the first frames of the stream as they are sent.
func (s *Subscriber) encodeOpening(frames []byte) []byte {
	if s.gzip == nil {
		return frames
	}
	return s.gzip.AppendOwn(sharedgzip.AppendHeader(nil), frames)
}

// encodeOwn returns frames for this subscriber alone as they are sent.
func (s *Subscriber) encodeOwn(frames []byte) []byte {
	if s.gzip == nil || len(frames) == 0 {
		return frames
	}
	return s.gzip.AppendOwn(nil, frames)
}

// encodeShared returns frames of the view, which begin at an offset, as they are
// sent.
func (s *Subscriber) encodeShared(offset int64, frames []byte) []byte {
	if s.gzip == nil || len(frames) == 0 {
		return frames
	}
	return s.gzip.Shared(s.view.gzip, offset, frames, time.Now())
}

// Goodbye returns the last bytes of a stream that the broker has ended: c.Bye and,
// with Request.Gzip, the end of the compressed data. The goroutine that calls Next
// or Poll may call it once, after it has received c from there.
func (s *Subscriber) Goodbye(c *ClosedError) []byte {
	frame := s.encodeOwn(s.format.Append(nil, &c.Bye))
	if s.gzip == nil {
		return frame
	}
	return s.gzip.AppendTrailer(frame)
}
