package connection

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// hostile is a proxy that spoils what it is told to.
type hostile struct {
	holdStreams, refuseUpgrades, refuseStreams atomic.Bool
	badGateway                                 atomic.Bool
	instead                                    atomic.Value // an insteadFunc
	lifetime                                   atomic.Int64 // of every answer, a time.Duration; 0: as long as it likes
	cuts                                       atomic.Int64 // answers that lived so long
	cut                                        func()       // breaks every connection
}

// An insteadFunc answers in the broker's place, or tells that it does not.
type insteadFunc = func(http.ResponseWriter, *http.Request) bool

// between puts it in front of a broker, and returns its address.
func (h *hostile) between(t *testing.T, s *stack.Stack) string {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	pass := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		FlushInterval: -1,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if life := h.lifetime.Load(); life > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), time.Duration(life))
			defer cancel()
			defer func() {
				if ctx.Err() == context.DeadlineExceeded {
					h.cuts.Add(1)
				}
			}()
			r = r.WithContext(ctx)
		}
		if instead, ok := h.instead.Load().(insteadFunc); ok && instead(w, r) {
			return
		}
		isStream := r.URL.Path == "/api/sse" && r.Method == "GET"
		switch {
		case h.badGateway.Load():
			w.WriteHeader(http.StatusBadGateway)
		case isStream && h.holdStreams.Load():
			<-r.Context().Done() // it gathers what will never end
		case isStream && h.refuseStreams.Load():
			w.WriteHeader(http.StatusNotAcceptable)
		case r.URL.Path == "/api/ws" && h.refuseUpgrades.Load():
			w.WriteHeader(http.StatusBadRequest)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	h.cut = server.CloseClientConnections
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// Through proxies that break one or two transports, all events arrive by the next one, and the state says so.
func TestClientFallsBackToTheNextTransport(t *testing.T) {
	for name, c := range map[string]struct {
		spoil            func(h *hostile)
		state, transport string
	}{
		"streams are held back":              {func(h *hostile) { h.holdStreams.Store(true) }, "live", "websocket"},
		"streams are refused":                {func(h *hostile) { h.refuseStreams.Store(true) }, "live", "websocket"},
		"streams are held, upgrades refused": {func(h *hostile) { h.holdStreams.Store(true); h.refuseUpgrades.Store(true) }, "polling", "poll"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack.Start(t)
			var h hostile
			c.spoil(&h)
			base := h.between(t, s)
			tab := browser.NewUser(t).NewTab()
			tab.Open(base + "/")
			tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
			tab.Click("[data-user=manager]")
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
			// A gateway that answers for a broker that is away is no reason to fall.
			h.badGateway.Store(true)
			s.Kill()
			tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
			s.Up()
			s.Publish(`{"type":"rental_overdue","id":"meanwhile","data":{"rental_id":9,"days_overdue":1}}`)
			h.badGateway.Store(false)
			tab.Eventually(testkit.ReconnectTimeout, `document.querySelector('[data-event="meanwhile"]')`)
			require.Equal(
				t,
				[]string{"meanwhile", "e-4", "e-3", "e-2", "e-1", "e-0"},
				tab.Attributes("[data-event]", "data-event"),
			)
		})
	}
}
