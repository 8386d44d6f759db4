package live

import (
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// attentionWait is how long a hidden tab waits for the message of a visible tab that the user sees
// an error.
const attentionWait = time.Second

// handleEvent counts an error that the user has not seen because all tabs are hidden.
func (l *Live) handleEvent(r store.Received) {
	if l.env.OnEvent != nil {
		l.env.OnEvent(r)
	}
	if l.env.SetBadge == nil || r.Severity != event.Error {
		return
	}
	l.mu.Lock()
	// A replayed error counts if it happened while the stream was down.
	isOld := r.Replayed && !r.Time.After(l.errorsSeenAt)
	l.mu.Unlock()
	if isOld {
		return
	}
	if l.env.Page.IsVisible() {
		l.broadcast(errorsSeen)
		return
	}
	l.mu.Lock()
	seenAt := l.errorsSeenAt
	l.mu.Unlock()
	time.AfterFunc(attentionWait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.errorsSeenAt.Equal(seenAt) {
			l.unseenErrors++
			l.env.SetBadge(l.unseenErrors)
		}
	})
}

// markErrorsSeen notes that the user looks at a tab.
func (l *Live) markErrorsSeen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errorsSeenAt = time.Now()
	l.unseenErrors = 0
	if l.env.SetBadge != nil {
		l.env.SetBadge(0) // the service worker may have set it
	}
}
