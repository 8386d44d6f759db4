package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
)

// clock lets a test move the page's clock by the variable skew, in milliseconds.
const clock = `window.skew = 0; { const Own = Date; window.Date = class extends Own { constructor(...a) { a.length ? super(...a) : super(Own.now() + skew) } static now() { return Own.now() + skew } };
	const now = performance.now.bind(performance); performance.now = () => now() + skew; }`

// TestMidnightInAnOpenTab: figures of today begin anew with the day, with nothing that happens.
func TestMidnightInAnOpenTab(t *testing.T) {
	s, u := stack.Start(t, "--time-zone", "UTC"), browser.NewUser(t)
	signIn(s, u, "manager")
	tab := u.NewTab()
	tab.OnNewDocument(clock)
	tab.Open(s.URL + "/")
	tab.Eventually(soon, isLive)
	s.Publish(`{"type":"payment_received","data":{"rental_id":1,"amount":100,"payment_method":"cash"}}`)
	const revenue = `document.querySelector("[data-figure=revenue_today]").dataset.value`
	tab.Eventually(soon, revenue+` === "EUR 100"`)
	browser.Eval[bool](tab, `(() => { skew = 24 * 3600 * 1000; return true })()`)
	tab.Eventually(2*soon, revenue+` !== "EUR 100"`)
	tab.Eventually(soon, isLive)
	require.False(t, browser.Eval[bool](tab, `document.querySelector(".crashed") !== null`))
}
