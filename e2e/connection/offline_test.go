package connection

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/wasmclient"
)

// outboxIDs returns the ids of the items in a state that the outbox of a tab shows, oldest first.
func outboxIDs(tab *browser.Tab, state string) []string {
	return browser.Eval[[]string](
		tab,
		fmt.Sprintf(`Array.from(document.querySelectorAll("[data-outbox=%s]"), e => e.dataset.item).reverse()`, state),
	)
}

// Events that two tabs wrote while the broker was down arrive once and in order, although one tab is reloaded and the
// other crashes.
func TestEventsWrittenOfflineArriveOnceInOrder(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	first, second := openRecordingTab(s, u), openRecordingTab(s, u)
	for _, tab := range []*browser.Tab{first, second} {
		tab.Open(s.URL + "/sse-test")
		tab.Eventually(testkit.Soon, testkit.IsLive)
	}
	second.Eventually(testkit.Soon, `navigator.serviceWorker.controller`)
	s.Kill()
	stoppedAt := time.Now()
	write := func(tab *browser.Tab, typ string, n int) {
		tab.Show()
		tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
		tab.Click(fmt.Sprintf(`[data-send=%q]`, typ))
		for _, each := range []*browser.Tab{first, second} {
			each.Eventually(
				testkit.Soon,
				fmt.Sprintf(`document.querySelectorAll("[data-outbox=queued]").length === %d`, n),
			)
		}
	}
	write(first, "rental_status_updated", 1)
	write(second, "payment_received", 2)
	write(first, "rental_overdue", 3)
	written := outboxIDs(first, "queued")
	require.Equal(t, written, outboxIDs(second, "queued"))
	second.Open(s.URL + "/sse-test")
	second.Eventually(testkit.Soon, `document.querySelectorAll("[data-outbox=queued]").length === 3`)
	second.Eventually(
		testkit.Soon,
		`document.querySelector("[data-outbox=queued]").innerText.includes("Waiting to be sent")`,
	)
	first.Crash()
	second.Show()
	second.Open(s.URL + "/")
	second.Eventually(
		testkit.Soon,
		`document.querySelector(".banner")?.innerText.includes("3 changes will be sent later")`,
	)
	second.Open(s.URL + "/sse-test")
	testkit.Eventually(
		t,
		2*time.Minute,
		"the broker was down for long enough",
		func() bool { return time.Since(stoppedAt) > testkit.ForFullRun(3*time.Second, 30*time.Second) },
	)
	s.Up()
	second.Eventually(2*time.Minute, `document.querySelectorAll("[data-outbox=sent]").length === 3`)
	require.Equal(t, written, testkit.StoredIDs(t, s))
	for _, id := range written {
		testkit.Shows(second, id)
	}
	require.Empty(t, outboxIDs(second, "queued"))
}

// The broker refuses a change that was written offline if its entity has changed since. The user then sends the change
// anyway.
func TestChangeOnAnOutdatedStateIsRejected(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	s.Publish(`{"type":"rental_status_updated","id":"before","data":{"rental_id":123,"status":"active"}}`)
	var proxy faultyProxy
	base := proxy.start(t, s)
	tab := u.NewTab()
	tab.Open(base + "/sse-test")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	testkit.Shows(tab, "before")
	proxy.badGateway.Store(true)
	proxy.cutConnections()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	tab.Click(`[data-send="rental_status_updated"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=queued]")`)
	s.Publish(`{"type":"rental_status_updated","id":"other","data":{"rental_id":123,"status":"cancelled"}}`)
	proxy.badGateway.Store(false)
	tab.Eventually(
		testkit.Soon,
		`document.querySelector("[data-outbox=rejected]")?.innerText.includes("(entity_moved)")`,
	)
	require.Equal(t, []string{"before", "other"}, testkit.StoredIDs(t, s))
	tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=rejected] button").innerText === "Send anyway"`)
	tab.Click("[data-outbox=rejected] button")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=sent]")`)
	require.Len(t, testkit.StoredIDs(t, s), 3)
}

// openThroughProxy opens the app through a proxy, in a tab that records the events.
func openThroughProxy(t *testing.T, s *stack.Stack, proxy *faultyProxy) *browser.Tab {
	t.Helper()
	tab := openAsManager(t, proxy.start(t, s), "if (location.protocol !== 'about:') {"+recordEvents+"}")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	return tab
}

// requireAllEvents waits until the tab is connected and has received the last event. The tab must have received all
// events once and in order. Long polling counts as connected, because the client may fall back to it after many cuts.
func requireAllEvents(t *testing.T, tab *browser.Tab, ids []string) {
	t.Helper()
	tab.Eventually(
		testkit.ReconnectTimeout,
		`document.querySelector(".header [data-status=live]:not([data-transport=poll]),`+
			` .header [data-status=polling][data-transport=poll]")`,
	)
	tab.Eventually(testkit.ReconnectTimeout, fmt.Sprintf(`ids[ids.length - 1] === %q`, ids[len(ids)-1]))
	require.Equal(t, ids, browser.Eval[[]string](tab, `ids`))
}

// A proxy ends every answer after a few seconds. The tab still receives each event once, although the cuts may make the
// client change its transport.
func TestRepeatedCutsLoseNoEvent(t *testing.T) {
	s := stack.Start(t)
	var proxy faultyProxy
	tab := openThroughProxy(t, s, &proxy)
	proxy.answerLifetime.Store(int64(testkit.ForFullRun(3*time.Second, 10*time.Second)))
	proxy.cutConnections()
	stopPublishing := publishAtRate(t, s, 20)
	cutBefore := proxy.cutAnswerCount.Load()
	testkit.Eventually(
		t,
		3*time.Minute,
		"several cuts",
		func() bool { return proxy.cutAnswerCount.Load() >= cutBefore+testkit.ForFullRun[int64](4, 6) },
	)
	proxy.answerLifetime.Store(0)
	proxy.cutConnections()
	requireAllEvents(t, tab, stopPublishing())
	if testkit.ForFullRun(false, true) {
		tab.Eventually(3*time.Minute, `document.querySelector(".header [data-status=live]")`)
	}
}

// While a proxy answers 502, the tab shows that it reconnects. When the proxy passes requests on again, the tab
// receives all events once.
func TestBadGatewayIsRetried(t *testing.T) {
	s := stack.Start(t)
	var proxy faultyProxy
	tab := openThroughProxy(t, s, &proxy)
	stopPublishing := publishAtRate(t, s, 20)
	tab.Eventually(testkit.Soon, `ids.length > 0`)
	proxy.badGateway.Store(true)
	proxy.cutConnections()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	down := time.Now()
	testkit.Eventually(t, time.Minute, "5 s of 502", func() bool { return time.Since(down) > 5*time.Second })
	require.Contains(t, tab.Attributes(".header [data-status]", "data-status"), "reconnecting")
	proxy.badGateway.Store(false)
	requireAllEvents(t, tab, stopPublishing())
	// The client keeps its transport when a gateway answers for a broker that is away.
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=live][data-transport=sse]")`)
}

// readDisk is JavaScript that returns all values that the app stores in the browser, as text.
const readDisk = `new Promise(done => { const open = indexedDB.open("yardline"); open.onsuccess = () => {
	const all = open.result.transaction("values").objectStore("values").getAll();
	all.onsuccess = () => {
		open.result.close();
		done(all.result.map(v => new TextDecoder().decode(v)).join("\n")) } } })`

// The second user of a browser finds no data of the first user, on the screen or in the storage. Users of two browsers
// find no data of each other.
func TestUsersOfOneBrowserNeverMix(t *testing.T) {
	s := stack.Start(t)
	hr, yard := browser.NewUser(t), browser.NewUser(t)
	testkit.SignIn(s, hr, "hr")
	testkit.SignIn(s, yard, "yard")
	a, b := openRecordingTab(s, hr), openRecordingTab(s, yard)
	s.Publish(`{"type":"payroll_processed","id":"secret-pay",` +
		`"data":{"employee_id":1,"period":"2026-11","status":"completed","amount":4321}}`)
	testkit.Shows(a, "secret-pay")
	s.Publish(locationUpdate("for-both"))
	testkit.Shows(b, "for-both")
	require.Equal(t, []string{"for-both"}, browser.Eval[[]string](b, `ids`))
	// The app stores its state when the page is hidden.
	hr.NewTab().Show()
	testkit.Eventually(
		t,
		testkit.Soon,
		"the state is on the disk",
		func() bool { return strings.Contains(browser.Eval[string](a, readDisk), "secret-pay") },
	)
	yard.NewTab().Show()
	testkit.Eventually(
		t,
		testkit.Soon,
		"the state is on the disk",
		func() bool { return strings.Contains(browser.Eval[string](b, readDisk), "for-both") },
	)
	require.NotContains(t, browser.Eval[string](b, readDisk), "secret-pay")

	// Another user signs in with the same browser while a second tab of the first user is open.
	a.Show()
	other := openRecordingTab(s, hr)
	testkit.Shows(other, "secret-pay")
	a.Show()
	a.Click("#sign-out")
	for _, tab := range []*browser.Tab{a, other} {
		tab.Eventually(testkit.Soon, `document.querySelector("[data-user=yard]")`)
		require.NotContains(t, browser.Eval[string](tab, `document.documentElement.outerHTML`), "secret-pay")
	}
	require.Empty(t, browser.Eval[string](a, readDisk))
	a.Click("[data-user=yard]")
	a.Eventually(testkit.Soon, testkit.IsLive)
	require.NotContains(t, browser.Eval[string](a, `document.documentElement.outerHTML`), "secret-pay")
	blank := hr.NewTab()
	blank.Show()
	testkit.Eventually(
		t,
		testkit.Soon,
		"the state is on the disk",
		func() bool { return browser.Eval[string](a, readDisk) != "" },
	)
	require.NotContains(t, browser.Eval[string](a, readDisk), "secret-pay")
}

// In a browser without storage, the app works, and a banner reports that it cannot store anything.
func TestAppWorksWithoutStorage(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	const withoutStorage = `IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError") };`
	tab := openRecordingTab(s, u, withoutStorage)
	tab.Eventually(testkit.Soon, `document.querySelector(".banners")?.innerText.includes("(storage)")`)
	tab.Open(s.URL + "/sse-test")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Click(`[data-send="rental_overdue"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-outbox=sent]")`)
	require.Len(t, testkit.StoredIDs(t, s), 1)
	require.Empty(t, tab.Problems())
}

// The user can copy the last changes of the connection's state as JSON.
func TestStateReportCanBeCopied(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	tab := testkit.Open(s, u, "manager", "/sse-test")
	browser.Eval[bool](
		tab,
		`(() => {
			navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve() };
			return true })()`,
	)
	browser.Eval[bool](tab, `(() => { document.querySelector(".status-panel details button").click(); return true })()`)
	tab.Eventually(testkit.Soon, `window.copied`)
	var report []wasmclient.Transition
	require.NoError(t, json.Unmarshal([]byte(browser.Eval[string](tab, `copied`)), &report))
	require.Equal(t, "live", string(report[len(report)-1].Status.State))
	require.NotEmpty(t, report[0].Cause)
}
