package connection

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// A proxy breaks one or two transports. The client then receives all events by the next transport of its ladder, and
// the page shows this transport.
func TestClientFallsBackToTheNextTransport(t *testing.T) {
	for name, c := range map[string]struct {
		spoil            func(p *faultyProxy)
		state, transport string
	}{
		"streams are held back": {
			spoil:     func(p *faultyProxy) { p.holdStreams.Store(true) },
			state:     "live",
			transport: "websocket",
		},
		"streams are refused": {
			spoil:     func(p *faultyProxy) { p.refuseStreams.Store(true) },
			state:     "live",
			transport: "websocket",
		},
		"streams are held, upgrades refused": {
			spoil: func(p *faultyProxy) {
				p.holdStreams.Store(true)
				p.refuseUpgrades.Store(true)
			},
			state:     "polling",
			transport: "poll",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack.Start(t)
			var proxy faultyProxy
			c.spoil(&proxy)
			tab := openAsManager(t, proxy.start(t, s))
			start := time.Now()
			indicator := fmt.Sprintf(
				`document.querySelector('.header [data-status=%s][data-transport=%s]')`,
				c.state,
				c.transport,
			)
			tab.Eventually(testkit.Soon, indicator)
			t.Logf("%s by %s after %v", c.state, c.transport, time.Since(start))
			for i := range 5 {
				id := fmt.Sprintf("e-%d", i)
				s.Publish(
					fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":%d,"days_overdue":1}}`, id, i+1),
				)
				testkit.Shows(tab, id)
			}
			// The client keeps its transport when a gateway answers for a broker that is away.
			proxy.badGateway.Store(true)
			s.Kill()
			tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
			s.Up()
			s.Publish(`{"type":"rental_overdue","id":"meanwhile","data":{"rental_id":9,"days_overdue":1}}`)
			proxy.badGateway.Store(false)
			tab.Eventually(testkit.ReconnectTimeout, `document.querySelector('[data-event="meanwhile"]')`)
			require.Equal(
				t,
				[]string{"meanwhile", "e-4", "e-3", "e-2", "e-1", "e-0"},
				tab.Attributes("[data-event]", "data-event"),
			)
		})
	}
}
