package speed

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
)

// TestFlood sends very many events through a tab: its memory does not grow with
// them, the history keeps 100, and typing is answered meanwhile.
func TestFlood(t *testing.T) {
	s, u := stack.Start(t, "--publish-rate", "1000000"), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	tab := u.NewTab()
	tab.TrackMemory()
	tab.OnNewDocument(
		`window.slow = []; new PerformanceObserver(list => { for (const e of list.getEntries()) slow.push(e.duration) }).observe({type: "event", durationThreshold: 16})`,
	)
	tab.Open(s.URL + "/sse-test")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	sent := 0
	send := func(n int) (last string) {
		api := s.APIFor("erp", 0, access.Service)
		for range n / batch {
			r, err := api.Transport.Do(context.Background(), wasmclient.Request{Method: "POST", Path: "/api/sse",
				Header: map[string]string{"Content-Type": "application/cloudevents-batch+json"}, Body: flood(sent)})
			if err != nil || r.Status != 201 {
				t.Errorf("publish: %v %d %s", err, r.Status, r.Body)
				break
			}
			sent += batch
		}
		return fmt.Sprintf(`document.querySelector('[data-event="f-%d"]')`, sent-1)
	}
	// through lets n events come, and types meanwhile.
	keys := 0
	through := func(n int) {
		start, last := time.Now(), make(chan string)
		go func() { last <- send(n) }()
		for there := ""; there == "" || !browser.Eval[bool](tab, there+" !== null"); {
			tab.Type("x")
			keys++
			select {
			case there = <-last:
			default:
			}
		}
		t.Logf("%d events/s", int(float64(n)/time.Since(start).Seconds()))
	}
	testkit.UnfoldForm(tab)
	tab.Click("#payload")
	total := testkit.ForFullRun(20_000, 100_000)
	through(total / 4)
	heapBefore, wasmBefore := tab.MemoryUse()
	through(total - total/4)
	require.Len(t, browser.Eval[string](tab, `document.getElementById("payload").value`), keys)
	slowest := browser.Eval[float64](tab, `Math.max(0, ...slow)`)
	late := browser.Eval[int](tab, `slow.filter(ms => ms > 200).length`)
	heap, wasm := tab.MemoryUse()
	t.Logf(
		"%d keys, the slowest answered after %v ms; heap %d -> %d, wasm %d -> %d",
		keys,
		slowest,
		heapBefore,
		heap,
		wasmBefore,
		wasm,
	)
	require.Greater(t, keys, 20)
	// One in a hundred was the bound before 2026-12. Since then one in twelve is late at 850 events/s, and the cause is
	// not known: find it, and put the old bound back.
	require.LessOrEqual(t, late, keys/4, "typing is answered within 200 ms, but where the machine is busy")
	require.LessOrEqual(t, heap, heapBefore+max(heapBefore/20, 2<<20))
	// The wasm memory grows in steps and never shrinks; a hundred bytes kept of
	// each event of the full run would be three steps.
	require.LessOrEqual(t, wasm, wasmBefore+4<<20)
	require.Len(t, tab.Attributes("[data-event]", "data-event"), 100)
}

// batch is how many events are published at once.
const batch = 100

// flood is a batch of location updates of fifty machines, numbered from n.
func flood(n int) []byte {
	var all []map[string]any
	for i := n; i < n+batch; i++ {
		all = append(
			all,
			map[string]any{
				"specversion": "1.0",
				"id":          fmt.Sprint("f-", i),
				"source":      "/flood",
				"type":        "equipment_location_updated",
				"data":        map[string]any{"equipment_id": i%50 + 1, "location_name": fmt.Sprint("Site ", i)},
			},
		)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return raw
}
