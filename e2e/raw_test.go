package e2e

import (
	"fmt"
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
)

// deaf opens a stream of everything and never reads it.
func deaf(t *testing.T, s *stack.Stack) net.Conn {
	t.Helper()
	return getRaw(t, s, "/api/sse?after=oldest")
}

// getRaw sends a request over a connection of its own, and reads no answer.
func getRaw(t *testing.T, s *stack.Stack, path string) net.Conn {
	t.Helper()
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	c, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, u.Host, s.Token)
	require.NoError(t, err)
	return c
}
