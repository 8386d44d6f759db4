package ui

import (
	"strconv"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
)

// Banner returns a banner with a sentence and controls.
func Banner(class, words string, controls ...app.UI) app.HTMLElem {
	children := append([]app.UI{TextEl("span", "banner-text", words)}, controls...)
	return El("div", class, children...)
}

// Message returns a permanent place for a sentence. The place is empty if words is "". The role is "alert" for
// a problem, which screen readers read at once, and "status" for anything else.
func Message(class, role, words string) app.UI {
	return Slot(words != "", func() app.UI { return TextEl("p", class, words).Role(role) })
}

// Empty returns the place of a list without rows. It says that there is nothing, and what would be here.
func Empty(title, words string) app.UI {
	return El("div", "empty",
		TextEl("p", "empty-title", title),
		TextEl("p", "", words))
}

// NothingKnown returns the place of data that the broker has not sent yet and of which the browser has kept nothing.
func NothingKnown() app.UI { return Empty(text.Of("unknown"), text.Of("unknown.text")) }

// hashOf returns the 64-bit FNV-1a hash of a key in base 36.
func hashOf(key string) string {
	hash := uint64(14695981039346656037)
	for i := range len(key) {
		hash = (hash ^ uint64(key[i])) * 1099511628211
	}
	return strconv.FormatUint(hash, 36)
}
