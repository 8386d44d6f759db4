package pages

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// movableClock is JavaScript that moves the page's clock by the variable skew, in milliseconds.
const movableClock = `window.skew = 0; {
	const Original = Date;
	window.Date = class extends Original {
		constructor(...a) { a.length ? super(...a) : super(Original.now() + skew) }
		static now() { return Original.now() + skew }
	};
	const now = performance.now.bind(performance); performance.now = () => now() + skew; }`

// Figures of today begin again at midnight in an open tab without any event.
func TestFiguresOfTodayRestartAtMidnight(t *testing.T) {
	t.Parallel()
	s, u := stack.Start(t, "--time-zone", "UTC"), browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	tab.OnNewDocument(movableClock)
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	s.Publish(`{"type":"payment_received","data":{"rental_id":1,"amount":100,"payment_method":"cash"}}`)
	const revenue = `document.querySelector("[data-figure=revenue_today]").dataset.value`
	tab.Eventually(testkit.Soon, revenue+` === "EUR 100"`)
	browser.Eval[bool](tab, `(() => { skew = 24 * 3600 * 1000; return true })()`)
	tab.Eventually(2*testkit.Soon, revenue+` !== "EUR 100"`)
	tab.Eventually(testkit.Soon, testkit.IsLive)
	require.False(t, browser.Eval[bool](tab, `document.querySelector(".crashed") !== null`))
}

// deleteDatabase is JavaScript that deletes everything that the app has stored.
const deleteDatabase = `new Promise(done => {
	const r = indexedDB.deleteDatabase("yardline");
	r.onsuccess = () => done(true);
})`

// refuseConnections answers all requests to /api/sse and /api/ws with 502, and leaves all others to the broker. It is
// an Answer of [testkit.Proxy].
func refuseConnections(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/api/sse" && r.URL.Path != "/api/ws" {
		return false
	}
	w.WriteHeader(http.StatusBadGateway)
	return true
}

// When the browser empties the storage, unsent items are lost, and the app reports the loss once.
func TestAppReportsEmptiedStorage(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	proxy := testkit.NewProxy(t, s)
	tab := testkit.OpenThroughProxy(t, proxy, browser.NewUser(t), "/sse-test")
	var isAway atomic.Bool
	isAway.Store(true)
	proxy.With(func(proxy *testkit.Proxy) {
		proxy.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			return isAway.Load() && refuseConnections(w, r)
		}
	})
	s.Kill()
	s.Up()
	for range 2 {
		tab.Click("[data-send=rental_overdue]")
	}
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-outbox=queued]").length === 2`)
	tab.Open(proxy.URL + "/healthz")
	browser.Eval[bool](tab, deleteDatabase)
	isAway.Store(false)
	tab.Open(proxy.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Eventually(
		testkit.Soon,
		`document.querySelector("[data-lost]")?.innerText.includes("2 changes that you wrote here `+
			`were not sent, and are lost. (storage_emptied)")`,
	)
	tab.Click("[data-lost] button")
	tab.Eventually(testkit.Soon, `!document.querySelector("[data-lost]")`)
}
