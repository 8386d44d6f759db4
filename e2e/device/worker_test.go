package device

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// hasCachedShell is JavaScript that is true when a cache of the service worker holds the shell.
const hasCachedShell = `caches.match("/").then(Boolean)`

const (
	// failOpen is JavaScript that makes every cache fail to open.
	failOpen = `CacheStorage.prototype.open = () => Promise.reject(new DOMException("x", "UnknownError"));`
	// failAll is JavaScript that makes all calls of the caches fail.
	failAll = `for (const n of ["open", "keys", "match", "delete"]) {
		CacheStorage.prototype[n] = () => Promise.reject(new DOMException("x", "UnknownError"));
	}`
	// hangOnMessage is JavaScript that makes opening a cache hang after the message "hang". Before it the caches work,
	// because the service worker must be installed first.
	hangOnMessage = `self.addEventListener("message", (e) => {
		if (e.data === "hang") CacheStorage.prototype.open = () => new Promise(() => {});
	});`
	// failPut is JavaScript that makes every cache refuse more data.
	failPut = `Cache.prototype.put = () => Promise.reject(new DOMException("full", "QuotaExceededError"));`
)

// When the cache of the service worker fails, or the browser has emptied it, all files come from the network.
func TestAppLoadsWithoutAWorkerCache(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	for name, script := range map[string]string{
		"open fails": failOpen,
		"all fails":  failAll,
		"open hangs": hangOnMessage,
		"quota":      failPut,
		"no caches":  `Object.defineProperty(self, "caches", {value: undefined});`,
	} {
		t.Run(name, func(t *testing.T) {
			proxy := testkit.NewProxy(t, s)
			tab := browser.NewUser(t).NewTab()
			proxy.With(func(proxy *testkit.Proxy) { proxy.Script = script })
			tab.Open(proxy.URL + "/")
			tab.Eventually(testkit.Soon, testkit.IsControlled)
			if name == "open hangs" {
				browser.Eval[bool](tab,
					`(() => { navigator.serviceWorker.controller.postMessage("hang"); return true })()`)
			}
			tab.Open(proxy.URL + "/rentals")
			tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
			tab.Click("[data-user=manager]")
			tab.Eventually(testkit.Soon, testkit.IsLive)
		})
	}
}

// The service worker fills its cache again after the browser has emptied it.
func TestWorkerRefillsAnEmptiedCache(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/")
	tab.Eventually(testkit.Soon, testkit.IsControlled)
	testkit.Eventually(t, testkit.Soon, "the shell", func() bool { return browser.Eval[bool](tab, hasCachedShell) })
	browser.Eval[bool](tab, `caches.keys().then(all => Promise.all(all.map(k => caches.delete(k)))).then(() => true)`)
	tab.Open(s.URL + "/rentals")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	testkit.Eventually(t, testkit.Soon, "the shell again", func() bool {
		return browser.Eval[bool](tab, hasCachedShell)
	})
}

// The service worker does not keep the page that a gateway serves in place of a file.
func TestWorkerCachesNoPageOfAProxy(t *testing.T) {
	t.Parallel()
	proxy := testkit.NewProxy(t, stack.Start(t))
	proxy.With(func(proxy *testkit.Proxy) {
		proxy.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/web/icon-512.png" { // Only the service worker loads this file, and no page.
				return false
			}
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<title>Sign in</title>")
			return true
		}
	})
	tab := browser.NewUser(t).NewTab()
	tab.Open(proxy.URL + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	testkit.Eventually(t, testkit.Soon, "the service worker begins its installation",
		func() bool { return proxy.Count("/web/icon-512.png", func(*http.Request) bool { return true }) > 0 })
	testkit.Eventually(t, testkit.Soon, "the installation ends", func() bool {
		return browser.Eval[bool](tab,
			`navigator.serviceWorker.getRegistration().then(r => !r || !r.installing && !r.active)`)
	})
	require.False(t, browser.Eval[bool](tab, hasCachedShell))
}

// A gateway can distinguish navigations from other requests, also while the service worker runs.
func TestGatewaysSeeNavigationsAsNavigations(t *testing.T) {
	t.Parallel()
	proxy := testkit.NewProxy(t, stack.Start(t))
	tab := testkit.OpenThroughProxy(t, proxy, browser.NewUser(t), "/")
	for range 3 {
		tab.Open(proxy.URL + "/events")
		tab.Eventually(testkit.Soon, testkit.IsLive)
	}
	all := proxy.Count("/events", func(*http.Request) bool { return true })
	require.Equal(t, 3, all)
	require.Equal(t, all, proxy.Count("/events", func(r *http.Request) bool {
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}))
}

// shownNotifications is JavaScript that returns the title and the text of each notification that is shown.
const shownNotifications = `navigator.serviceWorker.ready.then(r => r.getNotifications())
	.then(all => all.map(n => n.title + " | " + n.body))`

// closeNotifications is JavaScript that closes all notifications.
const closeNotifications = `navigator.serviceWorker.ready.then(r => r.getNotifications())
	.then(all => all.forEach(n => n.close())).then(() => true)`

// The service worker shows a notification for a push with any content, also while a tab is visible.
func TestEveryPushIsShown(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	tab := testkit.Open(s, u, "manager", "/")
	tab.Eventually(testkit.Soon, testkit.IsControlled)
	u.AllowNotifications(s.URL)
	tab.Show()
	const fallback = "Yardline | There is news in Yardline. Open it to see what has happened."
	for body, want := range map[string]string{
		"":                      fallback,
		"no JSON":               fallback,
		"{}":                    fallback,
		"null":                  fallback,
		`"text"`:                fallback,
		`[1]`:                   fallback,
		`{"title":7,"body":{}}`: fallback,
		`{"title":"Rental","body":"Late","tag":"t","url":"/rentals/1","severity":"error"}`: "Rental | Late",
	} {
		// A push that comes before the browser has closed the last notification may be closed with it.
		browser.Eval[bool](tab, closeNotifications)
		testkit.Eventually(t, testkit.Soon, "no notification", func() bool {
			return len(browser.Eval[[]string](tab, shownNotifications)) == 0
		})
		pushUntil(t, tab, s.URL, body, "a notification of "+body, func() bool {
			shown := browser.Eval[[]string](tab, shownNotifications)
			return len(shown) == 1 && shown[0] == want
		})
	}
}

// simulateClicks is JavaScript that the service worker runs. A page can send it a message that stands for a click on a
// notification. The worker tells the page on a channel which window it shows or opens. The script replaces functions of
// the browser that do so, because browsers let workers open windows for real clicks only.
const simulateClicks = `
const channel = new BroadcastChannel("test");
let focusWorks = true;
WindowClient.prototype.focus = async function () {
  if (!focusWorks) throw new DOMException("no", "InvalidAccessError");
  channel.postMessage("focus " + this.id);
};
Clients.prototype.openWindow = async (url) => { channel.postMessage("open " + new URL(url).pathname); };
self.addEventListener("message", (e) => {
  if (e.data.click === undefined) return;
  focusWorks = e.data.focusWorks;
  const event = new ExtendableEvent("notificationclick");
  event.notification = { close() {}, data: { url: e.data.click } };
  self.dispatchEvent(event);
});`

// A click on a notification shows the tab that has its page. It navigates no tab in which the user has typed something.
func TestClickOnANotificationOpensTheRightTab(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":123,"status":"active"}}`)
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":124,"status":"active"}}`)
	proxy, u := testkit.NewProxy(t, s), browser.NewUser(t)
	proxy.With(func(proxy *testkit.Proxy) { proxy.Script = simulateClicks })
	a := testkit.OpenThroughProxy(t, proxy, u, "/")
	b := testkit.OpenThroughProxy(t, proxy, u, "/rentals/124")
	browser.Eval[bool](b, `(() => {
		window.reports = [];
		new BroadcastChannel("test").onmessage = e => reports.push(e.data);
		return true;
	})()`)
	click := func(path string, focusWorks bool) {
		browser.Eval[bool](b, fmt.Sprintf(`(() => {
			reports = [];
			navigator.serviceWorker.controller.postMessage({click: %q, focusWorks: %v});
			return true;
		})()`, path, focusWorks))
	}
	// The user has typed something in tab b, so the worker opens the page in tab a.
	b.Show()
	browser.Eval[bool](b, `(() => {
		[...document.querySelectorAll("[data-act]")].find(e => e.innerText === "Record a payment").click();
		return true;
	})()`)
	b.Eventually(testkit.Soon, `document.querySelector("dialog[open] #ask-amount")`)
	browser.Eval[bool](b, `(() => { document.getElementById("ask-amount").value = "77.50"; return true })()`)
	click("/rentals/123", true)
	b.Eventually(testkit.Soon, `reports.length === 1 && reports[0].startsWith("focus ")`)
	a.Eventually(testkit.Soon, `location.pathname === "/rentals/123"`)
	require.Equal(t, "77.50", browser.Eval[string](b, `document.getElementById("ask-amount").value`))
	// Tab a shows the page already, so the worker only shows the tab.
	length := browser.Eval[int](a, `history.length`)
	click("/rentals/123", true)
	b.Eventually(testkit.Soon, `reports.length === 1 && reports[0].startsWith("focus ")`)
	require.Equal(t, length, browser.Eval[int](a, `history.length`), "the click adds no entry to the history")
	// When the browser does not bring the tab to the front, the worker opens a window.
	click("/rentals/123", false)
	b.Eventually(testkit.Soon, `reports.length === 1 && reports[0] === "open /rentals/123"`)
	// When the user has typed something in every tab, the worker opens a window.
	a.Close()
	click("/rentals/123", true)
	b.Eventually(testkit.Soon, `reports.length === 1 && reports[0] === "open /rentals/123"`)
	require.Equal(t, "/rentals/124", browser.Eval[string](b, `location.pathname`))
	require.Equal(t, "77.50", browser.Eval[string](b, `document.getElementById("ask-amount").value`))
}
