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

// clock lets a test move the page's clock by the variable skew, in milliseconds.
const clock = `window.skew = 0; {
	const Own = Date;
	window.Date = class extends Own {
		constructor(...a) { a.length ? super(...a) : super(Own.now() + skew) }
		static now() { return Own.now() + skew }
	};
	const now = performance.now.bind(performance); performance.now = () => now() + skew; }`

// Figures of today begin again at midnight in an open tab without any event.
func TestFiguresOfTodayRestartAtMidnight(t *testing.T) {
	t.Parallel()
	s, u := stack.Start(t, "--time-zone", "UTC"), browser.NewUser(t)
	testkit.SignIn(s, u, "manager")
	tab := u.NewTab()
	tab.OnNewDocument(clock)
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

// When the browser empties the storage, unsent items are lost, and the app says so once.
func TestAppReportsEmptiedStorage(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	f := testkit.NewFront(t, s)
	tab := testkit.OpenFront(t, f, browser.NewUser(t), "/sse-test")
	var away atomic.Bool
	away.Store(true)
	f.With(func(f *testkit.Front) {
		f.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if away.Load() && (r.URL.Path == "/api/sse" || r.URL.Path == "/api/ws") {
				w.WriteHeader(http.StatusBadGateway)
				return true
			}
			return false
		}
	})
	s.Kill()
	s.Up()
	for range 2 {
		tab.Click("[data-send=rental_overdue]")
	}
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-outbox=queued]").length === 2`)
	tab.Open(f.URL + "/healthz")
	browser.Eval[bool](tab, `new Promise(done => { const r = indexedDB.deleteDatabase("yardline"); r.onsuccess = () `+
		`=> done(true) })`)
	away.Store(false)
	tab.Open(f.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Eventually(
		testkit.Soon,
		`document.querySelector("[data-lost]")?.innerText.includes("2 changes that you wrote here `+
			`were not sent, and are lost. (storage_emptied)")`,
	)
	tab.Click("[data-lost] button")
	tab.Eventually(testkit.Soon, `!document.querySelector("[data-lost]")`)
}
