package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
)

// The checks that a picky user would run, by their numbers in the handbook. The
// second and the fourth are with the other tests of tabs and of visibility, the
// ninth is the broker's.

// TestCheck1FreshClone takes a fresh clone to an event on the screen with what
// the README says alone: make run, and the curl line that it prints.
func TestCheck1FreshClone(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "    make run ", "the README's first command")
	clone := filepath.Join(t.TempDir(), "yardline")
	out, err := exec.Command("git", "clone", "--quiet", "--depth", "1", "file://"+root(t), clone).CombinedOutput()
	require.NoError(t, err, string(out))
	cmd := exec.Command("make", "run")
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "YARDLINE_LISTEN=127.0.0.1:0") // the port of the README may be taken here
	said, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		// make passes the signal on to nobody: its child is found by its address.
		stopBroker(t, clone)
		_ = cmd.Process.Kill() // it may still be building
		_ = cmd.Wait()
	})
	stuck := time.AfterFunc(buildTime, func() { _ = cmd.Process.Kill() }) // ends the lines below
	var address, curl string
	for lines := bufio.NewScanner(said); address == "" || curl == ""; {
		require.True(t, lines.Scan(), "make run ended, or took too long, before it said where it is")
		if at := regexp.MustCompile(`^Yardline is at (http://localhost:\d+)`).FindStringSubmatch(lines.Text()); at != nil {
			address = at[1]
		}
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "curl -X POST") {
			curl = strings.TrimSpace(lines.Text())
		}
	}
	stuck.Stop()
	go io.Copy(io.Discard, said) // until it ends
	tab := browser.NewUser(t).NewTab()
	tab.Open(address)
	tab.Eventually(soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	tab.Eventually(soon, isLive)
	answer, err := exec.Command("bash", "-c", curl).Output()
	require.NoError(t, err)
	var stored struct{ ID string }
	require.NoError(t, json.Unmarshal(answer, &stored), string(answer))
	shows(tab, stored.ID)
}

// buildTime is how long a fresh clone may take to build and start.
const buildTime = 5 * time.Minute

// root is the repository's.
func root(t *testing.T) string {
	out, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// stopBroker ends the broker whose binary is in a clone.
func stopBroker(t *testing.T, clone string) {
	processes, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, p := range processes {
		path, err := os.Readlink(filepath.Join("/proc", p.Name(), "exe"))
		if err != nil || path != filepath.Join(clone, "bin", "yardline") {
			continue
		}
		var pid int
		fmt.Sscan(p.Name(), &pid)
		process, err := os.FindProcess(pid)
		require.NoError(t, err)
		require.NoError(t, process.Signal(os.Interrupt))
	}
}

// TestCheck3BrokerDown for a minute, with events published on its return: the
// countdown is shown, no toast of what was missed, the order kept; and what can no
// longer be had is declared.
func TestCheck3BrokerDown(t *testing.T) {
	const retention = 2 * time.Second
	s := stack.Start(t, "--retention", retention.String())
	var h hostile
	base := h.between(t, s)
	tab := browser.NewUser(t).NewTab()
	tab.Open(base + "/")
	tab.Eventually(soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	tab.Eventually(soon, isLive)
	overdue := func(id string) {
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":%d,"days_overdue":1}}`, id, len(id)))
	}
	overdue("before")
	shows(tab, "before")
	tab.Click(".toast-close")
	browser.Eval[bool](tab, watchToasts)
	s.Kill()
	tab.Eventually(soon, `/in \d+ s/.test(document.querySelector(".header [data-status=reconnecting] .status-count")?.innerText)`)
	down := time.Now()
	tab.Eventually(whole(soon, time.Minute), `document.querySelector(".banner-reconnecting")?.innerText.includes("Reconnecting in")`)
	eventually(t, 2*time.Minute, "the outage", func() bool { return time.Since(down) > whole(16*time.Second, time.Minute) })
	require.True(t, browser.Eval[bool](tab, `getComputedStyle(document.querySelector(".banner-reconnecting")).visibility === "visible"`), "after 15 s the banner shows")
	s.Up()
	want := []string{"before"}
	for i := range 20 {
		id := fmt.Sprintf("missed-%02d", i)
		overdue(id)
		want = append([]string{id}, want...)
	}
	tab.Click(".banner-reconnecting button") // by itself it may wait for half a minute
	tab.Eventually(2*soon, isLive)
	shows(tab, want[0])
	require.Equal(t, want, tab.Attrs("[data-event]", "data-event"))
	require.Empty(t, browser.Eval[[]string](tab, `toasted`), "what was missed makes no message, nor do drop and return")
	for i := range 20 {
		overdue(fmt.Sprintf("flood-%02d", i))
	}
	tab.Eventually(soon, `toasted.includes("summary")`)
	shows(tab, "flood-19")
	require.LessOrEqual(t, browser.Eval[int](tab, `most`), 3, "at no time")
	require.Len(t, tab.Attrs("[data-toast]", "data-toast"), 1, "one stands for all")
	tab.Click("[data-toast=summary] .toast-close")
	require.Empty(t, tab.Attrs("[data-gap]", "data-gap"))

	// What the log has forgotten meanwhile is said to be missing.
	h.badGateway.Store(true)
	h.cut()
	tab.Eventually(soon, `document.querySelector(".header [data-status=reconnecting]")`)
	for i := range 5 {
		overdue(fmt.Sprintf("forgotten-%d", i))
	}
	written := time.Now()
	eventually(t, soon, "they are old", func() bool { return time.Since(written) > retention })
	s.Stop()
	s.Up()
	api := s.As("4", 0, access.Manager)
	eventually(t, soon, "they are forgotten", func() bool {
		p, err := api.History(t.Context(), filter.Filter{}, wire.Cursor{}, 100)
		return err == nil && len(p.Events) == 0
	})
	h.badGateway.Store(false)
	tab.Eventually(2*time.Minute, `document.querySelector("[data-gap]")?.innerText.includes("(gap)")`) // it waits longer after each try
	tab.Eventually(soon, isLive)
	overdue("after")
	shows(tab, "after")
	tab.Click("[data-gap] button")
	tab.Eventually(soon, `!document.querySelector("[data-gap]")`)
}

// watchToasts notes which messages there were, and how many at once.
const watchToasts = `(() => { window.toasted = []; window.most = 0; new MutationObserver(() => { const now = [...document.querySelectorAll("[data-toast]")].map(e => e.dataset.toast);
	most = Math.max(most, now.length); for (const id of now) if (!toasted.includes(id)) toasted.push(id) }).observe(document.getElementById("toasts"), {childList: true, subtree: true, attributes: true}); return true })()`

// TestCheck5OfflineDeepLink: with the broker down /events?x=1 loads from the
// cache; three events are written, and when the broker is up exactly three
// arrive, once each.
func TestCheck5OfflineDeepLink(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	tab := open(s, u, "manager", "/")
	tab.Eventually(soon, `navigator.serviceWorker.controller`)
	s.Publish(`{"type":"rental_overdue","id":"before","data":{"rental_id":1,"days_overdue":1}}`)
	shows(tab, "before")
	s.Kill()
	tab.Eventually(soon, `document.querySelector(".header [data-status=reconnecting]")`)
	for _, path := range append([]string{"/events?x=1"}, appPages...) {
		if path == "/admin" {
			continue // not the manager's
		}
		tab.Open(s.URL + path)
		tab.Eventually(soon, `document.querySelector("main h1") && !["loading", "sign-in", "not-found"].includes(document.querySelector("main").dataset.page)`)
		tab.Eventually(soon, `document.querySelector(".as-of")?.innerText.includes("as of ")`)
		tab.Eventually(soon, `!document.querySelector("main .skeleton")`)
	}
	tab.Open(s.URL + "/events?x=1")
	shows(tab, "before")
	tab.Open(s.URL + "/sse-test")
	types := []string{"rental_status_updated", "payment_received", "maintenance_required"}
	for i, typ := range types {
		tab.Eventually(soon, fmt.Sprintf(`document.querySelector('[data-send=%s]:not(:disabled)')`, typ))
		tab.Click(fmt.Sprintf(`[data-send=%q]`, typ))
		tab.Eventually(soon, fmt.Sprintf(`document.querySelectorAll("[data-outbox=queued]").length === %d`, i+1))
	}
	tab.Open(s.URL + "/outbox")
	tab.Eventually(soon, `document.querySelectorAll("[data-outbox=queued]").length === 3`)
	s.Up()
	tab.Eventually(soon, `document.querySelectorAll("[data-outbox=sent]").length === 3`)
	require.Len(t, stored(t, s), 4)
	tab.Open(s.URL + "/events?x=1")
	tab.Eventually(soon, `document.querySelectorAll("[data-event]").length === 4`)
	require.Equal(t, []string{"maintenance_required", "payment_received", "rental_status_updated", "rental_overdue"}, tab.Attrs("[data-event]", "data-type"))
}

// TestCheck6Locations: 500 location updates in 5 s are at most one feed row a
// unit and no toast, and typing is answered within 200 ms.
func TestCheck6Locations(t *testing.T) {
	s, u := stack.Start(t, "--publish-rate", "1000"), browser.NewUser(t)
	signIn(s, u, "dispatcher")
	tab := u.NewTab()
	tab.OnNewDocument(`window.slow = []; new PerformanceObserver(list => { for (const e of list.getEntries()) slow.push(e.duration) }).observe({type: "event", durationThreshold: 16})`)
	tab.Open(s.URL + "/sse-test") // every event is a row here, which is more to do than on the dashboard
	tab.Eventually(soon, isLive)
	feed := u.NewTab()
	feed.Open(s.URL + "/")
	feed.Eventually(soon, isLive)
	tab.Show()
	unfold(tab)
	tab.Click("#payload")
	const updates = 500
	sent := make(chan string)
	go func() { sent <- inFiveSeconds(t, s, updates) }()
	keys, last := 0, ""
	for last == "" {
		tab.Type("x")
		keys++
		select {
		case last = <-sent:
		default:
		}
	}
	shows(tab, last)
	require.Len(t, browser.Eval[string](tab, `document.getElementById("payload").value`), keys, "every key is in the field")
	shows(feed, last)
	require.Equal(t, 0, browser.Eval[int](feed, `(all => all.length - new Set(all).size)([...document.querySelectorAll("[data-event] .row-subject")].map(e => e.innerText))`), "one row for each unit")
	require.Empty(t, append(tab.Attrs("[data-toast]", "data-toast"), feed.Attrs("[data-toast]", "data-toast")...))
	late := browser.Eval[int](tab, `slow.filter(ms => ms > 200).length`)
	t.Logf("%d updates, %d keys, the slowest answered after %v ms", updates, keys, browser.Eval[float64](tab, `Math.max(0, ...slow)`))
	require.Greater(t, keys, 20)
	require.LessOrEqual(t, float64(late), max(1, float64(keys)/50), "typing is answered within 200 ms; the machine may be busy for one in fifty")
}

// inFiveSeconds publishes so many location updates, and returns the last one's id.
func inFiveSeconds(t *testing.T, s *stack.Stack, updates int) string {
	api := s.As("erp", 0, access.Service)
	tick := time.NewTicker(5 * time.Second * batch / time.Duration(updates))
	defer tick.Stop()
	for n := 0; n < updates; n += batch {
		r, err := api.Transport.Do(t.Context(), wasmclient.Request{Method: "POST", Path: "/api/sse",
			Header: map[string]string{"Content-Type": "application/cloudevents-batch+json"}, Body: flood(n)})
		if err != nil || r.Status != 201 {
			t.Errorf("publish: %v %d %s", err, r.Status, r.Body)
		}
		<-tick.C
	}
	return fmt.Sprint("f-", updates-1)
}

// TestCheck7Proxy holds streams back and refuses upgrades: "Delayed updates"
// within 12 s, and data still flows.
func TestCheck7Proxy(t *testing.T) {
	s := stack.Start(t)
	var h hostile
	h.holdStreams.Store(true)
	h.refuseUpgrades.Store(true)
	base := h.between(t, s)
	tab := browser.NewUser(t).NewTab()
	tab.Open(base + "/")
	tab.Eventually(soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	tab.Eventually(soon, `document.querySelector(".header [data-status]")`) // signed in
	start := time.Now()
	tab.Eventually(soon, `document.querySelector(".header [data-status=polling]")?.innerText.includes("Delayed updates")`)
	t.Logf("delayed updates after %v", time.Since(start))
	require.Less(t, time.Since(start), 12*time.Second)
	s.Publish(`{"type":"rental_overdue","id":"through","data":{"rental_id":1,"days_overdue":1}}`)
	shows(tab, "through")
}

// host is a page of another site with the widget in it, and a strict policy.
const host = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A host site</title><h1>Rental</h1>
<script async src="%[1]s/embed/v1/status.js"></script><yardline-status src="%[1]s" theme="dark"></yardline-status>
<img id="badge" src="%[1]s/embed/v1/status.svg" alt=""><p id="own">unharmed</p></html>`

// TestCheck10Widget is on another origin with a strict policy and no cookies:
// the right state within 2 s, at most 5 KB, and the page unharmed with the broker
// down before or after it loaded.
func TestCheck10Widget(t *testing.T) {
	s := stack.Start(t)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	broker := "http://yard.localhost:" + u.Port()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src "+broker+"; connect-src "+broker+"; img-src 'self' data: "+broker)
		fmt.Fprintf(w, host, broker)
	}))
	t.Cleanup(page.Close)
	at := strings.Replace(page.URL, "127.0.0.1", "host.example", 1)
	tab := browser.NewUser(t).NewTab()
	const state = `document.querySelector("yardline-status")?.shadowRoot?.querySelector("[data-status]")?.dataset.status`
	tab.OnNewDocument(`{ const look = setInterval(() => { if (` + state + ` === "live") { window.liveAfter = performance.now() - performance.getEntriesByType("navigation")[0].responseEnd; clearInterval(look) } }, 10) }`)
	var took []float64
	for range 3 { // the machine may be busy
		tab.Open(at)
		tab.Eventually(soon, `window.liveAfter >= 0`)
		took = append(took, browser.Eval[float64](tab, `liveAfter`))
	}
	t.Logf("the widget is right after %v ms", took)
	require.Less(t, slices.Min(took), 2000.0)
	require.True(t, browser.Eval[bool](tab, `document.getElementById("badge").naturalWidth > 50`))
	require.Equal(t, "Live", browser.Eval[string](tab, `document.querySelector("yardline-status").shadowRoot.querySelector("[data-status] span").textContent`))
	require.Empty(t, tab.Problems(), "no violation of the policy, nothing on the console")
	cookies := browser.Eval[string](tab, `document.cookie`)
	require.Empty(t, cookies)
	// The broker goes while the page is open, and comes back.
	s.Kill()
	tab.Eventually(soon, state+` === "reconnecting"`)
	require.Equal(t, "unharmed", browser.Eval[string](tab, `document.getElementById("own").innerText`))
	// And before the page is loaded: the element stays empty.
	tab.Open(at)
	tab.Eventually(soon, `document.readyState === "complete"`)
	require.Equal(t, "unharmed", browser.Eval[string](tab, `document.getElementById("own").innerText`))
	require.Empty(t, tab.Problems("network", "log.network", "http"), "what cannot be loaded says so, and nothing else")
	s.Up()
	tab.Open(at)
	tab.Eventually(soon, state+` === "live"`)
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
