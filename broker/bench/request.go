package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// requestHead returns the head of a request without the blank line at its end.
func requestHead(method, address, token string, headers ...string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, &ConfigError{err.Error()}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, u.RequestURI(), u.Host)
	if token != "" {
		headers = append(headers, "Authorization: Bearer "+token)
	}
	for _, h := range headers {
		if !strings.Contains(h, ":") || strings.ContainsAny(h, "\r\n") {
			return nil, &ConfigError{fmt.Sprintf("%q is not a header such as \"Name: value\"", h)}
		}
		b.WriteString(h + "\r\n")
	}
	return b.Bytes(), nil
}

// streamRequests returns the requests that open streams, one for each token.
func streamRequests(c Config) (requests [][]byte, err error) {
	headers := append([]string{"Accept: text/event-stream"}, c.Headers...)
	if c.Gzip {
		headers = append(headers, "Accept-Encoding: gzip")
	}
	tokens := c.Tokens
	if len(tokens) == 0 {
		tokens = []string{""}
	}
	for _, token := range tokens {
		head, err := requestHead(http.MethodGet, c.Subscribe, token, headers...)
		if err != nil {
			return nil, err
		}
		requests = append(requests, append(head, "\r\n"...))
	}
	return requests, nil
}

// streamHead is what the head of an answer says about the stream behind it.
type streamHead struct{ isChunked, isGzip bool }

// parseStreamHead reads the head of an answer and the begin of its body. It returns a
// RefusedError if the answer is not a stream.
func parseStreamHead(answer []byte) (h streamHead, err error) {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		return h, err
	}
	defer r.Body.Close()
	if err := checkStreamHead(r); err != nil {
		return h, err
	}
	return streamHead{isChunked: len(r.TransferEncoding) > 0, isGzip: isGzip(r)}, nil
}

// checkStreamHead returns a RefusedError if an answer is not a stream.
func checkStreamHead(r *http.Response) error {
	if r.StatusCode == http.StatusOK {
		return nil
	}
	return &RefusedError{Request: "a stream", Status: r.StatusCode, Body: readStart(r.Body)}
}

// isGzip tells whether the body of an answer is compressed.
func isGzip(r *http.Response) bool { return r.Header.Get("Content-Encoding") == "gzip" }

// readStart returns the begin of a body for an error message, in one line.
func readStart(body io.Reader) string {
	b, _ := io.ReadAll(io.LimitReader(body, 300)) // what has arrived is all there is to say
	return strings.Join(strings.Fields(string(b)), " ")
}
