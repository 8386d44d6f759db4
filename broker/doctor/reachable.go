package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// readiness is an answer of GET /readyz.
type readiness struct {
	Status      any // "ready", or the status of a problem document
	Code, Title string
	Warnings    []struct{ Code, Detail string }
}

// checkReachable reports whether the broker is ready, its warnings, and whether the clocks
// agree. It returns false when the broker cannot be reached.
func (x *examination) checkReachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := x.get(ctx, "/readyz")
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		x.report(
			"tls",
			Failed,
			"Serve the whole chain of a certificate for this name, from an authority that clients trust.",
			"The certificate is not trusted: %v.",
			untrusted.Err,
		)
		return false
	}
	if err != nil {
		x.report(
			"reachable",
			Failed,
			"Check the address, that the broker runs, and firewalls and proxies in between.",
			"No answer from %s: %v.",
			x.base,
			cause(err),
		)
		return false
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16)) // an incomplete body is not valid JSON
	var ready readiness
	_ = json.Unmarshal(body, &ready) // an answer that is not JSON is not the broker's
	if !x.reportReadiness(answer, ready) {
		return false
	}
	for _, w := range ready.Warnings {
		x.report(w.Code, Warning, "See docs/operations.md, “Seen from outside”.", "%s", w.Detail)
	}
	x.checkClock(answer)
	return true
}

// reportReadiness reports whether the broker has answered GET /readyz, and whether it is
// ready. It returns false when another program has answered.
func (x *examination) reportReadiness(answer *http.Response, ready readiness) bool {
	switch {
	case ready.Status == "ready":
		x.report("reachable", OK, "", "The broker is ready.")
	case ready.Code != "":
		x.report(
			"reachable",
			Failed,
			"See the broker's log.",
			"The broker is not ready: %s (%s).",
			ready.Title,
			ready.Code,
		)
	case answer.StatusCode >= 502 && answer.StatusCode <= 504:
		x.report(
			"reachable",
			Failed,
			"Start the broker, or mend the address that the proxy passes requests on to.",
			"A proxy answered with status %d: it does not reach the broker%s.",
			answer.StatusCode,
			servedBy(answer),
		)
		return false
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		x.report(
			"reachable",
			Failed,
			"If that is the broker, give that address. If it is a page to sign in at, let that proxy pass on /api/, "+
				"/embed/, /healthz and /readyz: programs cannot sign in there.",
			"It sends visitors on to %.100s.",
			answer.Header.Get("Location"),
		)
		return false
	case x.base.Path != "":
		x.report(
			"reachable",
			Failed,
			"Give the address without "+x.base.Path+": the whole of the broker is served from the root of a name.",
			"No broker answered below %s, but status %d%s.",
			x.base.Path,
			answer.StatusCode,
			servedBy(answer),
		)
		return false
	default:
		x.report(
			"reachable",
			Failed,
			"Point the proxy at the broker; the whole of it is served from the root of a name.",
			"Something else than a broker answered with status %d%s.",
			answer.StatusCode,
			servedBy(answer),
		)
		return false
	}
	return true
}

// checkClock compares the clock of this machine with that of the answer.
func (x *examination) checkClock(answer *http.Response) {
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		if skew := time.Since(at).Round(time.Second); skew.Abs() > maxClockSkew {
			x.report(
				"clock",
				Warning,
				"Set both clocks by NTP: tokens expire by them.",
				"The clocks differ by %v.",
				skew.Abs(),
			)
		} else {
			x.report("clock", OK, "", "The clocks agree.")
		}
	}
}
