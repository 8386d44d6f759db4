package connection

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/native"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// answerPage returns a handler that answers with a page of a proxy, as HTML.
func answerPage(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, "<html>nginx</html>")
		}
	}
}

// keepsState is JavaScript that is true when the browser stores the state and the session of the app. Its value is the
// result of the previous evaluation, because [browser.Tab.Eventually] does not wait for promises.
const keepsState = `((async () => {
	const result = q => new Promise(r => { q.onsuccess = () => r(q.result) });
	const db = await result(indexedDB.open("yardline"));
	const keys = await result(db.transaction("values").objectStore("values").getAllKeys());
	db.close();
	window.kept = keys.includes("state") && keys.includes("session") })(), window.kept)`

// recordStates is JavaScript that adds each state of the connection that the page shows to states.
const recordStates = `states = []; new MutationObserver(() => {
		const e = document.querySelector(".header [data-status]");
		if (e) states.push(e.dataset.status);
	}).observe(document.body, {attributes: true, childList: true, subtree: true}); 0`

// A proxyAnswer is a case of TestAnswersOfProxiesAreNeverFinal: the answer of a proxy to some requests.
type proxyAnswer struct {
	name    string
	matches func(*http.Request) bool
	answer  http.HandlerFunc
	code    string // the code that the client reports; "" if the client uses another transport
}

// While a proxy answers in the broker's place, the app and a native client reconnect or use another transport, and keep
// their data. They receive events again as soon as the proxy passes requests on, and sign no user out.
func TestAnswersOfProxiesAreNeverFinal(t *testing.T) {
	s := stack.Start(t)
	isAPI := func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }
	isStream := func(r *http.Request) bool { return r.URL.Path == "/api/sse" && r.Method == "GET" }
	for i, c := range []proxyAnswer{
		{"403", isAPI, answerPage(403), "http_403"},
		{"401", isAPI, answerPage(401), "http_401"},
		{"204", isAPI, answerPage(204), "http_204"},
		{"a page with 200", isAPI, answerPage(200), "not_a_stream"},
		{"a redirect", isAPI, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.example/?back="+r.URL.Path, http.StatusFound)
		}, conn.LoginRedirect},
		{"a gateway's own JSON", isAPI, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"type":"about:blank","title":"Unauthorized","status":401,"code":"unauthorized"}`)
		}, "http_401"},
		{"403 for streams alone", isStream, answerPage(403), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testProxyAnswer(t, s, c, fmt.Sprintf("through-%d", i))
		})
	}
}

// testProxyAnswer lets a proxy answer while an event with this id is published. The app and a native client must
// receive the event once the proxy passes requests on again.
func testProxyAnswer(t *testing.T, s *stack.Stack, c proxyAnswer, id string) {
	var proxy faultyProxy
	proxy.refuseUpgrades.Store(true) // cutConnections does not close an open WebSocket.
	base := proxy.start(t, s)
	tab := openAsManager(t, base)
	tab.Eventually(testkit.Soon, testkit.IsLive)
	tab.Eventually(testkit.Soon, keepsState)
	browser.Eval[int](tab, recordStates)
	client := startNativeClient(t, base, s.TokenFor("erp", 0, access.Manager))
	proxy.intercept.Store(func(w http.ResponseWriter, r *http.Request) bool {
		if c.matches(r) {
			c.answer(w, r)
		}
		return c.matches(r)
	})
	proxy.cutConnections()
	if c.code != "" {
		client.waitForStatus(t, func(s conn.Status) bool {
			return s.State == conn.Reconnecting && s.Code == c.code
		})
		tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	}
	s.Publish(`{"type":"rental_overdue","id":"` + id + `","data":{"rental_id":7,"days_overdue":1}}`)
	if c.code == "" {
		testkit.Shows(tab, id)
	}
	proxy.intercept.Store(func(http.ResponseWriter, *http.Request) bool { return false })
	testkit.Shows(tab, id)
	waittest.Eventually(t, func() bool { return client.hasReceived(id) }, 2*testkit.Soon, 5*time.Millisecond)
	require.False(t, browser.Eval[bool](
		tab,
		`(window.states || []).some(s => s === "denied" || s === "disconnected")`,
	), "a redirect loads the page anew")
	tab.Eventually(testkit.Soon, keepsState)
}

// A nativeClient is a client over net/http, as a service uses it. It keeps the ids of the events that it receives.
type nativeClient struct {
	*wasmclient.Client
	mu  sync.Mutex // guards ids
	ids []string
}

// startNativeClient starts a client that runs until the test ends, and waits until it is connected.
func startNativeClient(t *testing.T, url, token string) *nativeClient {
	transport, err := native.New(url, token)
	require.NoError(t, err)
	c := &nativeClient{}
	c.Client = wasmclient.New(wasmclient.Options{Transport: transport, OnEvent: func(r store.Received) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ids = append(c.ids, r.ID)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait(); transport.Close() })
	c.waitForStatus(t, conn.Status.Connected)
	return c
}

// hasReceived reports whether the client has received the event with this id.
func (c *nativeClient) hasReceived(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.ids, id)
}

// waitForStatus waits until isWanted returns true for the status of the client.
func (c *nativeClient) waitForStatus(t *testing.T, isWanted func(conn.Status) bool) {
	t.Helper()
	waittest.Eventually(t, func() bool { return isWanted(c.View().Status) }, 2*testkit.Soon, 5*time.Millisecond)
}
