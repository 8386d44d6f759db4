package live

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// askOn asks the broker from time to time for the session, while the broker reports no user or refuses the stream. The
// broker's answer may have been wrong, and users sign in elsewhere. askOn asks at once when the tab is shown or the
// network is back.
func (l *Live) askOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life == nil || l.life.Err() != nil || l.leftUser != "" {
		return
	}
	if l.unask != nil {
		l.unask()
	}
	ctx, cancel := context.WithCancel(l.life)
	l.unask = cancel
	go l.askUntil(ctx, cancel)
}

func (l *Live) askUntil(ctx context.Context, done func()) {
	defer done()
	attention := make(chan struct{}, 1) // one is as good as many
	if l.in.Page != nil {
		defer l.in.Page.Watch(func(e port.PageEvent) {
			if e == port.Appeared || e == port.Online {
				select {
				case attention <- struct{}{}:
				default:
				}
			}
		})()
	}
	for {
		l.mu.Lock()
		pause := max(sessionRetry, l.askPause)
		l.askPause = min(2*pause, sessionRetryMost)
		l.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-attention:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if l.in.Page != nil && !l.in.Page.Visible() {
			continue
		}
		if s, err := l.ask(ctx); err == nil && s.User != nil && ctx.Err() == nil {
			l.answered(ctx, s)
			return
		}
	}
}
