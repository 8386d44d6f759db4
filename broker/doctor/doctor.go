package doctor

import (
	"context"
	"crypto/tls"
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

// Result is the result of a check.
type Result string

// Results of a check.
const (
	OK      Result = "ok"
	Warning Result = "warning" // clients are served, but worse than they could be
	Failed  Result = "failed"  // some clients or users are not served, or not safely
	Skipped Result = "skipped" // the check lacks something, such as a token
)

// Finding is the result of one check.
type Finding struct {
	// Check is the name of the check. For a warning of the broker it is the warning's code.
	Check string `json:"check"`
	// Result is the result of the check.
	Result Result `json:"result"`
	// Found is a sentence about the state that the check has found.
	Found string `json:"found"`
	// Change is the advice for the operator. It is empty when Result is OK.
	Change string `json:"change,omitempty"`
}

// Config configures [Check].
type Config struct {
	// URL is the address of the broker, as clients use it. The doctor sends a user and
	// password in it to a proxy in front, by HTTP Basic authentication. It is required.
	URL string
	// Token is a bearer token that may read. "" skips the checks that need one.
	Token string
	// ReadOnly keeps the doctor from publishing an event to measure its delay.
	ReadOnly bool
	// TLS is the configuration of the client. nil uses that of the system. Check may change it,
	// so two calls at the same time must not share it.
	TLS *tls.Config
}

// Bounds of the checks.
const (
	callTimeout        = 10 * time.Second    // for a request with a short answer
	maxHelloTime       = time.Second         // a later hello is a warning
	helloTimeout       = 5 * time.Second     // clients close a stream without a hello after this time
	maxClockSkew       = 30 * time.Second    // more is a warning, because tokens expire by the clock
	minCertificateLeft = 14 * 24 * time.Hour // less is a warning
)

// examination is one run of the checks. Only one goroutine uses it.
type examination struct {
	Config
	base   *url.URL      // of the broker, without a user and password
	basic  *url.Userinfo // for the proxy in front; nil if the proxy asks for no password
	client *http.Client
	found  func(Finding) // called for each finding
	roles  []string      // of the token
}

// Check runs all checks, and calls found for each finding as it comes. It returns an error
// only if c.URL is not the address of a broker.
func Check(ctx context.Context, c Config, found func(Finding)) error {
	base, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		// The error does not have c.URL, because that may have a password.
		return errors.New("that is not the address of a broker, such as https://yard.example")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	defer transport.CloseIdleConnections()
	// The client follows no redirect, because it would send the token along.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	x := &examination{Config: c, client: &http.Client{Transport: transport, CheckRedirect: stay}, found: found}
	credentials := base.User
	base.User = nil
	x.base = base
	if !x.passAuthentication(ctx, credentials) || !x.checkReachable(ctx) {
		return nil // no other check would say more
	}
	x.checkTLS(ctx)
	x.checkSignIn(ctx)
	x.checkStream(ctx)
	x.checkWebSocket(ctx)
	return nil
}

// report calls found with a finding. format and args make its sentence; change is empty if r
// is OK.
func (x *examination) report(check string, r Result, change, format string, args ...any) {
	x.found(Finding{check, r, fmt.Sprintf(format, args...), change})
}

// get sends a GET request with the token, if the token may be sent. headers has names and
// values in turn.
func (x *examination) get(ctx context.Context, path string, headers ...string) (*http.Response, error) {
	return x.send(ctx, "GET", path, nil, headers...)
}

// send is like get, for any method and body.
func (x *examination) send(
	ctx context.Context,
	method, path string,
	body io.Reader,
	headers ...string,
) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, x.base.String()+path, body)
	if err != nil {
		return nil, err
	}
	if x.basic == nil && x.maySendSecrets() && x.Token != "" && strings.HasPrefix(path, "/api/") {
		r.Header.Set("Authorization", "Bearer "+x.Token)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	return x.do(r)
}

// do sends a request, with the password for the proxy in front if that asks for one.
func (x *examination) do(r *http.Request) (*http.Response, error) {
	if x.basic != nil {
		password, _ := x.basic.Password()
		r.SetBasicAuth(x.basic.Username(), password)
	}
	return x.client.Do(r)
}

// maySendSecrets tells whether tokens and passwords may be sent: the connection is encrypted
// or stays on this machine.
func (x *examination) maySendSecrets() bool {
	return x.base.Scheme == "https" || loopback.IsHost(x.base.Hostname())
}

// servedBy returns the name that a proxy or server gives itself in an answer, in parentheses,
// or "" if there is none.
func servedBy(answer *http.Response) string {
	for _, header := range []string{"Via", "Server"} {
		if name := answer.Header.Get(header); name != "" {
			return fmt.Sprintf(" (through %.60s)", name)
		}
	}
	return ""
}

// cause returns the part of an error of net/http that has no URL, which would repeat the
// address.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
