package identity

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// A yard user receives no trace of payroll: in the stream, in the snapshot or on the page.
func TestYardUserReceivesNoPayroll(t *testing.T) {
	s := stack.Start(t)
	secret := func(i int) {
		s.Publish(
			fmt.Sprintf(
				`{"type":"payroll_processed","data":{"payroll_run_id":"run-%d","period":"2026-11","total_net":98765,"employee_count":3}}`,
				i,
			),
		)
		s.Publish(
			fmt.Sprintf(
				`{"type":"payroll_processed","data":{"payroll_run_id":"run-%d","period":"2026-11","employee_id":456,"amount":4321}}`,
				i,
			),
		)
	}
	secret(1)
	u := browser.NewUser(t)
	tab := testkit.Open(s, u, "yard", "/sse-test")
	secret(2)
	s.Publish(`{"type":"maintenance_required","id":"seen","data":{"equipment_name":"Crane","issue":"Oil"}}`)
	testkit.Shows(tab, "seen")
	snapshot := browser.Eval[string](tab, `fetch("/api/snapshot").then(r => r.text())`)
	stream := browser.Eval[string](tab, `(async () => {
		const abort = new AbortController();
		const r = (await fetch("/api/sse?after=oldest", {signal: abort.signal})).body.pipeThrough(new TextDecoderStream()).getReader();
		let text = "";
		while (!text.includes('"seen"')) text += (await r.read()).value;
		abort.abort();
		return text;
	})()`)
	require.Contains(t, stream, "Crane")
	require.Contains(t, snapshot, "Crane")
	page := browser.Eval[string](
		tab,
		`document.querySelector("[data-event]").closest("ol").outerHTML + document.querySelector(".toasts").outerHTML`,
	)
	for name, text := range map[string]string{"stream": stream, "snapshot": snapshot, "page": page} {
		for _, trace := range []string{"payroll", "run-1", "run-2", "98765", "4321", "2026-11\""} {
			require.NotContains(t, strings.ToLower(text), trace, name)
		}
	}
	// The same events are there for who may see them.
	hr := testkit.Open(s, browser.NewUser(t), "hr", "/")
	hr.Eventually(testkit.Soon, `document.querySelectorAll('[data-type=payroll_processed]').length === 4`)
}

// kept is everything that the browser keeps of this origin: databases, settings,
// and what the worker has cached of the API.
const kept = `(async () => {
	const out = [JSON.stringify(localStorage), JSON.stringify(sessionStorage)];
	for (const {name} of await indexedDB.databases()) {
		const db = await new Promise((done, failed) => { const r = indexedDB.open(name); r.onsuccess = () => done(r.result); r.onerror = failed });
		for (const store of db.objectStoreNames) {
			const all = f => new Promise((done, failed) => { const r = db.transaction(store).objectStore(store)[f](); r.onsuccess = () => done(r.result); r.onerror = failed });
			for (const v of [...await all("getAllKeys"), ...await all("getAll")]) out.push(v instanceof Uint8Array || v instanceof ArrayBuffer ? new TextDecoder().decode(v) : JSON.stringify(v));
		}
		db.close();
	}
	for (const name of await caches.keys()) for (const r of await (await caches.open(name)).keys()) {
		out.push(r.url);
		if (r.url.includes("/api/")) out.push(await (await (await caches.open(name)).match(r)).text());
	}
	return out.join("\n");
})()`

// traces are what payroll would leave.
var traces = []string{"payroll_processed", "run-1", "98765", "98,765", "4321", "2026-11\""}

// noTrace looks for them, in what came over the wire and what is on the screen.
func noTrace(t *testing.T, where, text string) {
	t.Helper()
	for _, trace := range traces {
		require.NotContains(t, strings.ToLower(text), trace, where)
	}
}

func payroll(s *stack.Stack) {
	s.Publish(
		`{"type":"payroll_processed","data":{"payroll_run_id":"run-1","period":"2026-11","total_net":98765,"employee_count":3}}`,
	)
	s.Publish(
		`{"type":"payroll_processed","data":{"payroll_run_id":"run-1","period":"2026-11","employee_id":456,"amount":4321}}`,
	)
	s.Publish(`{"type":"maintenance_required","id":"seen","data":{"equipment_name":"Crane","issue":"Oil"}}`)
}

// No page, error or stored data of the browser shows a yard user anything of payroll.
func TestHiddenFieldsLeaveNoTraceInTheBrowser(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	payroll(s)
	tab := testkit.Open(s, u, "yard", "/")
	for _, path := range append([]string{"/events?types=payroll_processed", "/events?subjects=payroll%2Frun-1"}, testkit.Paths...) {
		tab.Open(s.URL + path)
		tab.Eventually(
			testkit.Soon,
			`document.querySelector("main h1") && document.querySelector("main").dataset.page !== "loading" && !document.querySelector("main .skeleton, main [aria-busy=true]")`,
		)
		if path != "/sse-test" && !strings.Contains(path, "?") { // which name the type themselves, and no event
			noTrace(t, path, browser.Eval[string](tab, `document.body.outerHTML`))
		}
		require.Empty(t, tab.Attributes("[data-type=payroll_processed], [data-figure^=payroll]", "class"), path)
	}
	ask := func(path, options string) string {
		return browser.Eval[string](
			tab,
			fmt.Sprintf(
				`fetch(%q, %s).then(async r => r.status + " " + [...r.headers].join() + " " + await r.text())`,
				path,
				options,
			),
		)
	}
	for _, path := range []string{"/api/events?after=oldest", "/api/events?types=payroll_processed", "/api/snapshot", "/api/stats", "/api/events?subjects=payroll/other"} {
		noTrace(t, path, ask(path, `{}`))
	}
	// What is not there and what is not theirs read the same.
	body := func(path string) string {
		return browser.Eval[string](tab, fmt.Sprintf(`fetch(%q).then(r => r.text())`, path))
	}
	require.Equal(t, body("/api/events?subjects=payroll/run-1"), body("/api/events?subjects=payroll/run-9"))
	refused := ask(
		"/api/sse",
		`{method: "POST", headers: {"Content-Type": "application/json"}, body: '{"type":"payroll_processed","data":{"period":"2026-12"}}'}`,
	)
	require.True(t, strings.HasPrefix(refused, "403 "), refused)
	require.NotContains(t, refused, "98765")
	noTrace(t, "storage", withoutNames(browser.Eval[string](tab, kept)))
}

// withoutNames leaves out the preferences, which name types that nobody sees.
func withoutNames(stored string) string {
	return regexp.MustCompile(`"(muted|push)":\[[^]]*\]`).ReplaceAllString(stored, "")
}

// When a connected HR user becomes a yard user, the screen and the browser keep nothing of what HR saw.
func TestDemotionDeletesStoredData(t *testing.T) {
	s := stack.New(t, "--auth", "users")
	s.Run("a password of hanna\n", "user", "add", "hanna", "--roles", "hr,yard")
	s.Up()
	payroll(s)
	u := browser.NewUser(t)
	tab := u.NewTab()
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("#sign-in-user")`)
	browser.Eval[bool](
		tab,
		`(() => { document.querySelector("#sign-in-user").value = "hanna"; document.querySelector("#sign-in-password").value = "a password of hanna"; return true })()`,
	)
	tab.Click("form [type=submit]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Eventually(
		testkit.Soon,
		`document.querySelectorAll("[data-type=payroll_processed]").length === 2 && document.querySelector("[data-figure=payroll_run_state]")`,
	)
	testkit.Eventually(
		t,
		testkit.Soon,
		"it is kept for offline use",
		func() bool { return strings.Contains(browser.Eval[string](tab, kept), "98765") },
	)
	other := u.NewTab()
	other.Open(s.URL + "/events")
	other.Eventually(testkit.Soon, `document.querySelector("[data-type=payroll_processed]")`)

	s.Run("", "user", "roles", "hanna", "--roles", "yard")
	for _, page := range []*browser.Tab{tab, other} {
		page.Show()
		page.Eventually(
			testkit.Soon,
			testkit.IsLive+` && document.querySelector("[data-event=seen]") && !document.querySelector("[data-type=payroll_processed], [data-figure^=payroll]")`,
		)
		noTrace(t, "page", browser.Eval[string](page, `document.body.outerHTML`))
	}
	testkit.Eventually(
		t,
		testkit.Soon,
		"nothing of it is kept",
		func() bool { return !strings.Contains(browser.Eval[string](tab, kept), "98765") },
	)
	noTrace(t, "storage", withoutNames(browser.Eval[string](tab, kept)))
	noTrace(t, "history", browser.Eval[string](tab, `fetch("/api/events?after=oldest").then(r => r.text())`))
}
