package pages

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// The app offers a new version, and does not reload by itself.
func TestNewVersionWaitsForAClick(t *testing.T) {
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/rentals")
	browser.Eval[bool](tab, `(() => { window.same = true; goappOnUpdate(); return true })()`)
	tab.Eventually(testkit.Soon, updateReady)
	require.True(t, browser.Eval[bool](tab, `window.same === true`))
	tab.Click(".banners .banner button")
	tab.Eventually(
		testkit.Soon,
		`window.same === undefined && document.querySelector("main")?.dataset.page === "/rentals"`,
	)
	require.Empty(t, tab.Problems())
}

// offerInstallation is JavaScript that offers the app to install itself, as a browser does, and counts in asked how
// often the app asks the browser to install it. The user declines.
const offerInstallation = `(() => {
	window.asked = 0;
	const e = new Event("beforeinstallprompt");
	e.prompt = () => { asked++; return Promise.resolve() };
	e.userChoice = Promise.resolve({outcome: "dismissed"});
	dispatchEvent(e);
	return true;
})()`

// pretendIPhone is JavaScript that makes the browser look like Safari on an iPhone.
const pretendIPhone = `Object.defineProperty(Navigator.prototype, "userAgent", {
	value: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/17.4 Mobile/15E148 Safari/604.1",
})`

// If the browser supports a request for installation, the app offers it once. In other browsers, a page explains how to
// install the app.
func TestInstallIsOfferedOnce(t *testing.T) {
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/settings")
	browser.Eval[bool](tab, offerInstallation)
	tab.Eventually(testkit.Soon, `document.getElementById("install")`)
	browser.Eval[bool](
		tab,
		`(() => { const b = document.getElementById("install"); b.click(); b.click(); return true })()`,
	)
	tab.Eventually(testkit.Soon, `asked === 1 && !document.getElementById("install")`)
	require.Empty(t, tab.Problems())

	apple := browser.NewUser(t).NewTab()
	apple.OnNewDocument(pretendIPhone)
	apple.Open(s.URL + "/settings")
	apple.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	apple.Click("[data-user=manager]")
	apple.Eventually(
		testkit.Soon,
		`document.querySelector("[aria-labelledby=install-title]")?.innerText.includes("Add to Home Screen")`,
	)
	require.False(t, browser.Eval[bool](apple, `!!document.getElementById("install")`))
	require.Empty(t, apple.Problems())
}

// recordAnnouncements is JavaScript that adds every change of the page's live regions to the array announcements.
const recordAnnouncements = `(() => {
	window.announcements = [];
	for (const e of document.querySelectorAll("#root > [role=status], #root > [role=alert]")) {
		new MutationObserver(() => announcements.push(e.getAttribute("role") + ": " + e.textContent))
			.observe(e, {childList: true, characterData: true, subtree: true});
	}
	return true;
})()`

// The live regions of the page announce each change once.
func TestLiveRegionsAnnounceEachChangeOnce(t *testing.T) {
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	tab.Show()
	tab.Eventually(testkit.Soon, `document.querySelector("#root > [role=status]").textContent === "Live"`)
	browser.Eval[bool](tab, recordAnnouncements)
	s.Publish(`{"type":"payment_received","id":"paid","data":{"rental_id":123,"amount":10,"payment_method":"cash"}}`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-toast=paid]")`)
	tab.Eventually(testkit.Soon, `!document.querySelector("[data-toast=paid]")`)
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":1,"days_overdue":1}}`)
	tab.Eventually(testkit.Soon, `announcements.some(e => e.includes("overdue"))`)
	require.Equal(
		t,
		[]string{"status: Payment received: €10 · rental #123", "alert: Rental #1 is 1 day overdue"},
		browser.Eval[[]string](tab, `announcements`),
	)
}

// While the beginning of the feed on a phone is out of sight, the feed holds new events back, so that it does not move.
// While the beginning is visible, the feed shows new events at once.
func TestFeedOnAPhoneKeepsItsPlace(t *testing.T) {
	s := stack.Start(t)
	for i := range 30 {
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","data":{"rental_id":%d,"days_overdue":1}}`, i+1))
	}
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	tab.SetSize(360, "light")
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 30`)
	publishStatus := func(id string) {
		s.Publish(
			fmt.Sprintf(`{"type":"rental_status_updated","id":%q,"data":{"rental_id":900,"status":"active"}}`, id),
		)
	}
	browser.Eval[bool](tab, `(() => { document.querySelector(".feed-card").scrollIntoView(); return true })()`)
	require.Greater(t, browser.Eval[int](tab, `scrollY`), 240)
	publishStatus("live")
	testkit.Shows(tab, "live")
	browser.Eval[bool](tab, `(() => { scrollBy(0, 400); return true })()`)
	publishStatus("first")
	tab.Eventually(testkit.Soon, `document.querySelector(".feed-news").innerText === "1 new ↑"`)
	require.NotContains(t, tab.Attributes("[data-event]", "data-event"), "first")
	tab.Click(".feed-news button")
	testkit.Shows(tab, "first")
	require.InDelta(
		t,
		70,
		browser.Eval[float64](tab, `document.querySelector(".feed-card").getBoundingClientRect().top`),
		10,
	)
}

// A toast stays while the pointer or the focus is on the toasts. When the pointer leaves, the focus still keeps it.
func TestToastsStayUnderPointerAndFocus(t *testing.T) {
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	tab.Show()
	s.Publish(`{"type":"payment_received","id":"held","data":{"rental_id":1,"amount":1,"payment_method":"cash"}}`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-toast=held]")`)
	browser.Eval[bool](tab, `(() => {
		document.querySelector(".toast-close").focus();
		const toasts = document.getElementById("toasts");
		toasts.dispatchEvent(new MouseEvent("mouseenter"));
		toasts.dispatchEvent(new MouseEvent("mouseleave"));
		window.since = performance.now();
		return true;
	})()`)
	tab.Eventually(testkit.Soon, `performance.now() - since > 7000`)
	require.True(t, browser.Eval[bool](tab, `document.activeElement.closest("[data-toast=held]") !== null`))
	browser.Eval[bool](tab, `(() => { document.activeElement.blur(); return true })()`)
	tab.Eventually(testkit.Soon, `!document.querySelector("[data-toast=held]")`)
	// A window that is 600 px wide shows at most two toasts.
	tab.SetSize(600, "light")
	for i := range 3 {
		s.Publish(
			fmt.Sprintf(`{"type":"rental_overdue","id":"late-%d","data":{"rental_id":%d,"days_overdue":1}}`, i, i+1),
		)
	}
	tab.Eventually(testkit.Soon, `document.querySelector(".toast-more")?.innerText === "+1 more"`)
	require.Len(t, tab.Attributes("[data-toast]", "data-toast"), 2)
}

// The app writes numbers in the format of the browser's language.
func TestNumbersFollowTheBrowsersLanguage(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	s.Publish(`{"type":"timesheet_updated","data":{"timesheet_id":12345,"employee_id":5,"employee_name":"Ann",` +
		`"status":"submitted","date":"2026-11-24","hours_worked":7.5}}`)
	testkit.SignIn(s, u, "hr")
	tab := u.NewTab()
	tab.OnNewDocument(fmt.Sprintf(formatNumbersIn, "de-DE"))
	tab.Open(s.URL + "/employees")
	tab.Eventually(testkit.Soon, `document.querySelector(".item-lines")?.innerText.includes("7,5")`)
}

// A sign-out without the broker removes the user's data at once. It ends the session when the broker is up again.
func TestSignOutWorksWithoutTheBroker(t *testing.T) {
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	s.Publish(`{"type":"rental_overdue","id":"mine","data":{"rental_id":1,"days_overdue":1}}`)
	testkit.Shows(tab, "mine")
	s.Kill()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	tab.Click("#sign-out")
	tab.Eventually(testkit.Soon, `!document.querySelector("[data-event], #sign-out")`)
	s.Up()
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user]")`)
	require.Equal(t, 401, browser.Eval[int](tab, `fetch("/api/snapshot").then(r => r.status)`))
}
