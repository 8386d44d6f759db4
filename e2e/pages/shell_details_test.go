package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

const updateReady = `document.querySelector(".banners .banner")?.innerText.includes("Update ready")`

// The app looks for a new version when the stream returns, when the tab is shown, and every hour, with a service worker
// and without.
func TestAppLooksForNewVersions(t *testing.T) {
	t.Parallel()
	hour := `window.hourly = []; { const own = window.setInterval; window.setInterval = (f, ms, ...a) => { if (ms ` +
		`=== 3600000) hourly.push(f); return own(f, ms, ...a) } }`
	for name, stub := range map[string]string{"worker": hour, "no worker": hour + testkit.DeleteScript("Navigator.prototype",
		"serviceWorker")} {
		for _, occasion := range []string{"stream returns", "tab is shown", "hour"} {
			t.Run(name+", "+occasion, func(t *testing.T) {
				s := stack.Start(t)
				f, u := testkit.NewFront(t, s), browser.NewUser(t)
				tab := u.NewTab()
				tab.OnNewDocument(stub)
				tab.Open(f.URL + "/")
				tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
				tab.Click("[data-user=manager]")
				tab.Eventually(testkit.Soon, testkit.IsLive)
				if name == "worker" {
					tab.Eventually(testkit.Soon, testkit.IsControlled)
				} else {
					testkit.Eventually(t, testkit.Soon, "the first look",
						func() bool { return f.Count("/app-worker.js", func(*http.Request) bool { return true }) > 0 })
					tab.Eventually(testkit.Soon, `goappVersion`)
				}
				f.With(func(f *testkit.Front) { f.Version = "another" })
				switch occasion {
				case "stream returns":
					s.Kill()
					tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
					s.Up()
				case "tab is shown":
					u.NewTab().Show()
					tab.Eventually(testkit.Soon, `document.visibilityState === "hidden"`)
					tab.Show()
				case "hour":
					browser.Eval[bool](tab, `(() => { hourly.forEach(f => f()); return true })()`)
				}
				tab.Eventually(testkit.Soon, updateReady)
				tab.Eventually(testkit.Soon, testkit.IsLive)
			})
		}
	}
}

// translate replaces every text node as a translator does. It leaves elements with translate="no" alone, unless
// takesNotice is false.
const translate = `(takesNotice => {
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), all = [];
	for (let n; n = walk.nextNode();) {
		if (n.data.trim() && !(takesNotice && n.parentElement.closest("[translate=no]"))) all.push(n);
	}
	for (const n of all) {
		const outer = document.createElement("font"), inner = document.createElement("font");
		inner.textContent = n.data; outer.append(inner); n.replaceWith(outer);
	}
	return all.length;
})`

// Figures and states stay current under a translator that ignores translate="no", and the app goes on through all its
// pages.
func TestTranslatedPageShowsCurrentFigures(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-figure=active_rentals]")`)
	require.Zero(t, browser.Eval[int](tab, translate+`(true)`))
	figure := func(key, want string) {
		tab.Eventually(
			testkit.Soon,
			fmt.Sprintf(`document.querySelector("[data-figure=%s] .figure-value").innerText === %q`,
				key, want),
		)
	}
	for i := range 3 {
		require.Greater(t, browser.Eval[int](tab, translate+`(false)`), 40)
		s.Publish(fmt.Sprintf(`{"type":"rental_status_updated","data":{"rental_id":%d,"status":"active"}}`, i+1))
		s.Publish(`{"type":"payment_received","data":{"rental_id":1,"amount":100,"payment_method":"cash"}}`)
		figure("active_rentals", fmt.Sprint(i+1))
		figure("revenue_today", fmt.Sprintf("€%d", 100*(i+1)))
	}
	s.Kill()
	tab.Eventually(testkit.Soon, `document.querySelector(".header .status-words").innerText === "Reconnecting"`)
	browser.Eval[int](tab, translate+`(false)`)
	s.Up()
	tab.Eventually(testkit.Soon, `document.querySelector(".header .status-words").innerText === "Live"`)
	for _, path := range testkit.Paths {
		if len(tab.Attributes(fmt.Sprintf(`.nav a[href=%q]`, path), "href")) == 0 {
			continue
		}
		browser.Eval[int](tab, translate+`(false)`)
		browser.Eval[bool](tab,
			fmt.Sprintf(`(() => { document.querySelector('.nav a[href=%q]').click(); return true })()`, path))
		tab.Eventually(testkit.Soon, fmt.Sprintf(`document.querySelector("main").dataset.page === %q`, path))
	}
	require.False(t, browser.Eval[bool](tab, `document.querySelector(".crashed") !== null`))
}

// A key, link or filter that leads to the present address adds no entry to the browser's history.
func TestSameAddressAddsNoHistoryEntry(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	press := func(keys string) {
		for _, k := range keys {
			tab.Type(string(k))
		}
	}
	before := browser.Eval[int](tab, `history.length`)
	press("gr")
	tab.Eventually(testkit.Soon, `location.pathname === "/rentals"`)
	press("gr")
	press("gr")
	tab.Click(`.nav a[href="/rentals"]`)
	require.Equal(t, before+1, browser.Eval[int](tab, `history.length`))
	press("ge")
	tab.Eventually(testkit.Soon, `location.pathname === "/events" && document.getElementById("filter-types")`)
	set := func(value string) {
		browser.Eval[bool](tab, fmt.Sprintf(`(() => { const e = document.getElementById("filter-types"); e.value = `+
			`%q; e.dispatchEvent(new Event("change", {bubbles: true})); return true })()`, value))
	}
	set("payment_received")
	tab.Eventually(testkit.Soon, `location.search === "?types=payment_received"`)
	set("payment_received")
	set("payment_received")
	set("-")
	tab.Eventually(testkit.Soon, `location.pathname + location.search === "/events"`)
	require.Equal(t, before+4, browser.Eval[int](tab, `history.length`))
}

// The app writes and reads times of the summer with the offset of the summer.
func TestTimesHaveTheOffsetOfTheirDate(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	s.Publish(`{"type":"rental_status_updated","id":"july","time":"2026-07-01T12:00:00Z","data":{"rental_id":881,` +
		`"status":"active"}}`)
	s.Publish(`{"type":"rental_status_updated","id":"june","time":"2026-06-30T22:30:00Z","data":{"rental_id":882,` +
		`"status":"active"}}`)
	s.Publish(`{"type":"rental_status_updated","id":"january","time":"2026-01-15T22:30:00Z","data":{"rental_id":883,` +
		`"status":"active"}}`)
	u := browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	for _, now := range []string{"2026-12-01T12:00:00Z", "2026-07-15T12:00:00Z"} { // the offset of the program's start
		tab := u.NewTab()
		tab.SetTimeZone("Europe/Berlin")
		tab.OnNewDocument(fmt.Sprintf(`localStorage.setItem("style", '{"iso_dates":true}'); {
			const Own = Date, skew = Own.parse(%q) - Own.now();
			window.Date = class extends Own {
				constructor(...a) { a.length ? super(...a) : super(Own.now() + skew) }
				static now() { return Own.now() + skew }
			}
		}`, now))
		for id, want := range map[string]string{"881": "2026-07-01 14:00", "882": "2026-07-01 00:30",
			"883": "2026-01-15 23:30"} {
			tab.Open(s.URL + "/rentals/" + id)
			tab.Eventually(testkit.Soon, `document.querySelector(".row-time")`)
			require.Equal(t, want, browser.Eval[string](tab, `document.querySelector(".row-time").innerText`), "at %s",
				now)
		}
		// A day of the filter is the reader's day of that time of the year.
		tab.Open(s.URL + "/events?from=2026-07-01&to=2026-07-01")
		tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 2`)
		require.ElementsMatch(t, []string{"july", "june"}, tab.Attributes("[data-event]", "data-event"))
		tab.Open(s.URL + "/events?from=2026-01-15&to=2026-01-15")
		tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 1`)
		// What is typed is of that time, too.
		tab.Open(s.URL + "/sse-test")
		tab.Eventually(testkit.Soon, testkit.IsLive)
		tab.Click(`[aria-label="Edit Equipment location updated"]`)
		tab.Eventually(testkit.Soon, `document.getElementById("event-form-recorded_at")`)
		browser.Eval[bool](tab, `(() => { for (const d of document.querySelectorAll("#event-form details")) d.open `+
			`= true; document.getElementById("event-form-recorded_at").value = "2026-07-01T14:00:00"; `+
			`document.getElementById("event-form").requestSubmit(); return true })()`)
		tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=sent]")`)
		require.Contains(t, browser.Eval[string](tab, `fetch("/api/snapshot").then(r => r.text())`),
			`"recorded_at":"2026-07-01T12:00:00Z"`)
		tab.Close()
	}
}

// A CSV file begins with a byte order mark and has the reader's decimal mark.
func TestCSVSuitsSpreadsheets(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	s.Publish(`{"type":"payment_received","id":"p","data":{"rental_id":1,"amount":10.05,"payment_method":"cash"}}`)
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":1,"status":"active","customer":"Müller GmbH – ` +
		`Łódź"}}`)
	for locale, want := range map[string]string{"en-GB": "\ufefftime,type,", "de-DE": "\ufefftime;type;"} {
		u := browser.NewUser(t)
		testkit.SignIn(s, u, "manager")
		tab := u.NewTab()
		tab.OnNewDocument(fmt.Sprintf(`{ const Plain = Intl.NumberFormat; Intl.NumberFormat = function (_, o) { `+
			`return new Plain(%q, o) } }`, locale))
		tab.Open(s.URL + "/events")
		testkit.Shows(tab, "p")
		browser.Eval[bool](tab, `(() => { window.files = []; const made = URL.createObjectURL; URL.createObjectURL `+
			`= b => { b.arrayBuffer().then(a => files.push(new TextDecoder("utf-8", {ignoreBOM: true}).decode(a))); `+
			`return made.call(URL, b) }; return true })()`)
		tab.Click("#export-csv")
		tab.Eventually(testkit.Soon, `files.length === 1`)
		file := browser.Eval[string](tab, `files[0]`)
		require.Equal(t, want, file[:len(want)])
		require.Contains(t, file, "Müller GmbH – Łódź")
		require.Contains(t, file, map[string]string{"en-GB": ",10.05,", "de-DE": `"10,05";`}[locale])
	}
}

// A printed page is light in every theme and has no navigation.
func TestPrintedPageIsLight(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	for _, theme := range []string{"", "light", "dark"} {
		for _, scheme := range []string{"light", "dark"} {
			tab.EmulatePrint(scheme)
			browser.Eval[bool](tab, fmt.Sprintf(`(() => { if (%q) document.documentElement.dataset.theme = %q; else `+
				`delete document.documentElement.dataset.theme; return true })()`, theme, theme))
			require.Equal(t, "rgb(27, 33, 38)",
				browser.Eval[string](tab, `getComputedStyle(document.querySelector("h1")).color`), "%s %s", theme,
				scheme)
			require.Equal(t, "rgb(255, 255, 255)",
				browser.Eval[string](tab, `getComputedStyle(document.querySelector(".card")).backgroundColor`), "%s %s",
				theme, scheme)
			require.Equal(t, "none", browser.Eval[string](tab,
				`getComputedStyle(document.querySelector(".nav")).display`))
		}
	}
}

// When a gateway redirects to its sign-in, the page can be reloaded. The app reloads it by itself only when nothing is
// unsent.
func TestAppReloadsForAGatewaysSignIn(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<title>Gateway</title><h1>Sign in at the gateway</h1>`)
	}))
	t.Cleanup(gateway.Close)
	closed := func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, gateway.URL, http.StatusFound)
		return true
	}
	for _, unsent := range []bool{false, true} {
		f := testkit.NewFront(t, s)
		tab := testkit.OpenFront(t, f, browser.NewUser(t), "/sse-test")
		tab.Show()
		if unsent {
			f.With(func(f *testkit.Front) {
				f.Answer = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/api/sse" || r.URL.Path == "/api/ws" {
						w.WriteHeader(http.StatusBadGateway)
						return true
					}
					return false
				}
			})
			tab.Click("[data-send=rental_overdue]")
			tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=queued]")`)
		}
		f.With(func(f *testkit.Front) { f.Answer = closed })
		s.Kill()
		s.Up()
		if unsent {
			tab.Click(`.nav a[href="/rentals"]`)
			tab.Eventually(testkit.Soon, `document.querySelector(".banner-login")?.innerText.includes("A sign-in page `+
				`answers in the broker’s place")`)
			require.Contains(t, browser.Eval[string](tab, `document.querySelector(".banner-login").innerText`),
				"1 change will be sent later.")
			tab.Click(".banner-login button")
		}
		tab.Eventually(testkit.Soon, `document.title === "Gateway"`)
	}
}

// The app leaves a click with Shift to the browser, which opens a window or saves a file, and stays on its page.
func TestShiftClickIsLeftToTheBrowser(t *testing.T) {
	t.Parallel()
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	// The page's own handler keeps the browser from opening a window.
	tab.OnNewDocument(`addEventListener("click", e => { if (e.shiftKey || e.altKey) e.preventDefault() }, true)`)
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	for _, key := range []string{"shiftKey", "altKey"} {
		browser.Eval[bool](tab, fmt.Sprintf(`document.querySelector('.nav a[href="/rentals"]').dispatchEvent(new `+
			`MouseEvent("click", {bubbles: true, cancelable: true, %s: true}))`, key))
		tab.Click(`.nav a[href="/events"]`)
		tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/events"`)
		browser.Eval[bool](tab, `(() => { history.back(); return true })()`)
		tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/"`) // and not /rentals
	}
}
