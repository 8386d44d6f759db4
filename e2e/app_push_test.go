package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/push/pushtest"
	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
)

// pushStub is a browser that has a subscription with another key, and refuses a second one.
const pushStub = `window.calls = []; window.present = {endpoint: "https://old.example/x", options: {applicationServerKey: new Uint8Array(65).buffer}, toJSON() { return {endpoint: this.endpoint, keys: {}} },
	unsubscribe: async () => { calls.push("unsubscribe"); present = null; return true }};
PushManager.prototype.getSubscription = async () => present;
PushManager.prototype.subscribe = async o => { calls.push("subscribe"); if (present) throw new DOMException("A subscription with a different applicationServerKey already exists", "InvalidStateError");
	const raw = Uint8Array.from(atob(o.applicationServerKey.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
	return present = {options: {applicationServerKey: raw.buffer}, toJSON: () => (%s), unsubscribe: async () => { calls.push("unsubscribe"); present = null; return true }} };`

// TestPushKeyChanged: the subscription with the old key makes room for one with the new one.
func TestPushKeyChanged(t *testing.T) {
	s, d, u := stack.Start(t, "--push-test"), pushtest.New(t), browser.NewUser(t)
	u.AllowNotifications(s.URL)
	signIn(s, u, "manager")
	tab := u.NewTab()
	tab.OnNewDocument(fmt.Sprintf(pushStub, mustJSON(d.Subscription())))
	tab.Open(s.URL + "/notifications")
	tab.Eventually(soon, controlled)
	tab.Open(s.URL + "/notifications")
	tab.Eventually(soon, `document.querySelector("#push-on:not([disabled])")`)
	tab.Click("#push-on")
	tab.Eventually(soon, `document.getElementById("push-test")`)
	require.Equal(t, []string{"unsubscribe", "subscribe"}, browser.Eval[[]string](tab, `calls`))
	// With the next visit it is the key of the broker, and is left alone; one that is lost is made again.
	tab.Open(s.URL + "/")
	tab.Eventually(soon, `calls.length === 2`)
	tab.Open(s.URL + "/notifications")
	tab.Eventually(soon, `document.getElementById("push-test")`)
	require.Equal(t, 1, browser.Eval[int](tab, `fetch("/api/push/subscriptions").then(r => r.json()).then(a => a.devices.length)`))
	// Turning it off ends it here and at the broker.
	tab.Click(".device button")
	tab.Eventually(soon, `document.getElementById("push-on")`)
	require.True(t, browser.Eval[bool](tab, `present === null`))
	require.Equal(t, 0, browser.Eval[int](tab, `fetch("/api/push/subscriptions").then(r => r.json()).then(a => a.devices.length)`))
}
