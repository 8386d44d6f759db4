package live

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// preferencesKey is the key in the storage of the user's preferences, so that they apply
// offline too.
const preferencesKey = "preferences"

// preferencesTimeout is how long the broker may take to store preferences.
const preferencesTimeout = 20 * time.Second

// API returns the broker's API, to be called as the user.
func (l *Live) API() wasmclient.API { return l.api }

// Preferences returns the user's preferences: those of the broker, or of the last visit.
func (l *Live) Preferences() notify.Preferences {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.preferences
}

// ChangePreferences changes the preferences for all devices of the user. A change applies in this tab at
// once. The broker gets one change after the other, and of several in a row only the last one. If the broker
// refuses a change, it is undone here, and failed is called with the error.
func (l *Live) ChangePreferences(change func(*notify.Preferences), failed func(error)) {
	l.mu.Lock()
	p := l.preferences
	p.Muted, p.Push = slices.Clone(p.Muted), slices.Clone(p.Push)
	l.mu.Unlock()
	change(&p)
	l.applyPreferences(p)
	l.mu.Lock()
	l.preferenceChanges++
	defer l.mu.Unlock()
	if l.savingPreferences || l.client == nil {
		return // the goroutine that saves will see the change
	}
	l.savingPreferences = true
	go l.savePreferences(l.clientCtx, failed)
}

// applyPreferences applies preferences in this tab.
func (l *Live) applyPreferences(p notify.Preferences) {
	l.set(func() { l.preferences = p })
	l.UpdateToasts(func(q *toast.Queue, _ time.Time) { q.SetMuted(p.Muted) })
}

// savePreferences sends the preferences to the broker until the broker has the latest ones.
func (l *Live) savePreferences(clientCtx context.Context, failed func(error)) {
	for {
		l.mu.Lock()
		p, sentChanges := l.preferences, l.preferenceChanges
		l.mu.Unlock()
		ctx, cancel := context.WithTimeout(clientCtx, preferencesTimeout)
		err := l.api.SetPreferences(ctx, p)
		cancel()
		if clientCtx.Err() != nil {
			return // the preferences are another user's now
		}
		if err == nil {
			l.storePreferences(p, false)
		}
		l.mu.Lock()
		if err != nil || sentChanges == l.preferenceChanges {
			l.savingPreferences = false
			saved := l.savedPreferences
			l.mu.Unlock()
			if err != nil {
				l.applyPreferences(saved)
				failed(err)
			}
			return
		}
		l.mu.Unlock()
	}
}

// storePreferences stores the broker's preferences. With apply, it also applies them in this tab. The
// caller must not set apply if the user may have changed the preferences meanwhile.
func (l *Live) storePreferences(p notify.Preferences, apply bool) {
	l.replacing.Lock() // Otherwise a sign-out in between would leave data of the signed-out user.
	defer l.replacing.Unlock()
	l.mu.Lock()
	grant, isSignedIn := l.session.Grant, l.client != nil
	l.mu.Unlock()
	if !isSignedIn {
		return
	}
	l.set(func() { l.savedPreferences, l.preferencesKnown = p, true })
	if apply {
		l.applyPreferences(p)
	}
	raw, err := json.Marshal(storedPreferences{grant, p})
	if err != nil {
		panic(err) // our own type
	}
	ctx, cancel := context.WithTimeout(context.Background(), storageTimeout)
	defer cancel()
	_ = l.env.Storage.Save(ctx, preferencesKey, raw)
}

// storedPreferences are the preferences of one grant, as the storage has them.
type storedPreferences struct {
	Grant string `json:"grant"`
	notify.Preferences
}

// loadPreferences applies the stored preferences of the grant, or the default, and then the broker's.
func (l *Live) loadPreferences(clientCtx context.Context, grant string) {
	l.mu.Lock()
	var user access.Grant
	if l.session.User != nil {
		user = l.session.User.Grant()
	}
	l.mu.Unlock()
	p, stored := notify.DefaultPreferences(user), storedPreferences{}
	ctx, cancel := context.WithTimeout(clientCtx, storageTimeout)
	values, err := l.env.Storage.Load(ctx, preferencesKey)
	cancel()
	// Preferences that cannot be read are ignored: the broker has them too.
	if err == nil && json.Unmarshal(values[preferencesKey], &stored) == nil && stored.Grant == grant {
		p = stored.Preferences
	}
	if clientCtx.Err() != nil {
		return
	}
	l.set(func() { l.savedPreferences = p })
	l.applyPreferences(p)
	if p, err := l.api.Preferences(clientCtx); err == nil && clientCtx.Err() == nil {
		l.storePreferences(p, true)
		if l.env.OnSignedIn != nil {
			l.env.OnSignedIn(clientCtx, l)
		}
	}
}
