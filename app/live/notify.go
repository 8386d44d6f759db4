package live

import (
	"context"
	"encoding/json"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// preferencesKey is where the storage has what the user wants to be told of, so
// that it holds offline too.
const preferencesKey = "preferences"

// API calls the broker as the user.
func (l *Live) API() wasmclient.API { return l.api }

// Preferences are the user's: of the broker, or of the last visit.
func (l *Live) Preferences() notify.Preferences {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.preferences
}

// Prefer changes them, for all of the user's devices.
func (l *Live) Prefer(ctx context.Context, p notify.Preferences) error {
	if err := l.api.Prefer(ctx, p); err != nil {
		return err
	}
	l.takePreferences(p)
	return nil
}

// takePreferences holds toasts to them, and keeps them.
func (l *Live) takePreferences(p notify.Preferences) {
	l.turn.Lock() // no sign-out in between: nothing is kept of who has left
	defer l.turn.Unlock()
	l.mu.Lock()
	grant, present := l.session.Grant, l.client != nil
	l.mu.Unlock()
	if !present {
		return
	}
	l.set(func() { l.preferences = p })
	l.Toasts(func(q *toast.Queue, _ time.Time) { q.Mute(p.Muted) })
	raw, err := json.Marshal(keptPreferences{grant, p})
	if err != nil {
		panic(err) // our own type
	}
	ctx, done := context.WithTimeout(context.Background(), storageTime)
	defer done()
	_ = l.in.Storage.Save(ctx, preferencesKey, raw)
}

// keptPreferences are one grant's.
type keptPreferences struct {
	Grant string `json:"grant"`
	notify.Preferences
}

// learnPreferences takes those of the last visit, then the broker's.
func (l *Live) learnPreferences(ctx context.Context, grant string) {
	p, kept := notify.Default(), keptPreferences{}
	within, done := context.WithTimeout(ctx, storageTime)
	values, err := l.in.Storage.Load(within, preferencesKey)
	done()
	if err == nil && json.Unmarshal(values[preferencesKey], &kept) == nil && kept.Grant == grant {
		p = kept.Preferences // what is damaged the broker has whole
	}
	if ctx.Err() != nil {
		return
	}
	l.set(func() { l.preferences = p })
	l.Toasts(func(q *toast.Queue, _ time.Time) { q.Mute(p.Muted) })
	if p, err := l.api.Preferences(ctx); err == nil && ctx.Err() == nil {
		l.takePreferences(p)
		if l.in.Welcome != nil {
			l.in.Welcome(ctx, l.api)
		}
	}
}

// seenWait is how long a tab that nobody looks at waits for word from one that
// somebody does look at.
const seenWait = time.Second

// onEvent counts the errors that nobody has seen.
func (l *Live) onEvent(r store.Received) {
	if l.in.OnEvent != nil {
		l.in.OnEvent(r)
	}
	if l.in.Badge == nil || r.Replayed || r.Severity != event.Error {
		return
	}
	if l.in.Page.Visible() {
		l.tell(errorsSeen)
		return
	}
	l.mu.Lock()
	before := l.seenAt
	l.mu.Unlock()
	time.AfterFunc(seenWait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.seenAt.Equal(before) {
			l.unseen++
			l.in.Badge(l.unseen)
		}
	})
}

// seen notes that the user has looked.
func (l *Live) seen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seenAt = time.Now()
	if l.unseen > 0 {
		l.unseen = 0
		l.in.Badge(0)
	}
}
