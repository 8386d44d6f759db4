package embed

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/waittest"
)

// host is a page of another site with the widget in it, and a strict policy.
const host = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A host site</title><h1>Rental</h1>
<script async src="%[1]s/embed/v1/status.js"></script><yardline-status src="%[1]s" theme="dark"></yardline-status>
<img id="badge" src="%[1]s/embed/v1/status.svg" alt=""><p id="own">unharmed</p></html>`

// On a page of another origin with a strict policy and no cookies, the widget shows the right state within 2 s, has at
// most 5 KB, and leaves the page intact when the broker goes down.
func TestWidgetShowsStatusOnAHostSite(t *testing.T) {
	s := stack.Start(t)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	broker := "http://yard.localhost:" + u.Port()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().
			Set("Content-Security-Policy", "default-src 'none'; script-src "+broker+"; connect-src "+broker+"; img-src 'self' data: "+broker)
		fmt.Fprintf(w, host, broker)
	}))
	t.Cleanup(page.Close)
	at := strings.Replace(page.URL, "127.0.0.1", "host.example", 1)
	tab := browser.NewUser(t).NewTab()
	const state = `document.querySelector("yardline-status")?.shadowRoot?.querySelector("[data-status]")?.dataset.status`
	tab.OnNewDocument(
		`{ const look = setInterval(() => { if (` + state + ` === "live") { window.liveAfter = performance.now() - performance.getEntriesByType("navigation")[0].responseEnd; clearInterval(look) } }, 10) }`,
	)
	var took []float64
	for range 3 { // the machine may be busy
		tab.Open(at)
		tab.Eventually(testkit.Soon, `window.liveAfter >= 0`)
		took = append(took, browser.Eval[float64](tab, `liveAfter`))
	}
	t.Logf("the widget is right after %v ms", took)
	require.Less(t, slices.Min(took), 2000.0)
	require.True(t, browser.Eval[bool](tab, `document.getElementById("badge").naturalWidth > 50`))
	require.Equal(
		t,
		"Live",
		browser.Eval[string](
			tab,
			`document.querySelector("yardline-status").shadowRoot.querySelector("[data-status] span").textContent`,
		),
	)
	require.Empty(t, tab.Problems(), "no violation of the policy, nothing on the console")
	cookies := browser.Eval[string](tab, `document.cookie`)
	require.Empty(t, cookies)
	// The broker goes while the page is open, and comes back.
	s.Kill()
	tab.Eventually(testkit.Soon, state+` === "reconnecting"`)
	require.Equal(t, "unharmed", browser.Eval[string](tab, `document.getElementById("own").innerText`))
	// And before the page is loaded: the element stays empty.
	tab.Open(at)
	tab.Eventually(testkit.Soon, `document.readyState === "complete"`)
	require.Equal(t, "unharmed", browser.Eval[string](tab, `document.getElementById("own").innerText`))
	require.Empty(t, tab.Problems("network", "log.network", "http"), "what cannot be loaded says so, and nothing else")
	s.Up()
	tab.Open(at)
	tab.Eventually(testkit.Soon, state+` === "live"`)
	zipped, err := http.NewRequest("GET", s.URL+"/embed/v1/status.js", nil)
	require.NoError(t, err)
	zipped.Header.Set("Accept-Encoding", "gzip")
	answer, err := http.DefaultTransport.RoundTrip(zipped)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"))
	require.LessOrEqual(t, len(body), 5<<10)
	require.Empty(t, answer.Header.Get("Set-Cookie"))
}

// embedded is an installation as the widget sees it: its script, and what a test
// lets the two addresses answer.
type embedded struct {
	json, events atomic.Value // http.HandlerFunc
	streamed     atomic.Int32 // streams that have said what they say
	url          string
}

func newEmbedded(t *testing.T) *embedded {
	e := &embedded{}
	mux := http.NewServeMux()
	mux.HandleFunc("/embed/v1/status.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "../../app/widget/status.js")
	})
	answer := func(to *atomic.Value) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			to.Load().(http.HandlerFunc)(w, r)
		}
	}
	mux.HandleFunc("/embed/v1/status.json", answer(&e.json))
	mux.HandleFunc("/embed/v1/status.events", answer(&e.events))
	mux.HandleFunc("/host", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><link rel=icon href=data:,><script>%s</script>
			<script src="%s/embed/v1/status.js"></script>
			<yardline-status src="%[2]s"></yardline-status>`, r.URL.Query().Get("script"), e.url)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	e.url = strings.Replace(server.URL, "127.0.0.1", "yard.localhost", 1)
	e.says(`{"state":"live"}`)
	e.streams("event: status\ndata: {\"state\":\"live\"}\n\nevent: beat\ndata:\n\n")
	return e
}

func (e *embedded) says(body string) {
	e.json.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
}

// streams answers with a stream that is silent afterwards, and stays open.
func (e *embedded) streams(body string) {
	e.events.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, body)
		w.(http.Flusher).Flush()
		e.streamed.Add(1)
		<-r.Context().Done()
	}))
}

func (e *embedded) refuses() {
	no := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	e.json.Store(no)
	e.events.Store(no)
}

// open opens a page with the widget in it, after a script of the page.
func (e *embedded) open(t *testing.T, script string) *browser.Tab {
	tab := browser.NewUser(t).NewTab()
	tab.Open(e.url + "/host?" + url.Values{"script": {script}}.Encode())
	return tab
}

const (
	widgetSays = `document.querySelector("yardline-status").shadowRoot.querySelector("[data-status]").dataset.status`
	// hurry lets the widget's time pass fifty times as fast.
	hurry = `const own = setTimeout; setTimeout = (f, ms) => own(f, ms / 50);`
)

// A host page may wrap fetch and add headers, so that the browser refuses the request. The stream still works.
func TestWidgetWorksWhereFetchIsWrapped(t *testing.T) {
	tab := newEmbedded(t).open(t, `fetch = () => Promise.reject(new TypeError("Failed to fetch"));`)
	tab.Eventually(testkit.Soon, widgetSays+` === "live"`)
}

// An answer that is not the status counts as none, and the widget does not keep the earlier state for it.
func TestWidgetIgnoresTheAnswersOfProxies(t *testing.T) {
	e := newEmbedded(t)
	tab := e.open(t, hurry)
	tab.Eventually(testkit.Soon, widgetSays+` === "live"`)
	for _, body := range []string{`<html>sign in`, `{}`, `null`, `{"state":"constructor"}`, `{"state":7}`} {
		e.says(body)
		e.streams("event: status\ndata: " + body + "\n\n")
		tab = e.open(t, hurry)
		tab.Eventually(testkit.Soon, widgetSays+` === "reconnecting"`)
		e.says(`{"state":"live"}`)
		e.streams("event: status\ndata: {\"state\":\"live\"}\n\n")
		tab.Eventually(testkit.Soon, widgetSays+` === "live"`)
		require.Empty(t, tab.Problems("network", "log.network", "http"), body)
	}
}

// The widget gives up a stream that a proxy holds back, and asks for the status now and then.
func TestWidgetGivesUpAStreamThatIsHeldBack(t *testing.T) {
	e := newEmbedded(t)
	e.streams(":" + strings.Repeat(" ", 4096) + "\n\n")
	tab := e.open(t, hurry)
	tab.Eventually(testkit.Soon, widgetSays+` === "live"`)
	e.says(`{"state":"limited"}`)
	tab.Eventually(testkit.Soon, widgetSays+` === "limited"`)
	e.says(`{"state":"live"}`)
	tab.Eventually(testkit.Soon, widgetSays+` === "live"`)
}

// The widget does not trust a stream whose connection died for long.
func TestWidgetGivesUpASilentStream(t *testing.T) {
	e := newEmbedded(t)
	tab := e.open(t, hurry)
	waittest.Eventually(t, func() bool { return e.streamed.Load() == 1 }, testkit.Soon, time.Millisecond)
	tab.Eventually(testkit.Soon, widgetSays+` === "live"`)
	e.refuses()
	tab.Eventually(testkit.Soon, widgetSays+` === "reconnecting"`)
	require.Equal(t, "", browser.Eval[string](tab, `document.querySelector("yardline-status").reason`))
}

// When the browser keeps the page from the local network, the widget says so as far as the browser tells.
func TestWidgetReportsABlockedLocalNetwork(t *testing.T) {
	e := newEmbedded(t)
	e.refuses()
	tab := e.open(t, hurry+`const states = [];
		addEventListener("yardline-status", (s) => states.push(s.detail), true);
		Permissions.prototype.query = async ({name}) => {
			if (name === "loopback-network") return {state: "denied"};
			throw new TypeError("unknown");
		};`)
	tab.Eventually(testkit.Soon, widgetSays+` === "reconnecting"`)
	tab.Eventually(testkit.Soon, `document.querySelector("yardline-status").reason === "local_network"`)
	title := browser.Eval[string](tab,
		`document.querySelector("yardline-status").shadowRoot.querySelector("[data-status]").title`)
	require.Contains(t, title, "local network")
	last := browser.Eval[string](tab, `JSON.stringify(states.at(-1))`)
	require.Equal(t, `{"state":"reconnecting","reason":"local_network"}`, last)
	e.says(`{"state":"live"}`)
	tab.Eventually(testkit.Soon, widgetSays+` === "live"`)
	require.Equal(t, "", browser.Eval[string](tab, `document.querySelector("yardline-status").reason`))
}
