package device

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// throws makes a feature throw on access, as browsers do that block it.
func throws(owner, name string) string {
	return fmt.Sprintf(`Object.defineProperty(%s, %q, {configurable: true, get() { throw new DOMException("blocked",`+
		` "SecurityError") }});`, owner, name)
}

// In a browser that lacks or blocks a feature, the app signs in, is live, and shows its pages.
func TestAppWorksWithoutBrowserFeatures(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	users := []string{"manager", "dispatcher"} // in turn, because sign-ins of one user are slowed after ten
	for name, stub := range map[string]string{
		"no service worker":      testkit.DeleteScript("Navigator.prototype", "serviceWorker"),
		"service worker throws":  throws("Navigator.prototype", "serviceWorker"),
		"service worker rejects": `ServiceWorkerContainer.prototype.register = () => Promise.reject(new Error("no"));`,
		"localStorage throws":    throws("window", "localStorage"),
		"sessionStorage throws":  throws("window", "sessionStorage"),
		"localStorage is null":   `Object.defineProperty(window, "localStorage", {configurable: true, value: null});`,
		"localStorage is full": `Storage.prototype.setItem = ` +
			`() => { throw new DOMException("full", "QuotaExceededError") };`,
		"indexedDB throws": throws("window", "indexedDB"),
		"no indexedDB": testkit.DeleteScript("window", "indexedDB") +
			`Object.defineProperty(window, "indexedDB", {value: undefined});`,
		"caches throws":         throws("window", "caches"),
		"no notifications":      testkit.DeleteScript("window", "Notification") + testkit.DeleteScript("window", "PushManager"),
		"notifications throw":   throws("window", "Notification") + throws("window", "PushManager"),
		"no locks":              testkit.DeleteScript("Navigator.prototype", "locks"),
		"locks throw":           throws("Navigator.prototype", "locks"),
		"no broadcast channels": testkit.DeleteScript("window", "BroadcastChannel"),
		"channels throw": `window.BroadcastChannel = ` +
			`function () { throw new DOMException("blocked", "SecurityError") };`,
		"no clipboard":          testkit.DeleteScript("Navigator.prototype", "clipboard"),
		"clipboard throws":      throws("Navigator.prototype", "clipboard"),
		"clipboard rejects":     `Clipboard.prototype.writeText = () => Promise.reject(new Error("no"));`,
		"no matchMedia":         `window.matchMedia = undefined;`,
		"no storage manager":    testkit.DeleteScript("Navigator.prototype", "storage"),
		"storage manager fails": throws("Navigator.prototype", "storage"),
		"everything is blocked": throws("Navigator.prototype", "serviceWorker") + throws("window", "localStorage") +
			throws("window", "sessionStorage") +
			throws("window", "indexedDB") + throws("window", "caches") + throws("Navigator.prototype",
			"locks") + throws("Navigator.prototype", "clipboard"),
	} {
		t.Run(name, func(t *testing.T) {
			tab, user := browser.NewUser(t).NewTab(), users[0]
			users[0], users[1] = users[1], users[0]
			tab.OnNewDocument(stub)
			tab.Open(s.URL + "/")
			tab.Eventually(testkit.Soon, `document.querySelector("[data-user=`+user+`]")`)
			tab.Click("[data-user=" + user + "]")
			tab.Eventually(testkit.Soon, testkit.IsLive)
			tab.Click(`a[href="/notifications"]`)
			tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/notifications" && `+
				`document.getElementById("push-title")`)
			tab.Click(`a[href="/settings"]`)
			tab.Eventually(testkit.Soon, `document.querySelector("main").dataset.page === "/settings"`)
			browser.Eval[bool](tab, `(() => { document.querySelector(".status-panel details").open = true; `+
				`document.querySelector(".status-panel details button").click(); return true })()`)
			tab.Eventually(
				testkit.Soon,
				`document.querySelector(".status-panel details button").innerText === "Copied"`,
			)
			tab.Click(`.nav a[href="/"]`)
			id := "seen-" + t.Name()
			s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":1,"days_overdue":1}}`, id))
			testkit.Shows(tab, id)
			require.False(t, browser.Eval[bool](tab, `document.querySelector(".crashed") !== null`))
		})
	}
}

// endProgram makes the program panic: go-app reads an argument that is not there.
const endProgram = `(() => { goappNav(); return true })()`

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
	for _, ended := range []string{
		endProgram,
		// A program that is killed says nothing at all: the form alone must be safe.
		`(() => { window.goappExited = () => {}; addEventListener("submit", e => e.stopImmediatePropagation(), ` +
			`true); return true })()`,
	} {
		tab := browser.NewUser(t).NewTab()
		tab.Open(s.URL + "/")
		tab.Eventually(testkit.Soon, `document.getElementById("sign-in-password")`)
		browser.Eval[bool](tab, `(() => { document.getElementById("sign-in-user").value = "ann"; `+
			`document.getElementById("sign-in-password").value = "secret"; window.same = true; return true })()`)
		browser.Eval[bool](tab, ended)
		browser.Eval[bool](tab, `(() => { document.querySelector("form").requestSubmit(); return true })()`)
		tab.Eventually(testkit.Soon, `document.readyState === "complete"`)
		require.Equal(t, s.URL+"/", browser.Eval[string](tab,
			`new Promise(r => setTimeout(() => r(location.href), 100))`))
		require.True(t, browser.Eval[bool](tab, `window.same === true`))
	}
}
