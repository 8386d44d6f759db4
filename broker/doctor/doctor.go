// Package doctor checks a deployment from outside, as its clients see it, and
// says what to change.
package doctor

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/shared/wire"
)

// Result is how a check went.
type Result string

// The results.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Failed  Result = "failed"
	Skipped Result = "skipped"
)

// A Finding is what one check found.
type Finding struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Found  string `json:"found"`            // in a sentence
	Change string `json:"change,omitempty"` // what to do about it
}

// Config says what is checked.
type Config struct {
	URL   string      // of the broker, as clients use it
	Token string      // a bearer token of somebody who may read; "": what needs one is skipped
	TLS   *tls.Config // nil: the system's
}

// Bounds of what is still good.
const (
	callTimeout   = 10 * time.Second
	helloWithin   = time.Second      // what users take for at once
	helloTimeout  = 5 * time.Second  // when clients give up on a stream
	maxSkew       = 30 * time.Second // of clocks: tokens expire by them
	certificateOK = 14 * 24 * time.Hour
)

// A visit is one run of the checks.
type visit struct {
	Config
	base   *url.URL
	client *http.Client
	report func(Finding)
}

// Check runs all checks, and reports each as it ends. The error is that the
// URL is none.
func Check(ctx context.Context, c Config, report func(Finding)) error {
	base, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return fmt.Errorf("%q is not the address of a broker, such as https://yard.example", c.URL)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	defer transport.CloseIdleConnections()
	// A redirect is an answer: following it would take the token along.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &visit{c, base, &http.Client{Transport: transport, CheckRedirect: stay}, report}
	if !v.reachable(ctx) {
		return nil // nothing else can be told
	}
	v.encrypted(ctx)
	v.session(ctx)
	v.stream(ctx)
	v.socket(ctx)
	return nil
}

func (v *visit) say(check string, r Result, change, format string, args ...any) {
	v.report(Finding{check, r, fmt.Sprintf(format, args...), change})
}

// get sends a request with the token, if there is one, and headers by name and
// value.
func (v *visit) get(ctx context.Context, path string, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", v.base.String()+path, nil)
	if err != nil {
		return nil, err
	}
	// The token travels encrypted or not at all, except on this machine.
	if v.Token != "" && strings.HasPrefix(path, "/api/") && (v.base.Scheme == "https" || loopback.Name(v.base.Hostname())) {
		r.Header.Set("Authorization", "Bearer "+v.Token)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	return v.client.Do(r)
}

// reachable asks whether the broker serves, and compares the clocks.
func (v *visit) reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := v.get(ctx, "/readyz")
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		v.say("tls", Failed, "Serve the whole chain of a certificate for this name, from an authority that clients trust.", "The certificate is not trusted: %v.", untrusted.Err)
		return false
	}
	if err != nil {
		v.say("reachable", Failed, "Check the address, that the broker runs, and firewalls and proxies in between.", "No answer from %s: %v.", v.base, cause(err))
		return false
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16)) // a broken body is no JSON
	var ready struct {
		Status      any // "ready", or the status of a problem document
		Code, Title string
	}
	_ = json.Unmarshal(body, &ready) // what is no JSON is no broker's
	switch {
	case ready.Status == "ready":
		v.say("reachable", OK, "", "The broker is ready.")
	case ready.Code != "":
		v.say("reachable", Failed, "See the broker's log.", "The broker is not ready: %s (%s).", ready.Title, ready.Code)
	case answer.StatusCode >= 502 && answer.StatusCode <= 504:
		v.say("reachable", Failed, "Start the broker, or mend the address that the proxy passes requests on to.", "A proxy answered with status %d: it does not reach the broker%s.", answer.StatusCode, servedBy(answer))
		return false
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		v.say("reachable", Failed, "Give that address, or let the proxy serve this one.", "It sends visitors on to %.100s.", answer.Header.Get("Location"))
		return false
	default:
		v.say("reachable", Failed, "Point the proxy at the broker; the whole of it is served from the root of a name.", "Something else than a broker answered with status %d%s.", answer.StatusCode, servedBy(answer))
		return false
	}
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		if skew := time.Since(at).Round(time.Second); skew.Abs() > maxSkew {
			v.say("clock", Warning, "Set both clocks by NTP: tokens expire by them.", "The clocks differ by %v.", skew.Abs())
		} else {
			v.say("clock", OK, "", "The clocks agree.")
		}
	}
	return true
}

// encrypted looks at the certificate, or says that there is none.
func (v *visit) encrypted(ctx context.Context) {
	if v.base.Scheme == "http" {
		if loopback.Name(v.base.Hostname()) {
			v.say("tls", OK, "", "Plain HTTP, on this machine alone.")
			return
		}
		v.say("tls", Failed, "Serve it over HTTPS: --tls-cert and --tls-key, or a proxy. Sessions need it.", "Tokens and events travel in plain text.")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := v.get(ctx, "/healthz")
	if err != nil {
		v.say("tls", Failed, "See the broker's log.", "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	left := time.Until(answer.TLS.PeerCertificates[0].NotAfter)
	days := int(left.Hours() / 24)
	switch {
	case left < certificateOK:
		v.say("tls", Warning, "Renew the certificate. The broker reads it again by itself.", "The certificate ends in %d days.", days)
	case answer.ProtoMajor < 2:
		v.say("tls", Warning, "Switch on HTTP/2 in the proxy: over HTTP/1.1 a browser opens six connections to a name, and each stream takes one.", "The certificate is good for %d days, but there is no HTTP/2.", days)
	default:
		v.say("tls", OK, "", "%s, HTTP/2, the certificate is good for %d days.", tls.VersionName(answer.TLS.Version), days)
	}
}

// session asks who the token is, and how people sign in.
func (v *visit) session(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := v.get(ctx, "/api/session")
	if err != nil {
		v.say("sign-in", Failed, "See the broker's log.", "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	var who struct {
		User   *struct{ Name, ID string }
		SignIn string `json:"sign_in"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&who); err != nil || who.SignIn == "" {
		v.say("sign-in", Failed, "Let the proxy pass /api/ on unchanged.", "The answer is not the broker's: status %d%s.", answer.StatusCode, servedBy(answer))
		return
	}
	how := map[string]string{"name": "by name alone (dev)", "password": "with a password", "provider": "with an identity provider"}[who.SignIn]
	switch {
	case who.SignIn == "name" && !loopback.Name(v.base.Hostname()):
		v.say("sign-in", Failed, "Start the broker with --auth users or --auth jwt.", "Anybody can sign in as anybody.")
	case v.Token != "" && who.User == nil:
		v.say("sign-in", Failed, "Sign a new one: yardline token. If it is new, a proxy may drop the Authorization header.", "The broker does not know the token. People sign in %s.", how)
	case v.Token != "":
		v.say("sign-in", OK, "", "The token is that of %s. People sign in %s.", who.User.ID, how)
	default:
		v.say("sign-in", OK, "", "People sign in %s.", how)
	}
}

// stream measures the time to hello. A proxy that holds a stream back shows by
// headers that come and a hello that does not, or by neither.
func (v *visit) stream(ctx context.Context) {
	if v.Token == "" {
		v.say("stream", Skipped, "Give a --token of somebody who may read.", "Streams need a token.")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	start := time.Now()
	answer, err := v.get(ctx, "/api/sse")
	if errors.Is(err, context.DeadlineExceeded) {
		v.say("stream", Failed, buffering, "Nothing came within %v: a proxy holds the stream back.", helloTimeout)
		return
	}
	if err != nil {
		v.say("stream", Failed, "See the broker's log.", "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 512)) // what there is of it
		v.say("stream", Failed, "Let the proxy pass /api/sse on unchanged, and see the answer.", "No stream but status %d%s: %s", answer.StatusCode, servedBy(answer), strings.TrimSpace(string(body)))
		return
	}
	hello, err := readHello(answer.Body)
	took := time.Since(start).Round(100 * time.Microsecond)
	switch {
	case hello != nil && took > helloWithin:
		v.say("stream", Warning, "Look for a slow network, or a proxy that gathers what it passes on.", "The first word came after %v%s.", took, servedBy(answer))
	case hello != nil:
		v.say("stream", OK, "", "The first word came after %v; a sign of life every %v.", took, hello.Heartbeat)
		if hello.Heartbeat >= 30*time.Second {
			v.say("heartbeat", Warning, "Start the broker with --heartbeat 15s.", "A sign of life every %v: common proxies cut quiet streams at 30 s.", hello.Heartbeat)
		}
	case ctx.Err() != nil:
		v.say("stream", Failed, buffering, "The stream began, but its first word did not come within %v: a proxy holds it back%s.", helloTimeout, servedBy(answer))
	default:
		v.say("stream", Failed, "Look at the timeouts of proxies in between.", "The stream broke before its first word: %v.", err)
	}
}

const buffering = "Switch off buffering and compression of /api/sse in the proxy: proxy_buffering off in nginx (which must not ignore X-Accel-Buffering), flush_interval -1 in Caddy, no caching in a CDN."

// readHello reads a stream up to its hello.
func readHello(body io.Reader) (hello *wire.Hello, err error) {
	var d wire.Decoder
	buffer := make([]byte, 4096)
	for {
		n, err := body.Read(buffer)
		if fed := d.Feed(buffer[:n], func(m wire.Message) {
			if f, ok := frameOf(wire.ParseMessage(m)).(*wire.Hello); ok {
				hello = f
			}
		}); fed != nil {
			return nil, fed
		}
		if hello != nil || err != nil {
			return hello, err
		}
	}
}

// frameOf is the frame, nil where it is none.
func frameOf(f wire.Frame, err error) wire.Frame {
	if err != nil {
		return nil
	}
	return f
}

// socket opens a WebSocket (RFC 6455, section 4.1) and reads its first frame.
func (v *visit) socket(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	// With the origin of a page of this address, as a browser sends it.
	answer, err := v.get(ctx, "/api/ws", "Origin", v.base.Scheme+"://"+v.base.Host, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16])), "Sec-WebSocket-Protocol", wire.Subprotocol)
	if err != nil {
		v.say("websocket", Warning, upgrade, "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusSwitchingProtocols:
	case http.StatusForbidden:
		v.say("websocket", Failed, "Let the proxy pass on the name and port that the browser asked for: proxy_set_header Host $http_host in nginx. Without it the app's own requests look as if they came from another site.", "Pages of this very address are taken for another site's.")
		return
	case http.StatusUnauthorized:
		v.say("websocket", Skipped, "Give a --token that the broker takes.", "The token was refused.")
		return
	default:
		v.say("websocket", Warning, upgrade, "No WebSocket: status %d%s.", answer.StatusCode, servedBy(answer))
		return
	}
	if v.Token == "" {
		v.say("websocket", OK, "", "The upgrade works.")
		return
	}
	defer context.AfterFunc(ctx, func() { answer.Body.Close() })()
	line, err := firstLine(answer.Body)
	if _, isHello := frameOf(wire.ParseJSON(line)).(*wire.Hello); err != nil || !isHello {
		v.say("websocket", Warning, "Look at the timeouts of proxies in between.", "It opened, but its first word did not come within %v.", helloTimeout)
		return
	}
	v.say("websocket", OK, "", "The upgrade works, and its first word came.")
}

const upgrade = "Let the proxy pass Upgrade and Connection on for /api/ws, over HTTP/1.1. Clients whose streams are held back need it, or fall back to long polls."

// firstLine is the first line of the first frame, which a server sends
// unmasked and whole.
func firstLine(r io.Reader) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size := uint64(head[1])
	for code, bytes := range map[uint64]int{126: 2, 127: 8} {
		if size != code {
			continue
		}
		long := make([]byte, 8)
		if _, err := io.ReadFull(r, long[8-bytes:]); err != nil {
			return nil, err
		}
		size = binary.BigEndian.Uint64(long)
		break // the size that it says may be 127 too
	}
	return bufio.NewReader(io.LimitReader(r, int64(min(size, maxFrame)))).ReadBytes('\n')
}

// maxFrame bounds what is read of a frame, in bytes.
const maxFrame = 1 << 20

// servedBy names what stands between, as far as it says so itself.
func servedBy(answer *http.Response) string {
	for _, header := range []string{"Via", "Server"} {
		if name := answer.Header.Get(header); name != "" {
			return fmt.Sprintf(" (through %.60s)", name)
		}
	}
	return ""
}

// cause is the innermost part of an error of net/http.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
