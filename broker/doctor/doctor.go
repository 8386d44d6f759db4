// Package doctor checks a deployment from outside, as its clients see it, and
// says what to change.
package doctor

import (
	"context"
	"crypto/tls"
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
	// URL is the address of the broker, as clients use it. The doctor sends a
	// user and a password in it to a proxy in front, by HTTP Basic authentication.
	URL string
	// Token is a bearer token that may read. "" skips the checks that need one.
	Token string
	// ReadOnly keeps the doctor from publishing an event to measure its delay.
	ReadOnly bool
	// TLS defaults to the system's configuration.
	TLS *tls.Config
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
	base   *url.URL      // without a user
	basic  *url.Userinfo // of the proxy in front; nil where it asks for none
	client *http.Client
	report func(Finding)
	roles  []string // of the token
}

// Check runs all checks, and reports each as it ends. The error is that the
// URL is none.
func Check(ctx context.Context, c Config, report func(Finding)) error {
	base, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return errors.New("that is not the address of a broker, such as https://yard.example") // it may hold a password
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	defer transport.CloseIdleConnections()
	// A redirect is an answer: following it would take the token along.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &visit{Config: c, client: &http.Client{Transport: transport, CheckRedirect: stay}, report: report}
	credentials := base.User
	base.User = nil
	v.base = base
	if !v.gate(ctx, credentials) || !v.reachable(ctx) {
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
	return v.send(ctx, "GET", path, nil, headers...)
}

func (v *visit) send(
	ctx context.Context,
	method, path string,
	body io.Reader,
	headers ...string,
) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, v.base.String()+path, body)
	if err != nil {
		return nil, err
	}
	if v.basic == nil && v.safe() && v.Token != "" && strings.HasPrefix(path, "/api/") {
		r.Header.Set("Authorization", "Bearer "+v.Token)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	return v.do(r)
}

// do sends a request past the proxy in front.
func (v *visit) do(r *http.Request) (*http.Response, error) {
	if v.basic != nil {
		password, _ := v.basic.Password()
		r.SetBasicAuth(v.basic.Username(), password)
	}
	return v.client.Do(r)
}

// safe tells whether secrets may be sent: they travel encrypted or not at all,
// except on this machine.
func (v *visit) safe() bool { return v.base.Scheme == "https" || loopback.IsHost(v.base.Hostname()) }

// reachable asks whether the broker serves, and compares the clocks.
func (v *visit) reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := v.get(ctx, "/readyz")
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		v.say(
			"tls",
			Failed,
			"Serve the whole chain of a certificate for this name, from an authority that clients trust.",
			"The certificate is not trusted: %v.",
			untrusted.Err,
		)
		return false
	}
	if err != nil {
		v.say(
			"reachable",
			Failed,
			"Check the address, that the broker runs, and firewalls and proxies in between.",
			"No answer from %s: %v.",
			v.base,
			cause(err),
		)
		return false
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16)) // a broken body is no JSON
	var ready struct {
		Status      any // "ready", or the status of a problem document
		Code, Title string
		Warnings    []struct{ Code, Detail string }
	}
	_ = json.Unmarshal(body, &ready) // what is no JSON is no broker's
	switch {
	case ready.Status == "ready":
		v.say("reachable", OK, "", "The broker is ready.")
	case ready.Code != "":
		v.say(
			"reachable",
			Failed,
			"See the broker's log.",
			"The broker is not ready: %s (%s).",
			ready.Title,
			ready.Code,
		)
	case answer.StatusCode >= 502 && answer.StatusCode <= 504:
		v.say(
			"reachable",
			Failed,
			"Start the broker, or mend the address that the proxy passes requests on to.",
			"A proxy answered with status %d: it does not reach the broker%s.",
			answer.StatusCode,
			servedBy(answer),
		)
		return false
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		v.say(
			"reachable",
			Failed,
			"If that is the broker, give that address. If it is a page to sign in at, let that proxy pass on /api/, "+
				"/embed/, /healthz and /readyz: programs cannot sign in there.",
			"It sends visitors on to %.100s.",
			answer.Header.Get("Location"),
		)
		return false
	case v.base.Path != "":
		v.say(
			"reachable",
			Failed,
			"Give the address without "+v.base.Path+": the whole of the broker is served from the root of a name.",
			"No broker answered below %s, but status %d%s.",
			v.base.Path,
			answer.StatusCode,
			servedBy(answer),
		)
		return false
	default:
		v.say(
			"reachable",
			Failed,
			"Point the proxy at the broker; the whole of it is served from the root of a name.",
			"Something else than a broker answered with status %d%s.",
			answer.StatusCode,
			servedBy(answer),
		)
		return false
	}
	for _, w := range ready.Warnings {
		v.say(w.Code, Warning, "See docs/operations.md, “Seen from outside”.", "%s", w.Detail)
	}
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		if skew := time.Since(at).Round(time.Second); skew.Abs() > maxSkew {
			v.say(
				"clock",
				Warning,
				"Set both clocks by NTP: tokens expire by them.",
				"The clocks differ by %v.",
				skew.Abs(),
			)
		} else {
			v.say("clock", OK, "", "The clocks agree.")
		}
	}
	return true
}

// maxSession is how much of an answer about a session is read, in bytes.
const maxSession = 64 << 10

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
		User *struct {
			ID    string
			Roles []string
		}
		SignIn string `json:"sign_in"`
	}
	if to := answer.Header.Get("Location"); to != "" && answer.StatusCode >= 300 && answer.StatusCode < 400 {
		v.say(
			"sign-in",
			Failed,
			"Let the proxy that people sign in at pass on /api/ and /embed/: programs cannot sign in there.",
			"Requests to /api/ are sent on to %.100s%s.",
			to,
			servedBy(answer),
		)
		return
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSession))
	if p := problemOf(answer, body); p != nil {
		v.refused("sign-in", "to say who the token is", answer, p)
		return
	}
	if err != nil || json.Unmarshal(body, &who) != nil || who.SignIn == "" {
		v.say(
			"sign-in",
			Failed,
			"Let the proxy pass /api/ on unchanged.",
			"The answer is not the broker's: status %d%s.",
			answer.StatusCode,
			servedBy(answer),
		)
		return
	}
	if who.User != nil {
		v.roles = who.User.Roles
	}
	how := map[string]string{"name": "by name alone (dev)", "password": "with a password",
		"provider": "with an identity provider"}[who.SignIn]
	switch {
	case who.SignIn == "name" && !loopback.IsHost(v.base.Hostname()):
		v.say("sign-in", Failed, "Start the broker with --auth users or --auth jwt.", "Anybody can sign in as anybody.")
	case v.Token != "" && v.basic == nil && who.User == nil:
		v.say(
			"sign-in",
			Failed,
			"Sign a new one: yardline token. If it is new, a proxy may drop the Authorization header.",
			"The broker does not know the token. People sign in %s.",
			how,
		)
	case who.User != nil:
		v.say("sign-in", OK, "", "The token is that of %s. People sign in %s.", who.User.ID, how)
	default:
		v.say("sign-in", OK, "", "People sign in %s.", how)
	}
}

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
