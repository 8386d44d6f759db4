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

// readStream is JavaScript that returns the text of the stream of all events up to the event with the id seen.
const readStream = `(async () => {
	const abort = new AbortController();
	const answer = await fetch("/api/sse?after=oldest", {signal: abort.signal});
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	while (!text.includes('"seen"')) text += (await reader.read()).value;
	abort.abort();
	return text;
})()`

// A yard user receives no trace of payroll: in the stream, in the snapshot or on the page.
func TestYardUserReceivesNoPayroll(t *testing.T) {
	s := stack.Start(t)
	publishPayroll(s, 1)
	u := browser.NewUser(t)
	tab := testkit.Open(s, u, "yard", "/sse-test")
	publishPayroll(s, 2)
	s.Publish(`{"type":"maintenance_required","id":"seen","data":{"equipment_name":"Crane","issue":"Oil"}}`)
	testkit.Shows(tab, "seen")
	snapshot := browser.Eval[string](tab, `fetch("/api/snapshot").then(r => r.text())`)
	stream := browser.Eval[string](tab, readStream)
	require.Contains(t, stream, "Crane")
	require.Contains(t, snapshot, "Crane")
	page := browser.Eval[string](tab, `document.querySelector("[data-event]").closest("ol").outerHTML +
		document.querySelector(".toasts").outerHTML`)
	for name, text := range map[string]string{"stream": stream, "snapshot": snapshot, "page": page} {
		for _, trace := range []string{"payroll", "run-1", "run-2", "98765", "4321", "2026-11\""} {
			require.NotContains(t, strings.ToLower(text), trace, name)
		}
	}
	// The HR user may see the payroll, and receives the same events.
	hr := testkit.Open(s, browser.NewUser(t), "hr", "/")
	hr.Eventually(testkit.Soon, `document.querySelectorAll('[data-type=payroll_processed]').length === 4`)
}

// storedData is JavaScript that returns the text of everything that the browser stores for this origin: web storage,
// databases, the addresses in all caches, and the cached answers of the API.
const storedData = `(async () => {
	const result = request => new Promise((done, failed) => {
		request.onsuccess = () => done(request.result);
		request.onerror = failed;
	});
	const isBinary = v => v instanceof Uint8Array || v instanceof ArrayBuffer;
	const out = [JSON.stringify(localStorage), JSON.stringify(sessionStorage)];
	for (const {name} of await indexedDB.databases()) {
		const db = await result(indexedDB.open(name));
		for (const store of db.objectStoreNames) {
			const all = method => result(db.transaction(store).objectStore(store)[method]());
			for (const v of [...await all("getAllKeys"), ...await all("getAll")]) {
				out.push(isBinary(v) ? new TextDecoder().decode(v) : JSON.stringify(v));
			}
		}
		db.close();
	}
	for (const name of await caches.keys()) for (const r of await (await caches.open(name)).keys()) {
		out.push(r.url);
		if (r.url.includes("/api/")) out.push(await (await (await caches.open(name)).match(r)).text());
	}
	return out.join("\n");
})()`

// traces are texts that appear, in lower case, wherever the payroll of the first run is visible.
var traces = []string{"payroll_processed", "run-1", "98765", "98,765", "4321", "2026-11\""}

// requireNoTrace checks that a text, such as an answer of the broker or a page, contains no trace of the payroll.
func requireNoTrace(t *testing.T, where, text string) {
	t.Helper()
	for _, trace := range traces {
		require.NotContains(t, strings.ToLower(text), trace, where)
	}
}

// publishPayroll publishes the sum of a payroll run and the pay of one employee in it.
func publishPayroll(s *stack.Stack, run int) {
	s.Publish(fmt.Sprintf(`{"type":"payroll_processed","data":{"payroll_run_id":"run-%d","period":"2026-11",`+
		`"total_net":98765,"employee_count":3}}`, run))
	s.Publish(fmt.Sprintf(`{"type":"payroll_processed","data":{"payroll_run_id":"run-%d","period":"2026-11",`+
		`"employee_id":456,"amount":4321}}`, run))
}

// publishPayrollAndFault publishes a payroll run, and then an event with the id seen that a yard user may see.
func publishPayrollAndFault(s *stack.Stack) {
	publishPayroll(s, 1)
	s.Publish(`{"type":"maintenance_required","id":"seen","data":{"equipment_name":"Crane","issue":"Oil"}}`)
}

// No page, error or stored data of the browser shows a yard user anything of payroll.
func TestHiddenFieldsLeaveNoTraceInTheBrowser(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	publishPayrollAndFault(s)
	tab := testkit.Open(s, u, "yard", "/")
	filtered := []string{"/events?types=payroll_processed", "/events?subjects=payroll%2Frun-1"}
	for _, path := range append(filtered, testkit.Paths...) {
		tab.Open(s.URL + path)
		tab.Eventually(testkit.Soon, `document.querySelector("main h1") &&
			document.querySelector("main").dataset.page !== "loading" &&
			!document.querySelector("main .skeleton, main [aria-busy=true]")`)
		// The page /sse-test and the filters of the other pages name the type, but show no event of it.
		if path != "/sse-test" && !strings.Contains(path, "?") {
			requireNoTrace(t, path, browser.Eval[string](tab, `document.body.outerHTML`))
		}
		require.Empty(t, tab.Attributes("[data-type=payroll_processed], [data-figure^=payroll]", "class"), path)
	}
	request := func(path, options string) string {
		return browser.Eval[string](tab, fmt.Sprintf(`fetch(%q, %s).then(
			async r => r.status + " " + [...r.headers].join() + " " + await r.text())`, path, options))
	}
	for _, path := range []string{
		"/api/events?after=oldest",
		"/api/events?types=payroll_processed",
		"/api/snapshot",
		"/api/stats",
		"/api/events?subjects=payroll/other",
	} {
		requireNoTrace(t, path, request(path, `{}`))
	}
	// The answer is the same for a run that the user may not see and for a run that does not exist.
	body := func(path string) string {
		return browser.Eval[string](tab, fmt.Sprintf(`fetch(%q).then(r => r.text())`, path))
	}
	require.Equal(t, body("/api/events?subjects=payroll/run-1"), body("/api/events?subjects=payroll/run-9"))
	refused := request("/api/sse", `{
		method: "POST",
		headers: {"Content-Type": "application/json"},
		body: '{"type":"payroll_processed","data":{"period":"2026-12"}}',
	}`)
	require.True(t, strings.HasPrefix(refused, "403 "), refused)
	require.NotContains(t, refused, "98765")
	requireNoTrace(t, "storage", withoutTypeNames(browser.Eval[string](tab, storedData)))
}

// withoutTypeNames removes the lists of event types from stored preferences, because they also name types that the user
// may not see.
func withoutTypeNames(stored string) string {
	return regexp.MustCompile(`"(muted|push)":\[[^]]*\]`).ReplaceAllString(stored, "")
}

// When a connected HR user becomes a yard user, the screen and the browser keep nothing that only HR may see.
func TestDemotionDeletesStoredData(t *testing.T) {
	s := stack.New(t, "--auth", "users")
	s.Run("a password of hanna\n", "user", "add", "hanna", "--roles", "hr,yard")
	s.Up()
	publishPayrollAndFault(s)
	u := browser.NewUser(t)
	tab := u.NewTab()
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("#sign-in-user")`)
	browser.Eval[bool](tab, `(() => {
		document.querySelector("#sign-in-user").value = "hanna";
		document.querySelector("#sign-in-password").value = "a password of hanna";
		return true;
	})()`)
	tab.Click("form [type=submit]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-type=payroll_processed]").length === 2 &&
		document.querySelector("[data-figure=payroll_run_state]")`)
	testkit.Eventually(
		t,
		testkit.Soon,
		"the app stores the payroll for offline use",
		func() bool { return strings.Contains(browser.Eval[string](tab, storedData), "98765") },
	)
	other := u.NewTab()
	other.Open(s.URL + "/events")
	other.Eventually(testkit.Soon, `document.querySelector("[data-type=payroll_processed]")`)

	s.Run("", "user", "roles", "hanna", "--roles", "yard")
	for _, page := range []*browser.Tab{tab, other} {
		page.Show()
		page.Eventually(testkit.Soon, testkit.IsLive+` && document.querySelector("[data-event=seen]") &&
			!document.querySelector("[data-type=payroll_processed], [data-figure^=payroll]")`)
		requireNoTrace(t, "page", browser.Eval[string](page, `document.body.outerHTML`))
	}
	testkit.Eventually(
		t,
		testkit.Soon,
		"the browser stores nothing of the payroll any more",
		func() bool { return !strings.Contains(browser.Eval[string](tab, storedData), "98765") },
	)
	requireNoTrace(t, "storage", withoutTypeNames(browser.Eval[string](tab, storedData)))
	requireNoTrace(t, "history", browser.Eval[string](tab, `fetch("/api/events?after=oldest").then(r => r.text())`))
}
