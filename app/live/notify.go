package live

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/access"
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

// Prefer changes them, for all of the user's devices. They hold here at once;
// the broker is told of one change after the other, of several in a row the last.
// What it does not take is taken back, and failed says why.
func (l *Live) Prefer(change func(*notify.Preferences), failed func(error)) {
	l.mu.Lock()
	p := l.preferences
	p.Muted, p.Push = slices.Clone(p.Muted), slices.Clone(p.Push)
	l.mu.Unlock()
	change(&p)
	l.wish(p)
	l.mu.Lock()
	l.wishes++
	defer l.mu.Unlock()
	if l.wishing || l.client == nil {
		return // who tells the broker will see it
	}
	l.wishing = true
	go l.tellWishes(l.running, failed)
}

// wish lets toasts follow them.
func (l *Live) wish(p notify.Preferences) {
	l.set(func() { l.preferences = p })
	l.Toasts(func(q *toast.Queue, _ time.Time) { q.Mute(p.Muted) })
}

func (l *Live) tellWishes(connection context.Context, failed func(error)) {
	for {
		l.mu.Lock()
		p, told := l.preferences, l.wishes
		l.mu.Unlock()
		within, done := context.WithTimeout(connection, wishTime)
		err := l.api.Prefer(within, p)
		done()
		if connection.Err() != nil {
			return // another user's
		}
		if err == nil {
			l.takePreferences(p, false)
		}
		l.mu.Lock()
		if last := told == l.wishes; err != nil || last {
			l.wishing = false
			agreed := l.agreed
			l.mu.Unlock()
			if err != nil {
				l.wish(agreed)
				failed(err)
			}
			return
		}
		l.mu.Unlock()
	}
}

// wishTime bounds how long the broker may take for them.
const wishTime = 20 * time.Second

// takePreferences keeps what the broker has agreed to. Toasts are held to them
// unless the user may have changed them meanwhile.
func (l *Live) takePreferences(p notify.Preferences, news bool) {
	l.turn.Lock() // no sign-out in between: nothing is kept of who has left
	defer l.turn.Unlock()
	l.mu.Lock()
	grant, present := l.session.Grant, l.client != nil
	l.mu.Unlock()
	if !present {
		return
	}
	l.set(func() { l.agreed, l.learned = p, true })
	if news {
		l.wish(p)
	}
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
	l.mu.Lock()
	var user access.Grant
	if l.session.User != nil {
		user = l.session.User.Grant()
	}
	l.mu.Unlock()
	p, kept := notify.DefaultPreferences(user), keptPreferences{}
	within, done := context.WithTimeout(ctx, storageTime)
	values, err := l.in.Storage.Load(within, preferencesKey)
	done()
	if err == nil && json.Unmarshal(values[preferencesKey], &kept) == nil && kept.Grant == grant {
		p = kept.Preferences // what is damaged the broker has whole
	}
	if ctx.Err() != nil {
		return
	}
	l.set(func() { l.agreed = p })
	l.wish(p)
	if p, err := l.api.Preferences(ctx); err == nil && ctx.Err() == nil {
		l.takePreferences(p, true)
		if l.in.Welcome != nil {
			l.in.Welcome(ctx, l)
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
	if l.in.Badge == nil || r.Severity != event.Error {
		return
	}
	l.mu.Lock()
	old := r.Replayed && !r.Time.After(l.seenAt) // what came while the stream was down counts
	l.mu.Unlock()
	if old {
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
	l.unseen = 0
	if l.in.Badge != nil {
		l.in.Badge(0) // the worker may have set it
	}
}
