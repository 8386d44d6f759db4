package pages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// withAlt presses a key of the whole page with Alt, as tests' keyboards have none.
func withAlt(tab *browser.Tab, key, code string) {
	browser.Eval[bool](
		tab,
		`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "`+key+`", code: "`+code+`", altKey: true, bubbles: true, cancelable: true})), true`,
	)
}

// Every page works without a pointer. Each step begins where the step before left the focus.
func TestEveryPageWorksByKeyboard(t *testing.T) {
	s := stack.Start(t)
	examples(s)
	u := browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Show()
	at := func(page string) {
		tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "`+page+`"`)
		tab.Eventually(testkit.Soon, `document.activeElement.id === "main"`)
	}

	// The skip link is the first stop, and leads past the rail.
	tab.Type("\t")
	tab.Eventually(
		testkit.Soon,
		`document.activeElement.className === "skip" && document.activeElement.getBoundingClientRect().top >= 0`,
	)
	tab.Type("\r")
	tab.Eventually(testkit.Soon, `document.activeElement.id === "main"`)
	// The rail's links are stops, and show it.
	browser.Eval[bool](tab, `(() => { document.querySelector('.nav a[href="/events"]').focus(); return true })()`)
	tab.Type("\t")
	require.Equal(t, "/rentals", browser.Eval[string](tab, `document.activeElement.getAttribute("href")`))
	require.NotEqual(t, "none", browser.Eval[string](tab, `getComputedStyle(document.activeElement).outlineStyle`))
	tab.Type("\r")
	at("/rentals")

	// Letters.
	tab.Type("gd")
	at("/")
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
	at("/events")
	tab.Type("/")
	tab.Eventually(testkit.Soon, `document.activeElement.id === "filter-types"`)

	// A row opens its details and gets the focus back.
	tab.Eventually(testkit.Soon, `document.querySelector(".row-open")`)
	browser.Eval[bool](tab, `(() => { document.querySelector(".row-open").focus(); return true })()`)
	tab.Type("\r")
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open].drawer")?.contains(document.activeElement)`)
	tab.Type("\x1b")
	tab.Eventually(
		testkit.Soon,
		`!document.querySelector("dialog > *") && document.activeElement.className.includes("row-open")`,
	)

	// Messages: Alt+T, Escape, and back.
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":9,"days_overdue":2}}`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-toast=late]")`)
	require.True(
		t,
		browser.Eval[bool](tab, `document.activeElement.className.includes("row-open")`),
		"a message takes no focus",
	)
	withAlt(tab, "t", "KeyT")
	tab.Eventually(testkit.Soon, `document.activeElement.closest("[data-toast=late]")`)
	tab.Type("\x1b")
	tab.Eventually(
		testkit.Soon,
		`!document.querySelector("[data-toast]") && document.activeElement.className.includes("row-open")`,
	)

	// Switched off, letters do nothing.
	tab.Type("gs")
	at("/settings")
	browser.Eval[bool](tab, `(() => { document.getElementById("shortcuts").focus(); return true })()`)
	tab.Type(" ")
	tab.Eventually(testkit.Soon, `localStorage.shortcuts === "off"`)
	browser.Eval[bool](tab, `(() => { document.getElementById("main").focus(); return true })()`)
	tab.Type("gd?")
	s.Publish(`{"type":"rental_overdue","id":"later","data":{"rental_id":10,"days_overdue":2}}`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-toast=later]")`) // by then they would have done it
	require.Equal(t, "/settings", browser.Eval[string](tab, `location.pathname`))
	require.False(t, browser.Eval[bool](tab, `document.querySelector("dialog").open`))
	require.Empty(t, tab.Problems())
}

// A form shows each error once and moves the focus to its field.
func TestFormErrorsMoveTheFocus(t *testing.T) {
	s := stack.Start(t)
	examples(s)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/rentals/123")
	tab.Show()
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="pay-123"]')`)
	tab.Click(`[data-act="pay-123"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] form")`)
	tab.Click(`dialog [type=submit]`)
	tab.Eventually(testkit.Soon, `document.activeElement.id === "ask-amount"`)
	require.Equal(t, "Expected: a number with at most the decimals of its currency, more than 0",
		browser.Eval[string](tab, `[...document.activeElement.closest(".field").querySelectorAll("p")].map(e => `+
			`e.innerText).filter(Boolean).join(" | ")`))
	tab.Type("12,50\r")
	tab.Eventually(testkit.Soon, `!document.querySelector("dialog[open]")`)
	tab.Eventually(testkit.Soon, `[...document.querySelectorAll(".row-text")].some(e => e.innerText.includes("12.50"))`)
	require.Empty(t, tab.Problems())
}
