package httpapi

import (
	"net/http"
	"strings"
)

// setStreamHeaders sets the headers of a stream of events, which is compressed if gzip is
// true.
func (a *API) setStreamHeaders(h http.Header, gzip bool) {
	streamHeaders(h)
	if a.GzipStreams {
		h.Add("Vary", "Accept-Encoding")
	}
	if gzip {
		h.Set("Content-Encoding", "gzip")
	}
}

// acceptsGzip reports whether a client accepts a body in gzip (RFC 9110, section 12.5.3).
func acceptsGzip(h http.Header) bool {
	accepted := false
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, quality, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(part, " ", "")), ";")
		isRefused := strings.HasPrefix(quality, "q=") && strings.Trim(quality, "q=0.") == ""
		switch name {
		case "gzip", "x-gzip":
			return !isRefused
		case "*":
			accepted = !isRefused
		}
	}
	return accepted
}
