package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/loopback"
)

// passAuthentication reports HTTP authentication in front of the broker, which answers before
// the broker does. With credentials it tries to pass HTTP Basic authentication. It returns
// false when no request passes.
func (x *examination) passAuthentication(ctx context.Context, credentials *url.Userinfo) bool {
	for _, path := range []string{"/readyz", "/api/session"} {
		challenge, proxy := x.challenge(ctx, path)
		if challenge == "" {
			continue
		}
		scheme, _, _ := strings.Cut(challenge, " ")
		if strings.EqualFold(scheme, "Basic") && credentials != nil {
			return x.passBasic(ctx, path, challenge, proxy, credentials)
		}
		x.report(
			"basic",
			Failed,
			"Take it off /api/, /embed/, /healthz and /readyz: Yardline signs people in by itself, and a program's "+
				"token travels in the same header. To look past Basic authentication, give its user and password in "+
				"the address: https://user:password@…",
			"A proxy in front of the broker asks for HTTP %s authentication (%.80s) of %s%s: no program gets past it.",
			scheme,
			challenge,
			path,
			proxy,
		)
		return false
	}
	return true
}

// passBasic reports a proxy that asks for HTTP Basic authentication, and tries to pass it
// with credentials. challenge and proxy are the results of x.challenge for path. It returns
// false when the credentials cannot be used.
func (x *examination) passBasic(
	ctx context.Context, path, challenge, proxy string, credentials *url.Userinfo,
) bool {
	if !x.maySendSecrets() {
		x.report(
			"basic",
			Failed,
			"Serve it over HTTPS first.",
			"A proxy asks for HTTP Basic authentication%s, and a password does not travel in plain text from here.",
			proxy,
		)
		return false
	}
	x.basic = credentials
	if challenge, _ := x.challenge(ctx, path); challenge != "" {
		x.report(
			"basic",
			Failed,
			"Give the user and the password of the proxy, not those of Yardline.",
			"A proxy in front of the broker asks for HTTP Basic authentication%s, and refuses the user and "+
				"password of the address.",
			proxy,
		)
		return false
	}
	x.report(
		"basic",
		Warning,
		"Take it off /api/, /embed/, /healthz and /readyz: Yardline signs people in by itself, and a "+
			"program's token travels in the same header as the proxy's password.",
		"A proxy in front of the broker asks for HTTP Basic authentication (%.80s)%s. Browsers get past it; "+
			"programs with a token do not, and without one a part of the checks is left out.",
		challenge,
		proxy,
	)
	return true
}

// challenge returns the WWW-Authenticate header of a proxy in front of the broker, or "" if
// no proxy asks for authentication. proxy names the proxy, see servedBy.
func (x *examination) challenge(ctx context.Context, path string) (challenge, proxy string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// The request has no token, so that the broker itself answers with a problem document.
	r, err := http.NewRequestWithContext(ctx, "GET", x.base.String()+path, nil)
	if err != nil {
		return "", ""
	}
	answer, err := x.do(r)
	if err != nil {
		return "", "" // checkReachable reports the error
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<12)) // a part of it is enough
	if answer.StatusCode != http.StatusUnauthorized || problemOf(answer, body) != nil {
		return "", ""
	}
	return answer.Header.Get("WWW-Authenticate"), servedBy(answer)
}

// checkTLS reports on the certificate, HTTP/2 and HSTS, or that there is no TLS.
func (x *examination) checkTLS(ctx context.Context) {
	if x.base.Scheme == "http" {
		if loopback.IsHost(x.base.Hostname()) {
			x.report("tls", OK, "", "Plain HTTP, on this machine alone.")
			return
		}
		x.report(
			"tls",
			Failed,
			"Serve it over HTTPS: --tls-cert and --tls-key, or a proxy. Sessions need it.",
			"Tokens and events travel in plain text.",
		)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := x.get(ctx, "/healthz")
	if err != nil {
		x.report("tls", Failed, "See the broker's log.", "No answer: %v.", cause(err))
		return
	}
	defer answer.Body.Close()
	left := time.Until(answer.TLS.PeerCertificates[0].NotAfter)
	days := int(left.Hours() / 24)
	switch {
	case left < minCertificateLeft:
		x.report(
			"tls",
			Warning,
			"Renew the certificate. The broker reads it again by itself.",
			"The certificate ends in %d days.",
			days,
		)
	case answer.ProtoMajor < 2:
		x.report(
			"tls",
			Warning,
			"Switch on HTTP/2 in the proxy: over HTTP/1.1 a browser opens six connections to a name, and each stream "+
				"takes one.",
			"The certificate is good for %d days, but there is no HTTP/2.",
			days,
		)
	default:
		x.report(
			"tls",
			OK,
			"",
			"%s, HTTP/2, the certificate is good for %d days.",
			tls.VersionName(answer.TLS.Version),
			days,
		)
	}
	x.checkHSTS(answer)
}

// checkHSTS reports to which names and ports HTTP Strict Transport Security (RFC 6797)
// applies. A browser applies it to all ports of a name, so it can make other services there
// unreachable.
func (x *examination) checkHSTS(answer *http.Response) {
	values := answer.Header.Values("Strict-Transport-Security")
	if len(values) == 0 {
		return
	}
	age, subdomains := time.Duration(0), ""
	for directive := range strings.SplitSeq(values[0], ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch {
		case strings.EqualFold(name, "max-age"):
			seconds, _ := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			age = time.Duration(seconds) * time.Second
		case strings.EqualFold(name, "includeSubDomains"):
			subdomains = " and of every name below it"
		}
	}
	name := x.base.Hostname()
	scope := fmt.Sprintf(
		"A browser that was here takes HTTPS alone for every port of %s%s, for %d days (HSTS)",
		name,
		subdomains,
		int(age.Hours()/24),
	)
	switch {
	case len(values) > 1:
		x.report(
			"hsts",
			Warning,
			"Let either the broker or the proxy send it.",
			"Strict-Transport-Security comes %d times, and browsers take the first: %s.",
			len(values),
			values[0],
		)
	case age == 0:
		x.report("hsts", OK, "", "Browsers forget HSTS for %s.", name)
	case loopback.IsHost(name) || x.base.Port() != "" && x.base.Port() != "443":
		x.report(
			"hsts",
			Warning,
			"Take the header Strict-Transport-Security off, in the proxy or by --hsts 0, where anything else on this "+
				"name is served over plain HTTP. max-age=0 makes browsers forget it.",
			"%s: a service over plain HTTP on another port does not open there.",
			scope,
		)
	case subdomains != "":
		x.report("hsts", Warning, "Take includeSubDomains off unless every name below serves HTTPS.", "%s.", scope)
	default:
		x.report("hsts", OK, "", "%s.", scope)
	}
}
