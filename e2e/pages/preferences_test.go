package pages

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
)

// The page and the broker keep all of several quick changes. When a change does not reach the broker, the page takes it
// back and shows a banner.
func TestQuickChangesOfPreferencesAreAllKept(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	tab := testkit.Open(s, u, "manager", "/notifications")
	tab.Show()
	tab.Eventually(testkit.Soon, `document.getElementById("toast-rental_overdue")?.checked`)
	storedPreferences := func() (p notify.Preferences) {
		answer := browser.Eval[string](tab, `fetch("/api/push/preferences").then(r => r.text())`)
		require.NoError(t, json.Unmarshal([]byte(answer), &p))
		return p
	}
	click := func(ids ...string) {
		for _, id := range ids {
			browser.Eval[bool](tab, `(() => { document.getElementById("`+id+`").click(); return true })()`)
		}
	}
	click("toast-rental_overdue", "toast-payment_received", "push-payment_received", "quiet-on")
	testkit.Eventually(t, testkit.Soon, "the broker stores all four changes", func() bool {
		p := storedPreferences()
		return len(p.Muted) == 2 && p.Quiet != nil && p.Quiet.From == "22:00"
	})
	require.Contains(t, storedPreferences().Push, event.TypePaymentReceived)
	setValue(tab, "quiet-from", "20:30")
	testkit.Eventually(t, testkit.Soon, "the broker stores the hour", func() bool {
		p := storedPreferences()
		return p.Quiet.From == "20:30" && p.Quiet.To == "06:00" && p.Quiet.Zone != ""
	})

	// An event of a muted type makes no toast, and an event of another type makes one.
	s.Publish(`{"type":"rental_overdue","id":"muted","data":{"rental_id":9,"days_overdue":2}}`)
	s.Publish(`{"type":"maintenance_required","id":"unmuted","data":{"equipment_name":"Crane","issue":"Oil"}}`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-toast=unmuted]")`)
	require.NotContains(t, tab.Attributes("[data-toast]", "data-toast"), "muted")

	tab.Open(s.URL + "/notifications")
	tab.Eventually(testkit.Soon, `document.getElementById("quiet-from")?.value === "20:30" &&
		!document.getElementById("toast-rental_overdue").checked`)
	tab.Eventually(testkit.Soon, testkit.IsLive)
	s.Kill()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	click("push-rental_overdue")
	tab.Eventually(testkit.Soon, `document.querySelector("main .page .banner-denied")`)
	tab.Eventually(testkit.Soon, `document.getElementById("push-rental_overdue").checked`)
	s.Up()
	tab.Eventually(2*testkit.Soon, testkit.IsLive)
	tab.Eventually(testkit.Soon, `!document.querySelector("main .page .banner-denied")`)
	require.Contains(t, storedPreferences().Push, event.TypeRentalOverdue)
}

// recordBadges is JavaScript that adds every number on the app's icon to the array badges. 0 stands for no badge.
const recordBadges = `window.badges = [];
	Object.defineProperty(Navigator.prototype, "setAppBadge", {
		value: n => { badges.push(n); return Promise.resolve() },
	});
	Object.defineProperty(Navigator.prototype, "clearAppBadge", {
		value: () => { badges.push(0); return Promise.resolve() },
	})`

// The badge of the app counts the errors that came while no tab was visible, and is removed when one is shown.
func TestBadgeCountsUnseenErrors(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	tab.OnNewDocument(recordBadges)
	s.Publish(`{"type":"rental_overdue","id":"before","data":{"rental_id":1,"days_overdue":1}}`)
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	testkit.Shows(tab, "before")
	u.NewTab().Show()
	tab.Eventually(testkit.Soon, `document.visibilityState === "hidden"`)
	s.Publish(`{"type":"rental_overdue","data":{"rental_id":2,"days_overdue":1}}`)
	s.Publish(`{"type":"payment_received","data":{"rental_id":2,"amount":1,"payment_method":"cash"}}`)
	s.Publish(`{"type":"rental_overdue","data":{"rental_id":3,"days_overdue":1}}`)
	tab.Eventually(testkit.Soon, `badges.at(-1) === 2`)
	tab.Show()
	tab.Eventually(testkit.Soon, `badges.at(-1) === 0`)
	require.Empty(t, tab.Problems())
}
