package embed

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// pages serves an empty page at any name over TLS, and returns its port.
func pages(t *testing.T, c testkit.Certificate) string {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><link rel=icon href=data:,><title>a host site</title>")
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{c.Pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	return u.Port()
}

// The browser's own EventSource and WebSocket, as a host site would use them.
// What they receive is kept in the page.
const (
	openEventSource = `got = []; failed = false; source = new EventSource(%q, {withCredentials: true});
		source.addEventListener("rental_overdue", e => got.push(JSON.parse(e.data).id)); source.onerror = () => failed = true; 0`
	openWebSocket = `got = []; failed = false; socket = new WebSocket(%q, "yardline.v1");
		socket.onopen = () => { if (%q) socket.send(JSON.stringify({call: "auth", token: %[2]q})) };
		socket.onmessage = m => { for (const line of m.data.trim().split("\n")) { const f = JSON.parse(line); if (f.event === "rental_overdue") got.push(f.data.id) } };
		socket.onclose = () => failed = true; 0`
	openFetch = `got = []; failed = false; (async () => {
			const answer = await fetch(%q, {headers: {Authorization: "Bearer " + %q}});
			const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
			for (let text = ""; ;) { const {value, done} = await reader.read(); if (done) return; text += value; got = [...text.matchAll(/"id":"(late-[^"]*)"/g)].map(m => m[1]) }
		})().catch(() => failed = true); 0`
)

// EventSource and WebSocket receive events with the cookie on the broker's origin and on another origin of its site,
// and with a bearer token on another site. An origin that is not allowed receives nothing.
func TestOtherOriginsNeedPermission(t *testing.T) {
	c := testkit.NewCertificate(
		t,
		"api.yard.test",
		"app.yard.test",
		"partner.example",
		"evil.example",
		"evil.yard.test",
	)
	port := pages(t, c)
	site := func(name string) string { return "https://" + name + ":" + port }
	s := stack.New(
		t,
		"--auth",
		"users",
		"--tls-cert",
		c.CertFile,
		"--tls-key",
		c.KeyFile,
		"--allow-origin",
		site("app.yard.test")+","+site("partner.example"),
	)
	s.Run("a password of ann\n", "user", "add", "ann", "--roles", "manager")
	s.Up()
	api, socket := "https://api.yard.test:"+s.Port, "wss://api.yard.test:"+s.Port+"/api/ws"
	token := s.Run("", "token", "--user", "erp", "--roles", "service,manager")

	// Ann signs in as users do.
	u := browser.NewUser(t)
	tab := u.NewTab()
	tab.Open(api + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("form #sign-in-user")`)
	browser.Eval[int](
		tab,
		`document.querySelector("#sign-in-user").value = "ann"; document.querySelector("#sign-in-password").value = "wrong password"; 0`,
	)
	tab.Click("form [type=submit]")
	tab.Eventually(testkit.Soon, `document.querySelector("[role=alert].banner")?.innerText.includes("sign_in_failed")`)
	browser.Eval[int](tab, `document.querySelector("#sign-in-password").value = "a password of ann"; 0`)
	tab.Click("form [type=submit]")
	tab.Eventually(testkit.Soon, testkit.IsLive)

	n := 0
	receives := func(name, page, open string) {
		t.Helper()
		tab.Open(page)
		browser.Eval[int](tab, open)
		n++
		id := fmt.Sprintf("late-%d", n)
		// Until it is seen: the stream is live at some moment.
		publish(t, c, s, token, id)
		tab.Eventually(testkit.Soon, fmt.Sprintf(`got.includes(%q)`, id))
		require.False(t, browser.Eval[bool](tab, "failed"), name)
	}
	refused := func(name, page, open string) {
		t.Helper()
		tab.Open(page)
		browser.Eval[int](tab, open)
		tab.Eventually(testkit.Soon, "failed")
		require.Zero(t, browser.Eval[int](tab, "got.length"), name)
	}
	stream, oldest := api+"/api/sse?after=oldest", socket+"?after=oldest"
	receives("EventSource, same origin", api+"/healthz", fmt.Sprintf(openEventSource, stream))
	receives("WebSocket, same origin", api+"/healthz", fmt.Sprintf(openWebSocket, oldest, ""))
	receives("EventSource, same site", site("app.yard.test"), fmt.Sprintf(openEventSource, stream))
	receives("WebSocket, same site", site("app.yard.test"), fmt.Sprintf(openWebSocket, oldest, ""))
	receives("fetch with bearer, another site", site("partner.example"), fmt.Sprintf(openFetch, stream, token))
	receives("WebSocket with bearer, another site", site("partner.example"), fmt.Sprintf(openWebSocket, oldest, token))

	refused(
		"EventSource, another site without credentials",
		site("partner.example"),
		fmt.Sprintf(openEventSource, stream),
	)
	for _, page := range []string{site("evil.example"), site("evil.yard.test")} { // the latter with the cookie
		refused("EventSource", page, fmt.Sprintf(openEventSource, stream))
		refused("WebSocket", page, fmt.Sprintf(openWebSocket, oldest, ""))
		refused("WebSocket with bearer", page, fmt.Sprintf(openWebSocket, oldest, token))
		refused("fetch with bearer", page, fmt.Sprintf(openFetch, stream, token))
		// A form or a simple fetch needs no permission to be sent: it is refused.
		tab.Open(page)
		browser.Eval[int](
			tab,
			fmt.Sprintf(
				`failed = false; fetch(%q, {method: "DELETE", mode: "cors", credentials: "include"}).catch(() => failed = true);
			fetch(%[1]q, {method: "POST", mode: "no-cors", credentials: "include", body: "{}"}); 0`,
				api+"/api/session",
			),
		)
		tab.Eventually(testkit.Soon, "failed")
	}
	tab.Open(api + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive) // still signed in
}

// publish sends an event as a back end that trusts the certificate.
func publish(t *testing.T, c testkit.Certificate, s *stack.Stack, token, id string) {
	t.Helper()
	answer, body := c.Send(
		t,
		"POST",
		"https://localhost:"+s.Port+"/api/sse",
		token,
		fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":1,"days_overdue":1}}`, id),
	)
	require.Equal(t, http.StatusCreated, answer.StatusCode, body)
}
