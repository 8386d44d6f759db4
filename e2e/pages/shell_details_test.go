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

// updateReady is JavaScript that is true when the app offers a new version.
const updateReady = `document.querySelector(".banners .banner")?.innerText.includes("Update ready")`

// recordHourlyTimers is JavaScript that adds the functions of all timers with a period of one hour to the array hourly.
const recordHourlyTimers = `window.hourly = []; {
	const original = window.setInterval;
	window.setInterval = (f, ms, ...a) => {
		if (ms === 3600000) hourly.push(f);
		return original(f, ms, ...a);
	};
}
`

// endOfUpdateChecks is JavaScript that waits until the browser has finished its checks for a new service worker. A
// check that is asked for during another one gets the result of that one (seen in Chromium 156). So a check that the
// test asks for would miss the new version if the page's first check, which it makes when it is live, still ran.
const endOfUpdateChecks = `navigator.serviceWorker.ready.then(r => r.update()).then(() => true)`

// requireUpdateIsOffered opens the app in a page that runs a script first, and changes the version on the server. Then
// it causes an occasion on which the app looks for a new version, and checks that the app offers the new one.
func requireUpdateIsOffered(t *testing.T, script string, hasWorker bool, occasion string) {
	t.Helper()
	s := stack.Start(t)
	proxy, u := testkit.NewProxy(t, s), browser.NewUser(t)
	tab := u.NewTab()
	tab.OnNewDocument(script)
	tab.Open(proxy.URL + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	if hasWorker {
		tab.Eventually(testkit.Soon, testkit.IsControlled)
		browser.Eval[bool](tab, endOfUpdateChecks)
	} else {
		testkit.Eventually(t, testkit.Soon, "the first look for a new version",
			func() bool { return proxy.Count("/app-worker.js", func(*http.Request) bool { return true }) > 0 })
		tab.Eventually(testkit.Soon, `goappVersion`)
	}
	proxy.With(func(proxy *testkit.Proxy) { proxy.Version = "another" })
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
}

// The app looks for a new version when the stream returns, when the tab is shown, and every hour, with a service worker
// and without.
func TestAppLooksForNewVersions(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"worker":    recordHourlyTimers,
		"no worker": recordHourlyTimers + testkit.DeleteScript("Navigator.prototype", "serviceWorker"),
	} {
		for _, occasion := range []string{"stream returns", "tab is shown", "hour"} {
			t.Run(name+", "+occasion, func(t *testing.T) {
				requireUpdateIsOffered(t, script, name == "worker", occasion)
			})
		}
	}
}

// translate is a function of JavaScript that replaces every text node, as a translator does, and returns how many it
// replaced. With true it leaves elements with translate="no" alone, as a translator should.
const translate = `(respectsAttribute => {
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), all = [];
	for (let n; n = walk.nextNode();) {
		if (n.data.trim() && !(respectsAttribute && n.parentElement.closest("[translate=no]"))) all.push(n);
	}
	for (const n of all) {
		const outer = document.createElement("font"), inner = document.createElement("font");
		inner.textContent = n.data;
		outer.append(inner);
		n.replaceWith(outer);
	}
	return all.length;
})`

// When a translator that ignores translate="no" changes the page, figures and states stay current, and all pages still
// open.
func TestTranslatedPageShowsCurrentFigures(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-figure=active_rentals]")`)
	require.Zero(t, browser.Eval[int](tab, translate+`(true)`))
	waitForFigure := func(key, want string) {
		tab.Eventually(
			testkit.Soon,
			fmt.Sprintf(`document.querySelector("[data-figure=%s] .figure-value").innerText === %q`, key, want),
		)
	}
	for i := range 3 {
		require.Greater(t, browser.Eval[int](tab, translate+`(false)`), 40)
		s.Publish(fmt.Sprintf(`{"type":"rental_status_updated","data":{"rental_id":%d,"status":"active"}}`, i+1))
		s.Publish(`{"type":"payment_received","data":{"rental_id":1,"amount":100,"payment_method":"cash"}}`)
		waitForFigure("active_rentals", fmt.Sprint(i+1))
		waitForFigure("revenue_today", fmt.Sprintf("€%d", 100*(i+1)))
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
	pressKeys := func(keys string) {
		for _, k := range keys {
			tab.Type(string(k))
		}
	}
	before := browser.Eval[int](tab, `history.length`)
	pressKeys("gr")
	tab.Eventually(testkit.Soon, `location.pathname === "/rentals"`)
	pressKeys("gr")
	pressKeys("gr")
	tab.Click(`.nav a[href="/rentals"]`)
	require.Equal(t, before+1, browser.Eval[int](tab, `history.length`))
	pressKeys("ge")
	tab.Eventually(testkit.Soon, `location.pathname === "/events" && document.getElementById("filter-types")`)
	setValue(tab, "filter-types", "payment_received")
	tab.Eventually(testkit.Soon, `location.search === "?types=payment_received"`)
	setValue(tab, "filter-types", "payment_received")
	setValue(tab, "filter-types", "payment_received")
	setValue(tab, "filter-types", "-")
	tab.Eventually(testkit.Soon, `location.pathname + location.search === "/events"`)
	require.Equal(t, before+4, browser.Eval[int](tab, `history.length`))
}

// startClockAt is a format of JavaScript that makes the page's clock start at a time, and makes the app write dates in
// ISO 8601.
const startClockAt = `localStorage.setItem("style", '{"iso_dates":true}'); {
	const Original = Date, skew = Original.parse(%q) - Original.now();
	window.Date = class extends Original {
		constructor(...a) { a.length ? super(...a) : super(Original.now() + skew) }
		static now() { return Original.now() + skew }
	}
}`

// submitSummerTime is JavaScript that fills a time of the summer in the form of an event and submits the form.
const submitSummerTime = `(() => {
	for (const d of document.querySelectorAll("#event-form details")) d.open = true;
	document.getElementById("event-form-recorded_at").value = "2026-07-01T14:00:00";
	document.getElementById("event-form").requestSubmit();
	return true;
})()`

// The app writes and reads times of the summer with the offset of the summer.
func TestTimesHaveTheOffsetOfTheirDate(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	publishAt := func(id, time string, rental int) {
		s.Publish(fmt.Sprintf(`{"type":"rental_status_updated","id":%q,"time":%q,"data":{"rental_id":%d,`+
			`"status":"active"}}`, id, time, rental))
	}
	publishAt("july", "2026-07-01T12:00:00Z", 881)
	publishAt("june", "2026-06-30T22:30:00Z", 882)
	publishAt("january", "2026-01-15T22:30:00Z", 883)
	u := browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	// The app starts once in winter and once in summer.
	for _, now := range []string{"2026-12-01T12:00:00Z", "2026-07-15T12:00:00Z"} {
		tab := u.NewTab()
		tab.SetTimeZone("Europe/Berlin")
		tab.OnNewDocument(fmt.Sprintf(startClockAt, now))
		for id, want := range map[string]string{
			"881": "2026-07-01 14:00",
			"882": "2026-07-01 00:30",
			"883": "2026-01-15 23:30",
		} {
			tab.Open(s.URL + "/rentals/" + id)
			tab.Eventually(testkit.Soon, `document.querySelector(".row-time")`)
			shown := browser.Eval[string](tab, `document.querySelector(".row-time").innerText`)
			require.Equal(t, want, shown, "at %s", now)
		}
		// A day of the filter begins and ends at midnight in the user's time zone, with the offset of that day.
		tab.Open(s.URL + "/events?from=2026-07-01&to=2026-07-01")
		tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 2`)
		require.ElementsMatch(t, []string{"july", "june"}, tab.Attributes("[data-event]", "data-event"))
		tab.Open(s.URL + "/events?from=2026-01-15&to=2026-01-15")
		tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 1`)
		// The app reads a time that the user types with the offset of that time, too.
		tab.Open(s.URL + "/sse-test")
		tab.Eventually(testkit.Soon, testkit.IsLive)
		tab.Click(`[aria-label="Edit Equipment location updated"]`)
		tab.Eventually(testkit.Soon, `document.getElementById("event-form-recorded_at")`)
		browser.Eval[bool](tab, submitSummerTime)
		tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=sent]")`)
		require.Contains(t, browser.Eval[string](tab, `fetch("/api/snapshot").then(r => r.text())`),
			`"recorded_at":"2026-07-01T12:00:00Z"`)
		tab.Close()
	}
}

// formatNumbersIn is a format of JavaScript that makes the page format numbers in a language.
const formatNumbersIn = `{
	const Original = Intl.NumberFormat;
	Intl.NumberFormat = function (_, options) { return new Original(%q, options) };
}`

// recordFilesWithMark is like [recordFiles], but keeps the byte order mark of the files.
const recordFilesWithMark = `(() => {
	window.files = [];
	const original = URL.createObjectURL;
	URL.createObjectURL = b => {
		b.arrayBuffer().then(a => files.push(new TextDecoder("utf-8", {ignoreBOM: true}).decode(a)));
		return original.call(URL, b);
	};
	return true;
})()`

// A CSV file begins with a byte order mark and has the decimal mark of the user's language.
func TestCSVSuitsSpreadsheets(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	s.Publish(`{"type":"payment_received","id":"p","data":{"rental_id":1,"amount":10.05,"payment_method":"cash"}}`)
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":1,"status":"active",` +
		`"customer":"Müller GmbH – Łódź"}}`)
	for locale, want := range map[string]string{"en-GB": "\ufefftime,type,", "de-DE": "\ufefftime;type;"} {
		u := browser.NewUser(t)
		testkit.SignIn(s, u, "manager")
		tab := u.NewTab()
		tab.OnNewDocument(fmt.Sprintf(formatNumbersIn, locale))
		tab.Open(s.URL + "/events")
		testkit.Shows(tab, "p")
		browser.Eval[bool](tab, recordFilesWithMark)
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
			browser.Eval[bool](tab, fmt.Sprintf(`(() => {
				if (%q) document.documentElement.dataset.theme = %q;
				else delete document.documentElement.dataset.theme;
				return true;
			})()`, theme, theme))
			style := func(selector, property string) string {
				return browser.Eval[string](tab,
					fmt.Sprintf(`getComputedStyle(document.querySelector(%q)).%s`, selector, property))
			}
			require.Equal(t, "rgb(27, 33, 38)", style("h1", "color"), "%s %s", theme, scheme)
			require.Equal(t, "rgb(255, 255, 255)", style(".card", "backgroundColor"), "%s %s", theme, scheme)
			require.Equal(t, "none", style(".nav", "display"))
		}
	}
}

// When a gateway redirects to its sign-in, the app reloads the page. If some items are unsent, the app leaves the
// reload to the user.
func TestAppReloadsForAGatewaysSignIn(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<title>Gateway</title><h1>Sign in at the gateway</h1>`)
	}))
	t.Cleanup(gateway.Close)
	redirectToGateway := func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, gateway.URL, http.StatusFound)
		return true
	}
	for _, hasUnsent := range []bool{false, true} {
		proxy := testkit.NewProxy(t, s)
		tab := testkit.OpenThroughProxy(t, proxy, browser.NewUser(t), "/sse-test")
		tab.Show()
		if hasUnsent {
			proxy.With(func(proxy *testkit.Proxy) { proxy.Answer = refuseConnections })
			tab.Click("[data-send=rental_overdue]")
			tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=queued]")`)
		}
		proxy.With(func(proxy *testkit.Proxy) { proxy.Answer = redirectToGateway })
		s.Kill()
		s.Up()
		if hasUnsent {
			tab.Click(`.nav a[href="/rentals"]`)
			tab.Eventually(testkit.Soon, `document.querySelector(".banner-login")?.innerText.includes(
				"A sign-in page answers in the broker’s place")`)
			require.Contains(t, browser.Eval[string](tab, `document.querySelector(".banner-login").innerText`),
				"1 change will be sent later.")
			tab.Click(".banner-login button")
		}
		tab.Eventually(testkit.Soon, `document.title === "Gateway"`)
	}
}

// The app leaves a click with Shift or Alt to the browser, which opens a window or saves a file. The app stays on its
// page.
func TestShiftClickIsLeftToTheBrowser(t *testing.T) {
	t.Parallel()
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	// This handler of the page prevents that the browser opens a window.
	tab.OnNewDocument(`addEventListener("click", e => { if (e.shiftKey || e.altKey) e.preventDefault() }, true)`)
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	for _, key := range []string{"shiftKey", "altKey"} {
		browser.Eval[bool](tab, fmt.Sprintf(`document.querySelector('.nav a[href="/rentals"]').dispatchEvent(
			new MouseEvent("click", {bubbles: true, cancelable: true, %s: true}))`, key))
		tab.Click(`.nav a[href="/events"]`)
		tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/events"`)
		browser.Eval[bool](tab, `(() => { history.back(); return true })()`)
		// The app did not open /rentals, so the page before is the dashboard.
		tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/"`)
	}
}
