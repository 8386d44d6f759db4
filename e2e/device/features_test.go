package device

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// throwScript returns JavaScript that makes a feature throw when a page uses it, as in browsers that block the feature.
func throwScript(owner, name string) string {
	return fmt.Sprintf(`Object.defineProperty(%s, %q, {
		configurable: true,
		get() { throw new DOMException("blocked", "SecurityError") },
	});`, owner, name)
}

// nullStorage is JavaScript that makes localStorage null.
const nullStorage = `Object.defineProperty(window, "localStorage", {configurable: true, value: null});`

// fullStorage is JavaScript that makes localStorage refuse every value.
const fullStorage = `Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError") };`

// undefinedDatabase is JavaScript that makes indexedDB undefined.
const undefinedDatabase = `Object.defineProperty(window, "indexedDB", {value: undefined});`

// throwingChannels is JavaScript that makes the constructor of BroadcastChannel throw.
const throwingChannels = `window.BroadcastChannel = function () { throw new DOMException("blocked", "SecurityError") };`

// limitedBrowsers returns scripts that remove or block features of the browser, by the name of the test's case.
func limitedBrowsers() map[string]string {
	remove := testkit.DeleteScript
	return map[string]string{
		"no service worker":      remove("Navigator.prototype", "serviceWorker"),
		"service worker throws":  throwScript("Navigator.prototype", "serviceWorker"),
		"service worker rejects": `ServiceWorkerContainer.prototype.register = () => Promise.reject(new Error("no"));`,
		"localStorage throws":    throwScript("window", "localStorage"),
		"sessionStorage throws":  throwScript("window", "sessionStorage"),
		"localStorage is null":   nullStorage,
		"localStorage is full":   fullStorage,
		"indexedDB throws":       throwScript("window", "indexedDB"),
		"no indexedDB":           remove("window", "indexedDB") + undefinedDatabase,
		"caches throws":          throwScript("window", "caches"),
		"no notifications":       remove("window", "Notification") + remove("window", "PushManager"),
		"notifications throw":    throwScript("window", "Notification") + throwScript("window", "PushManager"),
		"no locks":               remove("Navigator.prototype", "locks"),
		"locks throw":            throwScript("Navigator.prototype", "locks"),
		"no broadcast channels":  remove("window", "BroadcastChannel"),
		"channels throw":         throwingChannels,
		"no clipboard":           remove("Navigator.prototype", "clipboard"),
		"clipboard throws":       throwScript("Navigator.prototype", "clipboard"),
		"clipboard rejects":      `Clipboard.prototype.writeText = () => Promise.reject(new Error("no"));`,
		"no matchMedia":          `window.matchMedia = undefined;`,
		"no storage manager":     remove("Navigator.prototype", "storage"),
		"storage manager fails":  throwScript("Navigator.prototype", "storage"),
		"everything is blocked": throwScript("Navigator.prototype", "serviceWorker") +
			throwScript("window", "localStorage") +
			throwScript("window", "sessionStorage") +
			throwScript("window", "indexedDB") +
			throwScript("window", "caches") +
			throwScript("Navigator.prototype", "locks") +
			throwScript("Navigator.prototype", "clipboard"),
	}
}

// In a browser that lacks or blocks a feature, the app signs in, is live, and shows its pages.
func TestAppWorksWithoutBrowserFeatures(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	// The users take turns, because the broker slows down further sign-ins of one user after ten.
	users := []string{"manager", "dispatcher"}
	for name, script := range limitedBrowsers() {
		t.Run(name, func(t *testing.T) {
			user := users[0]
			users[0], users[1] = users[1], users[0]
			requireAppWorks(t, s, user, script)
		})
	}
}

// requireAppWorks opens the app in a browser that runs a script first, signs in, opens pages and receives an event.
func requireAppWorks(t *testing.T, s *stack.Stack, user, script string) {
	t.Helper()
	tab := browser.NewUser(t).NewTab()
	tab.OnNewDocument(script)
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=`+user+`]")`)
	tab.Click("[data-user=" + user + "]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Click(`a[href="/notifications"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/notifications" &&
		document.getElementById("push-title")`)
	tab.Click(`a[href="/settings"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/settings"`)
	browser.Eval[bool](tab, `(() => {
		document.querySelector(".status-panel details").open = true;
		document.querySelector(".status-panel details button").click();
		return true;
	})()`)
	tab.Eventually(testkit.Soon, `document.querySelector(".status-panel details button").innerText === "Copied"`)
	tab.Click(`.nav a[href="/"]`)
	id := "seen-" + t.Name()
	s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":1,"days_overdue":1}}`, id))
	testkit.Shows(tab, id)
	require.False(t, browser.Eval[bool](tab, `document.querySelector(".crashed") !== null`))
}

// endProgram is JavaScript that makes the program panic, because go-app reads an argument that is missing.
const endProgram = `(() => { goappNav(); return true })()`

// silenceProgram is JavaScript that hides every submit event from the program and the program's end from the page, as
// when the browser has killed the program. Then only the form itself can keep the password out of the address.
const silenceProgram = `(() => {
	window.goappExited = () => {};
	addEventListener("submit", e => e.stopImmediatePropagation(), true);
	return true;
})()`

// After a panic of the program, its page does not say that it is live.
func TestStoppedProgramLooksStopped(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/settings")
	browser.Eval[bool](tab, endProgram)
	tab.Eventually(testkit.Soon, `document.querySelector(".crashed")`)
	require.Equal(t, []string{"ended", "ended"}, tab.Attributes("[data-status]", "data-status"))
	require.Equal(t, "✕ Stopped", browser.Eval[string](tab,
		`document.querySelector(".header [data-status]").innerText`))
	require.NotContains(t, browser.Eval[string](tab, `document.body.innerText`), "●", "the mark of a live state")
}

// After a panic of the program, a click on Sign in does not put the password into the address.
func TestStoppedProgramSubmitsNothing(t *testing.T) {
	t.Parallel()
	s := stack.New(t, "--auth", "users")
	s.Run("long enough a password\n", "user", "add", "ann", "--roles", "manager")
	s.Up()
	for _, endScript := range []string{endProgram, silenceProgram} {
		tab := browser.NewUser(t).NewTab()
		tab.Open(s.URL + "/")
		tab.Eventually(testkit.Soon, `document.getElementById("sign-in-password")`)
		browser.Eval[bool](tab, `(() => {
			document.getElementById("sign-in-user").value = "ann";
			document.getElementById("sign-in-password").value = "secret";
			window.same = true;
			return true;
		})()`)
		browser.Eval[bool](tab, endScript)
		browser.Eval[bool](tab, `(() => { document.querySelector("form").requestSubmit(); return true })()`)
		tab.Eventually(testkit.Soon, `document.readyState === "complete"`)
		require.Equal(t, s.URL+"/", browser.Eval[string](tab,
			`new Promise(r => setTimeout(() => r(location.href), 100))`))
		require.True(t, browser.Eval[bool](tab, `window.same === true`))
	}
}
