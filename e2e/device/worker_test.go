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

// cachedShell tells whether the worker has the shell in a cache.
const cachedShell = `caches.match("/").then(Boolean)`

// When the cache of the service worker fails, or the browser has emptied it, all files come from the network.
func TestAppLoadsWithoutAWorkerCache(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	for name, script := range map[string]string{
		"open fails": `CacheStorage.prototype.open = () => Promise.reject(new DOMException("x", "UnknownError"));`,
		"all fails": `for (const n of ["open", "keys", "match", "delete"]) CacheStorage.prototype[n] = () => ` +
			`Promise.reject(new DOMException("x", "UnknownError"));`,
		"open hangs": `CacheStorage.prototype.open = () => new Promise(() => {}); self.addEventListener("install", ` +
			`() => {});`,
		"quota":     `Cache.prototype.put = () => Promise.reject(new DOMException("full", "QuotaExceededError"));`,
		"no caches": `Object.defineProperty(self, "caches", {value: undefined});`,
	} {
		t.Run(name, func(t *testing.T) {
			f := testkit.NewFront(t, s)
			tab := browser.NewUser(t).NewTab()
			if name == "open hangs" { // of a worker that was installed while it worked
				script = `self.addEventListener("message", (e) => { if (e.data === "hang") ` +
					`CacheStorage.prototype.open = () => new Promise(() => {}) });`
			}
			f.With(func(f *testkit.Front) { f.Script = script })
			tab.Open(f.URL + "/")
			tab.Eventually(testkit.Soon, testkit.IsControlled)
			if name == "open hangs" {
				browser.Eval[bool](tab,
					`(() => { navigator.serviceWorker.controller.postMessage("hang"); return true })()`)
			}
			tab.Open(f.URL + "/rentals")
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
	testkit.Eventually(t, testkit.Soon, "the shell", func() bool { return browser.Eval[bool](tab, cachedShell) })
	browser.Eval[bool](tab, `caches.keys().then(all => Promise.all(all.map(k => caches.delete(k)))).then(() => true)`)
	tab.Open(s.URL + "/rentals")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	testkit.Eventually(t, testkit.Soon, "the shell again", func() bool { return browser.Eval[bool](tab, cachedShell) })
}

// The service worker does not keep the page that a gateway serves in place of a file.
func TestWorkerCachesNoPageOfAProxy(t *testing.T) {
	t.Parallel()
	f := testkit.NewFront(t, stack.Start(t))
	f.With(func(f *testkit.Front) {
		f.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/web/icon-512.png" { // which no page loads
				return false
			}
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<title>Sign in</title>")
			return true
		}
	})
	tab := browser.NewUser(t).NewTab()
	tab.Open(f.URL + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	testkit.Eventually(t, testkit.Soon, "the installation",
		func() bool { return f.Count("/web/icon-512.png", func(*http.Request) bool { return true }) > 0 })
	testkit.Eventually(t, testkit.Soon, "its end", func() bool {
		return browser.Eval[bool](tab,
			`navigator.serviceWorker.getRegistration().then(r => !r || !r.installing && !r.active)`)
	})
	require.False(t, browser.Eval[bool](tab, cachedShell))
}

// A gateway can tell a navigation from other requests, also while the service worker runs.
func TestGatewaysSeeNavigationsAsNavigations(t *testing.T) {
	t.Parallel()
	f := testkit.NewFront(t, stack.Start(t))
	tab := testkit.OpenFront(t, f, browser.NewUser(t), "/")
	for range 3 {
		tab.Open(f.URL + "/events")
		tab.Eventually(testkit.Soon, testkit.IsLive)
	}
	all := f.Count("/events", func(*http.Request) bool { return true })
	require.Equal(t, 3, all)
	require.Equal(t, all, f.Count("/events", func(r *http.Request) bool {
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}))
}

const notifications = `navigator.serviceWorker.ready.then(r => r.getNotifications()).then(all => all.map(n => ` +
	`n.title + " | " + n.body))`

// The service worker shows a push of any content, also while a tab is visible.
func TestEveryPushIsShown(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	tab := testkit.Open(s, u, "manager", "/")
	tab.Eventually(testkit.Soon, testkit.IsControlled)
	u.AllowNotifications(s.URL)
	tab.Show()
	const nothing = "Yardline | There is news in Yardline. Open it to see what has happened."
	for body, want := range map[string]string{
		"": nothing, "no JSON": nothing, "{}": nothing, "null": nothing, `"text"`: nothing, `[1]`: nothing,
		`{"title":7,"body":{}}`: nothing,
		`{"title":"Rental","body":"Late","tag":"t","url":"/rentals/1","severity":"error"}`: "Rental | Late",
	} {
		browser.Eval[bool](tab, `navigator.serviceWorker.ready.then(r => r.getNotifications()).then(all => `+
			`all.forEach(n => n.close())).then(() => true)`)
		tab.Push(s.URL, body)
		testkit.Eventually(t, testkit.Soon, "a notification of "+body, func() bool {
			shown := browser.Eval[[]string](tab, notifications)
			return len(shown) == 1 && shown[0] == want
		})
	}
}

// clicks lets a page click on a notification and hear about the worker's acts. Browsers let workers open windows for
// real clicks only.
const clicks = `
const said = new BroadcastChannel("test");
let focusWorks = true;
WindowClient.prototype.focus = async function () {
  if (!focusWorks) throw new DOMException("no", "InvalidAccessError");
  said.postMessage("focus " + this.id);
};
Clients.prototype.openWindow = async (url) => { said.postMessage("open " + new URL(url).pathname); };
self.addEventListener("message", (e) => {
  if (e.data.click === undefined) return;
  focusWorks = e.data.focusWorks;
  const event = new ExtendableEvent("notificationclick");
  event.notification = { close() {}, data: { url: e.data.click } };
  self.dispatchEvent(event);
});`

// A click on a notification shows the tab that has its page. It navigates no tab where something is typed.
func TestClickOnANotificationOpensTheRightTab(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":123,"status":"active"}}`)
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":124,"status":"active"}}`)
	f, u := testkit.NewFront(t, s), browser.NewUser(t)
	f.With(func(f *testkit.Front) { f.Script = clicks })
	a := testkit.OpenFront(t, f, u, "/")
	b := testkit.OpenFront(t, f, u, "/rentals/124")
	listen := func(tab *browser.Tab) {
		browser.Eval[bool](tab, `(() => { window.heard = []; new BroadcastChannel("test").onmessage = e => `+
			`heard.push(e.data); return true })()`)
	}
	listen(b)
	click := func(path string, focusWorks bool) {
		browser.Eval[bool](b, fmt.Sprintf(`(() => {
			heard = [];
			navigator.serviceWorker.controller.postMessage({click: %q, focusWorks: %v});
			return true;
		})()`, path, focusWorks))
	}
	// Something is typed in b, so that a is led to the page.
	b.Show()
	browser.Eval[bool](b, `(() => { [...document.querySelectorAll("[data-act]")].find(e => e.innerText === "Record `+
		`a payment").click(); return true })()`)
	b.Eventually(testkit.Soon, `document.querySelector("dialog[open] #ask-amount")`)
	browser.Eval[bool](b, `(() => { document.getElementById("ask-amount").value = "77.50"; return true })()`)
	click("/rentals/123", true)
	b.Eventually(testkit.Soon, `heard.length === 1 && heard[0].startsWith("focus ")`)
	a.Eventually(testkit.Soon, `location.pathname === "/rentals/123"`)
	require.Equal(t, "77.50", browser.Eval[string](b, `document.getElementById("ask-amount").value`))
	// Now a has the page.
	length := browser.Eval[int](a, `history.length`)
	click("/rentals/123", true)
	b.Eventually(testkit.Soon, `heard.length === 1 && heard[0].startsWith("focus ")`)
	require.Equal(t, length, browser.Eval[int](a, `history.length`), "nothing is added to the history")
	// A tab that the browser does not bring to the front is as good as none.
	click("/rentals/123", false)
	b.Eventually(testkit.Soon, `heard.length === 1 && heard[0] === "open /rentals/123"`)
	// Where something is typed in all tabs a window opens.
	a.Close()
	click("/rentals/123", true)
	b.Eventually(testkit.Soon, `heard.length === 1 && heard[0] === "open /rentals/123"`)
	require.Equal(t, "/rentals/124", browser.Eval[string](b, `location.pathname`))
	require.Equal(t, "77.50", browser.Eval[string](b, `document.getElementById("ask-amount").value`))
}
