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

// proxyPage answers with a page of its own.
func proxyPage(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, "<html>nginx</html>")
		}
	}
}

// While a proxy answers in the broker's place, the app and a native client say so and keep everything. They go on by
// themselves, and no user is signed out.
func TestAnswersOfProxiesAreNeverFinal(t *testing.T) {
	s := stack.Start(t)
	const kept = `(async () => {
		const result = q => new Promise(r => { q.onsuccess = () => r(q.result) });
		const db = await result(indexedDB.open("yardline"));
		const keys = await result(db.transaction("values").objectStore("values").getAllKeys());
		db.close();
		window.kept = keys.includes("state") && keys.includes("session") })(), window.kept`
	const noteStates = `states = []; new MutationObserver(() => {
			const e = document.querySelector(".header [data-status]");
			if (e) states.push(e.dataset.status);
		}).observe(document.body, {attributes: true, childList: true, subtree: true}); 0`
	all := func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }
	streams := func(r *http.Request) bool { return r.URL.Path == "/api/sse" && r.Method == "GET" }
	for i, c := range []struct {
		name   string
		of     func(*http.Request) bool
		answer http.HandlerFunc
		code   string // that the program shows; "" where another transport does
	}{
		{"403", all, proxyPage(403), "http_403"},
		{"401", all, proxyPage(401), "http_401"},
		{"204", all, proxyPage(204), "http_204"},
		{"a page with 200", all, proxyPage(200), "not_a_stream"},
		{"a redirect", all, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.example/?back="+r.URL.Path, http.StatusFound)
		}, conn.LoginRedirect},
		{"a gateway's own JSON", all, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"type":"about:blank","title":"Unauthorized","status":401,"code":"unauthorized"}`)
		}, "http_401"},
		{"403 for streams alone", streams, proxyPage(403), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var h hostile
			h.refuseUpgrades.Store(true) // a WebSocket that is open is not cut with the rest
			base := h.between(t, s)
			tab := browser.NewUser(t).NewTab()
			tab.Open(base + "/")
			tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
			tab.Click("[data-user=manager]")
			tab.Eventually(testkit.Soon, testkit.IsLive)
			tab.Eventually(testkit.Soon, kept)
			browser.Eval[int](tab, noteStates)
			program := serve(t, base, s.TokenFor("erp", 0, access.Manager))
			h.instead.Store(func(w http.ResponseWriter, r *http.Request) bool {
				if c.of(r) {
					c.answer(w, r)
				}
				return c.of(r)
			})
			h.cut()
			if c.code != "" {
				program.eventually(t, func(s conn.Status) bool {
					return s.State == conn.Reconnecting && s.Code == c.code
				})
				tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
			}
			id := fmt.Sprintf("through-%d", i)
			s.Publish(`{"type":"rental_overdue","id":"` + id + `","data":{"rental_id":7,"days_overdue":1}}`)
			if c.code == "" {
				testkit.Shows(tab, id)
			}
			h.instead.Store(func(http.ResponseWriter, *http.Request) bool { return false })
			testkit.Shows(tab, id)
			waittest.Eventually(t, func() bool { return program.has(id) }, 2*testkit.Soon, 5*time.Millisecond)
			require.False(t, browser.Eval[bool](
				tab,
				`(window.states || []).some(s => s === "denied" || s === "disconnected")`,
			), "a redirect loads the page anew")
			tab.Eventually(testkit.Soon, kept)
		})
	}
}

// service is a client over net/http, as a service has it.
type service struct {
	*wasmclient.Client
	mu  sync.Mutex
	ids []string
}

func serve(t *testing.T, url, token string) *service {
	transport, err := native.New(url, token)
	require.NoError(t, err)
	p := &service{}
	p.Client = wasmclient.New(wasmclient.Options{Transport: transport, OnEvent: func(r store.Received) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ids = append(p.ids, r.ID)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { p.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait(); transport.Close() })
	p.eventually(t, conn.Status.Connected)
	return p
}

func (p *service) has(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.ids, id)
}

func (p *service) eventually(t *testing.T, is func(conn.Status) bool) {
	t.Helper()
	waittest.Eventually(t, func() bool { return is(p.View().Status) }, 2*testkit.Soon, 5*time.Millisecond)
}
