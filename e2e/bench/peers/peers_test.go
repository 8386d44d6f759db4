package main

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachPeerStreamsWhatIsPosted(t *testing.T) {
	for name, newPeer := range peers {
		t.Run(name, func(t *testing.T) {
			handler, err := newPeer()
			require.NoError(t, err)
			server := httptest.NewServer(handler)
			defer server.Close()
			defer server.CloseClientConnections()
			stream, err := http.Get(server.URL + "/sse")
			require.NoError(t, err)
			defer stream.Body.Close()
			require.Equal(t, http.StatusOK, stream.StatusCode)
			answer, err := http.Post(server.URL+"/pub", "text/plain", strings.NewReader("bench-1:2:3:text"))
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusNoContent, answer.StatusCode)
			lines := bufio.NewScanner(stream.Body)
			for lines.Scan() && !strings.Contains(lines.Text(), "bench-1:2:3:text") {
			}
			require.Contains(t, lines.Text(), "bench-1:2:3:text")
		})
	}
}

func TestUnknownPeersAreRefused(t *testing.T) {
	for _, args := range [][]string{nil, {"go-sse"}, {"other", "127.0.0.1:0"}} {
		require.Error(t, serve(args))
	}
}
