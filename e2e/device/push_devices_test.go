package device

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/push/pushtest"
	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// renewSubscription is a format of JavaScript that the service worker runs. The browser has no subscription and makes a
// new one. The message "change" tells the worker that the browser has dropped the subscription.
const renewSubscription = `
PushManager.prototype.getSubscription = async () => null;
PushManager.prototype.subscribe = async (o) => ({ toJSON: () => (%s) });
self.addEventListener("message", (e) => {
  if (e.data === "change") self.dispatchEvent(new ExtendableEvent("pushsubscriptionchange"));
});`

// useStoredValues is a format of JavaScript that runs statements on the app's stored values. The statements use the
// transaction tx and its store, and call done with the result.
const useStoredValues = `new Promise(done => {
	const open = indexedDB.open("yardline", 1);
	open.onsuccess = () => {
		const tx = open.result.transaction("values", "readwrite");
		const store = tx.objectStore("values");
		%s
	};
})`

// When the browser drops a push subscription, the worker subscribes again and tells the broker which device it
// replaces.
func TestWorkerRenewsADroppedSubscription(t *testing.T) {
	s, oldDevice, newDevice := stack.Start(t, "--push-test"), pushtest.New(t), pushtest.New(t)
	proxy := testkit.NewProxy(t, s)
	proxy.With(func(proxy *testkit.Proxy) {
		proxy.Script = fmt.Sprintf(renewSubscription, testkit.JSON(newDevice.Subscription()))
	})
	tab := testkit.OpenThroughProxy(t, proxy, browser.NewUser(t), "/")
	body := map[string]any{
		"endpoint": oldDevice.Subscription().Endpoint,
		"keys":     oldDevice.Subscription().Keys,
		"name":     "Yard tablet",
	}
	id := browser.Eval[string](tab, fmt.Sprintf(`fetch("/api/push/subscriptions", {
		method: "POST",
		body: JSON.stringify(%s),
	}).then(r => r.json()).then(d => d.id)`, testkit.JSON(body)))
	storeID := fmt.Sprintf(`store.put(new TextEncoder().encode(%q), "push-device");
		tx.oncomplete = () => done(true)`, id)
	browser.Eval[bool](tab, fmt.Sprintf(useStoredValues, storeID))
	browser.Eval[bool](tab, `(() => { navigator.serviceWorker.controller.postMessage("change"); return true })()`)
	readID := fmt.Sprintf(useStoredValues, `const r = store.get("push-device");
		tx.oncomplete = () => done(new TextDecoder().decode(r.result))`)
	testkit.Eventually(t, testkit.Soon, "the request",
		func() bool { return strings.Contains(proxy.Posted("/api/push/subscriptions"), "replaces") })
	testkit.Eventually(t, testkit.Soon, "another id", func() bool { return browser.Eval[string](tab, readID) != id })
	var posted struct{ Endpoint, Replaces string }
	require.NoError(t, json.Unmarshal([]byte(proxy.Posted("/api/push/subscriptions")), &posted))
	require.Equal(t, newDevice.Subscription().Endpoint, posted.Endpoint)
	require.Equal(t, id, posted.Replaces)
}

// useOldSubscription is a format of JavaScript that gives the browser a subscription with another key, and makes the
// browser refuse a second one. The array calls has the names of the calls, and present is the subscription or null.
const useOldSubscription = `window.calls = [];
window.present = {
	endpoint: "https://old.example/x",
	options: {applicationServerKey: new Uint8Array(65).buffer},
	toJSON() { return {endpoint: this.endpoint, keys: {}} },
	unsubscribe: async () => { calls.push("unsubscribe"); present = null; return true },
};
PushManager.prototype.getSubscription = async () => present;
PushManager.prototype.subscribe = async o => {
	calls.push("subscribe");
	const words = "A subscription with a different applicationServerKey already exists";
	if (present) throw new DOMException(words, "InvalidStateError");
	const text = atob(o.applicationServerKey.replace(/-/g, "+").replace(/_/g, "/"));
	const raw = Uint8Array.from(text, c => c.charCodeAt(0));
	return present = {
		options: {applicationServerKey: raw.buffer},
		toJSON: () => (%s),
		unsubscribe: async () => { calls.push("unsubscribe"); present = null; return true },
	};
};`

// The app replaces a subscription with the old key of the installation by one with the new key.
func TestNewPushKeyReplacesTheSubscription(t *testing.T) {
	s, d, u := stack.Start(t, "--push-test"), pushtest.New(t), browser.NewUser(t)
	u.AllowNotifications(s.URL)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	tab.OnNewDocument(fmt.Sprintf(useOldSubscription, testkit.JSON(d.Subscription())))
	tab.Open(s.URL + "/notifications")
	tab.Eventually(testkit.Soon, testkit.IsControlled)
	tab.Open(s.URL + "/notifications")
	tab.Eventually(testkit.Soon, `document.querySelector("#push-on:not([disabled])")`)
	tab.Click("#push-on")
	tab.Eventually(testkit.Soon, `document.getElementById("push-test")`)
	require.Equal(t, []string{"unsubscribe", "subscribe"}, browser.Eval[[]string](tab, `calls`))
	// At the next visit the browser has the old subscription again, and the app replaces it without a click.
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, `calls.length === 2`)
	tab.Open(s.URL + "/notifications")
	tab.Eventually(testkit.Soon, `document.getElementById("push-test")`)
	require.Equal(t, 1, browser.Eval[int](tab,
		`fetch("/api/push/subscriptions").then(r => r.json()).then(a => a.devices.length)`))
	// When the user removes the device, the subscription ends in the browser and at the broker.
	tab.Click(".device button")
	tab.Eventually(testkit.Soon, `document.getElementById("push-on")`)
	require.True(t, browser.Eval[bool](tab, `present === null`))
	require.Equal(t, 0, browser.Eval[int](tab,
		`fetch("/api/push/subscriptions").then(r => r.json()).then(a => a.devices.length)`))
}
