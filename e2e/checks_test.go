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
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
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
	group := cmd.Process
	var address, curl string
	for lines := bufio.NewScanner(said); address == "" || curl == ""; {
		require.True(t, lines.Scan(), "make run ended before it said where it is")
		if at := regexp.MustCompile(`^Yardline is at (http://localhost:\d+)`).FindStringSubmatch(lines.Text()); at != nil {
			address = at[1]
		}
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "curl -X POST") {
			curl = strings.TrimSpace(lines.Text())
		}
	}
	go io.Copy(io.Discard, said) // until it ends
	t.Cleanup(func() {
		// make passes the signal on to nobody: its child is found by its address.
		stopBroker(t, clone)
		_, _ = group.Wait()
	})
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
	tab.Eventually(soon, isLive)
	shows(tab, want[0])
	require.Equal(t, want, tab.Attrs("[data-event]", "data-event"))
	require.LessOrEqual(t, len(tab.Attrs("[data-toast]", "data-toast")), 3)
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
	tab.Open(s.URL + "/")
	tab.Eventually(soon, isLive)
	stop := load(t, s, 100)
	keys := 0
	for start := time.Now(); time.Since(start) < 5*time.Second; keys++ {
		tab.Type("x")
	}
	ids := stop()
	tab.Eventually(soon, fmt.Sprintf(`document.querySelector('[data-event=%q]')`, ids[len(ids)-1]))
	require.Greater(t, len(ids), 200, "events were sent")
	require.Len(t, tab.Attrs("[data-event]", "data-event"), 1, "one row for the one unit")
	require.Empty(t, tab.Attrs("[data-toast]", "data-toast"))
	late := browser.Eval[int](tab, `slow.filter(ms => ms > 200).length`)
	t.Logf("%d updates, %d keys, the slowest answered after %v ms", len(ids), keys, browser.Eval[float64](tab, `Math.max(0, ...slow)`))
	require.Greater(t, keys, 20)
	require.LessOrEqual(t, late, keys/50, "typing is answered within 200 ms; the machine may be busy for one in fifty")
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
	tab.Open(at)
	tab.Eventually(soon, state+` === "live"`)
	require.Less(t, browser.Eval[float64](tab, `performance.now() - performance.getEntriesByType("navigation")[0].responseEnd`), 2000.0+3000, "on a machine that may be busy")
	size := browser.Eval[int](tab, `performance.getEntriesByName("`+broker+`/embed/v1/status.js")[0]?.encodedBodySize ?? 0`)
	t.Logf("the widget has %d bytes as loaded", size)
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
