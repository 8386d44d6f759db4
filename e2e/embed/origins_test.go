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

// serveHostPages serves an empty page over TLS at all names of a certificate, and returns the port.
func serveHostPages(t *testing.T, c testkit.Certificate) string {
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

// These formats of JavaScript open a stream, as a host site would do it. They add the ids of the events that the page
// receives to the array got, and set failed when the stream fails.
const (
	openEventSource = `got = [];
		failed = false;
		source = new EventSource(%q, {withCredentials: true});
		source.addEventListener("rental_overdue", e => got.push(JSON.parse(e.data).id));
		source.onerror = () => failed = true;
		0`
	openWebSocket = `got = [];
		failed = false;
		socket = new WebSocket(%q, "yardline.v1");
		socket.onopen = () => { if (%q) socket.send(JSON.stringify({call: "auth", token: %[2]q})) };
		socket.onmessage = m => {
			for (const line of m.data.trim().split("\n")) {
				const frame = JSON.parse(line);
				if (frame.event === "rental_overdue") got.push(frame.data.id);
			}
		};
		socket.onclose = () => failed = true;
		0`
	openFetch = `got = [];
		failed = false;
		(async () => {
			const answer = await fetch(%q, {headers: {Authorization: "Bearer " + %q}});
			const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
			for (let text = ""; ;) {
				const {value, done} = await reader.read();
				if (done) return;
				text += value;
				got = [...text.matchAll(/"id":"(late-[^"]*)"/g)].map(m => m[1]);
			}
		})().catch(() => failed = true);
		0`
)

// sendForeignRequests is a format of JavaScript that sends two requests: a DELETE, for which the browser asks for
// permission first, and a POST, for which it does not ask. It sets failed when the DELETE fails.
const sendForeignRequests = `failed = false;
	fetch(%q, {method: "DELETE", mode: "cors", credentials: "include"}).catch(() => failed = true);
	fetch(%[1]q, {method: "POST", mode: "no-cors", credentials: "include", body: "{}"});
	0`

// originTest holds the values that all steps of [TestOtherOriginsNeedPermission] use.
type originTest struct {
	t           *testing.T
	tab         *browser.Tab
	stack       *stack.Stack
	certificate testkit.Certificate
	token       string // a bearer token that may publish and read
	published   int    // how many events the test has published
}

// requireReceives opens a stream on a page, publishes an event and waits until the page receives it.
func (o *originTest) requireReceives(name, page, open string) {
	o.t.Helper()
	o.tab.Open(page)
	browser.Eval[int](o.tab, open)
	o.published++
	id := fmt.Sprintf("late-%d", o.published)
	publish(o.t, o.certificate, o.stack, o.token, id)
	// The stream begins with the oldest event, so the page receives the event whenever the stream opens.
	o.tab.Eventually(testkit.Soon, fmt.Sprintf(`got.includes(%q)`, id))
	require.False(o.t, browser.Eval[bool](o.tab, "failed"), name)
}

// requireRefused opens a stream on a page and checks that it fails and that the page receives nothing.
func (o *originTest) requireRefused(name, page, open string) {
	o.t.Helper()
	o.tab.Open(page)
	browser.Eval[int](o.tab, open)
	o.tab.Eventually(testkit.Soon, "failed")
	require.Zero(o.t, browser.Eval[int](o.tab, "got.length"), name)
}

// signInWithPassword fills in the sign-in form as Ann, first with a wrong password and then with the right one.
func signInWithPassword(tab *browser.Tab, address string) {
	tab.Open(address)
	tab.Eventually(testkit.Soon, `document.querySelector("form #sign-in-user")`)
	browser.Eval[int](tab, `document.querySelector("#sign-in-user").value = "ann";
		document.querySelector("#sign-in-password").value = "wrong password";
		0`)
	tab.Click("form [type=submit]")
	tab.Eventually(testkit.Soon, `document.querySelector("[role=alert].banner")?.innerText.includes("sign_in_failed")`)
	browser.Eval[int](tab, `document.querySelector("#sign-in-password").value = "a password of ann"; 0`)
	tab.Click("form [type=submit]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
}

// EventSource and WebSocket receive events with the cookie on the broker's origin and on another origin of its site,
// and with a bearer token on another site. An origin that is not allowed receives nothing.
func TestOtherOriginsNeedPermission(t *testing.T) {
	names := []string{"api.yard.test", "app.yard.test", "partner.example", "evil.example", "evil.yard.test"}
	c := testkit.NewCertificate(t, names...)
	port := serveHostPages(t, c)
	site := func(name string) string { return "https://" + name + ":" + port }
	s := stack.New(
		t,
		"--auth", "users",
		"--tls-cert", c.CertFile,
		"--tls-key", c.KeyFile,
		"--allow-origin", site("app.yard.test")+","+site("partner.example"),
	)
	s.Run("a password of ann\n", "user", "add", "ann", "--roles", "manager")
	s.Up()
	api, socket := "https://api.yard.test:"+s.Port, "wss://api.yard.test:"+s.Port+"/api/ws"
	token := s.Run("", "token", "--user", "erp", "--roles", "service,manager")
	tab := browser.NewUser(t).NewTab()
	signInWithPassword(tab, api+"/")

	o := &originTest{t: t, tab: tab, stack: s, certificate: c, token: token}
	sameSite, otherSite := site("app.yard.test"), site("partner.example")
	stream, oldest := api+"/api/sse?after=oldest", socket+"?after=oldest"
	o.requireReceives("EventSource, same origin", api+"/healthz", fmt.Sprintf(openEventSource, stream))
	o.requireReceives("WebSocket, same origin", api+"/healthz", fmt.Sprintf(openWebSocket, oldest, ""))
	o.requireReceives("EventSource, same site", sameSite, fmt.Sprintf(openEventSource, stream))
	o.requireReceives("WebSocket, same site", sameSite, fmt.Sprintf(openWebSocket, oldest, ""))
	o.requireReceives("fetch with bearer, another site", otherSite, fmt.Sprintf(openFetch, stream, token))
	o.requireReceives("WebSocket with bearer, another site", otherSite, fmt.Sprintf(openWebSocket, oldest, token))

	o.requireRefused("EventSource, another site without credentials", otherSite, fmt.Sprintf(openEventSource, stream))
	// The browser sends the cookie along from evil.yard.test, because it is of the same site.
	for _, page := range []string{site("evil.example"), site("evil.yard.test")} {
		o.requireRefused("EventSource", page, fmt.Sprintf(openEventSource, stream))
		o.requireRefused("WebSocket", page, fmt.Sprintf(openWebSocket, oldest, ""))
		o.requireRefused("WebSocket with bearer", page, fmt.Sprintf(openWebSocket, oldest, token))
		o.requireRefused("fetch with bearer", page, fmt.Sprintf(openFetch, stream, token))
		// The broker also refuses requests that a browser sends without asking for permission, such as forms.
		tab.Open(page)
		browser.Eval[int](tab, fmt.Sprintf(sendForeignRequests, api+"/api/session"))
		tab.Eventually(testkit.Soon, "failed")
	}
	// None of these requests has signed Ann out.
	tab.Open(api + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
}

// publish sends an event as a back end that trusts the certificate.
func publish(t *testing.T, c testkit.Certificate, s *stack.Stack, token, id string) {
	t.Helper()
	event := fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":1,"days_overdue":1}}`, id)
	answer, body := c.Send(t, "POST", "https://localhost:"+s.Port+"/api/sse", token, event)
	require.Equal(t, http.StatusCreated, answer.StatusCode, body)
}
