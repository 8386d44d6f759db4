package live

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// pollSession asks the broker for the session from time to time while the broker reports no user or
// refuses the stream, because that answer may have been wrong, and because users sign in elsewhere.
// It asks at once when the tab is shown or the network is back. After a sign-out in this app it does
// nothing.
func (l *Live) pollSession() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pageCtx == nil || l.pageCtx.Err() != nil || l.signedOutUser != "" {
		return
	}
	if l.cancelAsking != nil {
		l.cancelAsking()
	}
	ctx, cancel := context.WithCancel(l.pageCtx)
	l.cancelAsking = cancel
	go l.pollUntilSignedIn(ctx, cancel)
}

func (l *Live) pollUntilSignedIn(ctx context.Context, cancel func()) {
	defer cancel()
	wake := make(chan struct{}, 1) // one request answers all events until then
	if l.env.Page != nil {
		defer l.env.Page.Watch(func(e port.PageEvent) {
			if e == port.Appeared || e == port.Online {
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		})()
	}
	for {
		l.mu.Lock()
		pause := max(sessionRetry, l.sessionPause)
		l.sessionPause = min(2*pause, maxSessionRetry)
		l.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if l.env.Page != nil && !l.env.Page.IsVisible() {
			continue
		}
		if s, err := l.fetchSession(ctx); err == nil && s.User != nil && ctx.Err() == nil {
			l.handleSession(ctx, s)
			return
		}
	}
}
