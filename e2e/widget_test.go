package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
)

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
		http.ServeFile(w, r, "../app/widget/status.js")
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

// TestWidgetWhereFetchIsWrapped: a host page that traces its requests adds headers
// to them, so that the browser may refuse them; the stream is not wrapped.
func TestWidgetWhereFetchIsWrapped(t *testing.T) {
	tab := newEmbedded(t).open(t, `fetch = () => Promise.reject(new TypeError("Failed to fetch"));`)
	tab.Eventually(soon, widgetSays+` === "live"`)
}

// TestWidgetBelievesNoProxy: what is not the status is none, and no state of before
// stays for it.
func TestWidgetBelievesNoProxy(t *testing.T) {
	e := newEmbedded(t)
	tab := e.open(t, hurry)
	tab.Eventually(soon, widgetSays+` === "live"`)
	for _, body := range []string{`<html>sign in`, `{}`, `null`, `{"state":"constructor"}`, `{"state":7}`} {
		e.says(body)
		e.streams("event: status\ndata: " + body + "\n\n")
		tab = e.open(t, hurry)
		tab.Eventually(soon, widgetSays+` === "reconnecting"`)
		e.says(`{"state":"live"}`)
		e.streams("event: status\ndata: {\"state\":\"live\"}\n\n")
		tab.Eventually(soon, widgetSays+` === "live"`)
		require.Empty(t, tab.Problems("network", "log.network", "http"), body)
	}
}

// TestWidgetBehindABuffer: a stream that something holds back is given up, and the
// status is asked for now and then.
func TestWidgetBehindABuffer(t *testing.T) {
	e := newEmbedded(t)
	e.streams(":" + strings.Repeat(" ", 4096) + "\n\n")
	tab := e.open(t, hurry)
	tab.Eventually(soon, widgetSays+` === "live"`)
	e.says(`{"state":"limited"}`)
	tab.Eventually(soon, widgetSays+` === "limited"`)
	e.says(`{"state":"live"}`)
	tab.Eventually(soon, widgetSays+` === "live"`)
}

// TestWidgetNoticesSilence: a stream whose connection died says nothing, and is not
// believed for long.
func TestWidgetNoticesSilence(t *testing.T) {
	e := newEmbedded(t)
	tab := e.open(t, hurry)
	require.Eventually(t, func() bool { return e.streamed.Load() == 1 }, soon, time.Millisecond)
	tab.Eventually(soon, widgetSays+` === "live"`)
	e.refuses()
	tab.Eventually(soon, widgetSays+` === "reconnecting"`)
	require.Equal(t, "", browser.Eval[string](tab, `document.querySelector("yardline-status").reason`))
}

// TestWidgetKeptFromTheLocalNetwork says so, as far as the browser tells.
func TestWidgetKeptFromTheLocalNetwork(t *testing.T) {
	e := newEmbedded(t)
	e.refuses()
	tab := e.open(t, hurry+`const states = [];
		addEventListener("yardline-status", (s) => states.push(s.detail), true);
		Permissions.prototype.query = async ({name}) => {
			if (name === "loopback-network") return {state: "denied"};
			throw new TypeError("unknown");
		};`)
	tab.Eventually(soon, widgetSays+` === "reconnecting"`)
	tab.Eventually(soon, `document.querySelector("yardline-status").reason === "local_network"`)
	title := browser.Eval[string](tab,
		`document.querySelector("yardline-status").shadowRoot.querySelector("[data-status]").title`)
	require.Contains(t, title, "local network")
	last := browser.Eval[string](tab, `JSON.stringify(states.at(-1))`)
	require.Equal(t, `{"state":"reconnecting","reason":"local_network"}`, last)
	e.says(`{"state":"live"}`)
	tab.Eventually(soon, widgetSays+` === "live"`)
	require.Equal(t, "", browser.Eval[string](tab, `document.querySelector("yardline-status").reason`))
}
