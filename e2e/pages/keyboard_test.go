package pages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// pressWithAlt sends the page the event of a key that is pressed together with Alt, because Tab.Type presses no Alt.
func pressWithAlt(tab *browser.Tab, key, code string) {
	browser.Eval[bool](tab, `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {
		key: "`+key+`", code: "`+code+`", altKey: true, bubbles: true, cancelable: true,
	})), true`)
}

// waitForPage waits until the app shows a page and has moved the focus to its beginning.
func waitForPage(tab *browser.Tab, page string) {
	tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "`+page+`"`)
	tab.Eventually(testkit.Soon, `document.activeElement.id === "main"`)
}

// Every page works without a pointer. Each step begins where the step before left the focus.
func TestEveryPageWorksByKeyboard(t *testing.T) {
	s := stack.Start(t)
	publishExamples(s)
	u := browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Show()
	requireSkipLinkAndRail(t, tab)
	requireLetterShortcuts(t, tab)
	requireFocusReturnsToRow(tab)
	requireToastKeys(t, s, tab)
	requireLettersCanBeSwitchedOff(t, s, tab)
	require.Empty(t, tab.Problems())
}

// requireSkipLinkAndRail checks that the keyboard reaches the page by the skip link, and other pages by the rail.
func requireSkipLinkAndRail(t *testing.T, tab *browser.Tab) {
	t.Helper()
	// The skip link gets the focus first, and leads past the rail.
	tab.Type("\t")
	tab.Eventually(
		testkit.Soon,
		`document.activeElement.className === "skip" && document.activeElement.getBoundingClientRect().top >= 0`,
	)
	tab.Type("\r")
	tab.Eventually(testkit.Soon, `document.activeElement.id === "main"`)
	// The links of the rail get the focus, and show it.
	browser.Eval[bool](tab, `(() => { document.querySelector('.nav a[href="/events"]').focus(); return true })()`)
	tab.Type("\t")
	require.Equal(t, "/rentals", browser.Eval[string](tab, `document.activeElement.getAttribute("href")`))
	require.NotEqual(t, "none", browser.Eval[string](tab, `getComputedStyle(document.activeElement).outlineStyle`))
	tab.Type("\r")
	waitForPage(tab, "/rentals")
}

// requireLetterShortcuts checks that letters open pages, the list of shortcuts and the filter, and pause the stream.
func requireLetterShortcuts(t *testing.T, tab *browser.Tab) {
	t.Helper()
	tab.Type("gd")
	waitForPage(tab, "/")
	tab.Type("?")
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open]")?.innerText.includes("Keyboard shortcuts")`)
	require.False(
		t,
		browser.Eval[bool](tab, `document.querySelector("dialog").innerText.includes("Admin")`),
		"not this user's page",
	)
	require.True(t, browser.Eval[bool](tab, `document.querySelector("dialog").contains(document.activeElement)`))
	tab.Type("\x1b")
	tab.Eventually(testkit.Soon, `!document.querySelector("dialog > *") && document.activeElement.id === "main"`)
	tab.Type("ga")
	tab.Type("p")
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=paused]")`)
	require.Equal(t, "/", browser.Eval[string](tab, `location.pathname`))
	tab.Type("p")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Type("/")
	waitForPage(tab, "/events")
	tab.Type("/")
	tab.Eventually(testkit.Soon, `document.activeElement.id === "filter-types"`)
}

// requireFocusReturnsToRow checks that a row of the history opens its details and gets the focus back.
func requireFocusReturnsToRow(tab *browser.Tab) {
	tab.Eventually(testkit.Soon, `document.querySelector(".row-open")`)
	browser.Eval[bool](tab, `(() => { document.querySelector(".row-open").focus(); return true })()`)
	tab.Type("\r")
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open].drawer")?.contains(document.activeElement)`)
	tab.Type("\x1b")
	tab.Eventually(
		testkit.Soon,
		`!document.querySelector("dialog > *") && document.activeElement.className.includes("row-open")`,
	)
}

// requireToastKeys checks that Alt+T moves the focus to a toast, and that Escape closes it and moves the focus back.
func requireToastKeys(t *testing.T, s *stack.Stack, tab *browser.Tab) {
	t.Helper()
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":9,"days_overdue":2}}`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-toast=late]")`)
	require.True(
		t,
		browser.Eval[bool](tab, `document.activeElement.className.includes("row-open")`),
		"a message takes no focus",
	)
	pressWithAlt(tab, "t", "KeyT")
	tab.Eventually(testkit.Soon, `document.activeElement.closest("[data-toast=late]")`)
	tab.Type("\x1b")
	tab.Eventually(
		testkit.Soon,
		`!document.querySelector("[data-toast]") && document.activeElement.className.includes("row-open")`,
	)
}

// requireLettersCanBeSwitchedOff checks that letters do nothing after the user has switched the shortcuts off.
func requireLettersCanBeSwitchedOff(t *testing.T, s *stack.Stack, tab *browser.Tab) {
	t.Helper()
	tab.Type("gs")
	waitForPage(tab, "/settings")
	browser.Eval[bool](tab, `(() => { document.getElementById("shortcuts").focus(); return true })()`)
	tab.Type(" ")
	tab.Eventually(testkit.Soon, `localStorage.shortcuts === "off"`)
	browser.Eval[bool](tab, `(() => { document.getElementById("main").focus(); return true })()`)
	tab.Type("gd?")
	// The toast appears after the time in which the letters would have acted.
	s.Publish(`{"type":"rental_overdue","id":"later","data":{"rental_id":10,"days_overdue":2}}`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-toast=later]")`)
	require.Equal(t, "/settings", browser.Eval[string](tab, `location.pathname`))
	require.False(t, browser.Eval[bool](tab, `document.querySelector("dialog").open`))
}

// A form shows each error once and moves the focus to its field.
func TestFormErrorsMoveTheFocus(t *testing.T) {
	s := stack.Start(t)
	publishExamples(s)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/rentals/123")
	tab.Show()
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="pay-123"]')`)
	tab.Click(`[data-act="pay-123"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] form")`)
	tab.Click(`dialog [type=submit]`)
	tab.Eventually(testkit.Soon, `document.activeElement.id === "ask-amount"`)
	require.Equal(t, "Expected: a number with at most the decimals of its currency, more than 0",
		browser.Eval[string](tab, `[...document.activeElement.closest(".field").querySelectorAll("p")]
			.map(e => e.innerText).filter(Boolean).join(" | ")`))
	tab.Type("12,50\r")
	tab.Eventually(testkit.Soon, `!document.querySelector("dialog[open]")`)
	tab.Eventually(testkit.Soon, `[...document.querySelectorAll(".row-text")].some(e => e.innerText.includes("12.50"))`)
	require.Empty(t, tab.Problems())
}
