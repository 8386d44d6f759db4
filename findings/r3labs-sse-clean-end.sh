#!/usr/bin/env bash
# github.com/r3labs/sse v2.10.0 takes a stream that ends properly for the end of all, and does not come back.
#
# A server that restarts ends its streams properly (by the last chunk, or by the end of a connection that is not
# chunked). By the WHATWG's rules a client reconnects after any end but a 204. This client reconnects only after an
# error of the read: Subscribe returns nil after a proper end, with no event and no error.
#
# Seen: one request, and nil. After a cut inside of a chunked body (no last chunk) the same client reconnects.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/r3labs/sse/v2 v2.10.0
MOD
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/r3labs/sse/v2"
)

func main() {
	for _, cut := range []bool{false, true} {
		var requests atomic.Int32
		again := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == 2 {
				close(again)
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 1\ndata: one\n\n")
			w.(http.Flusher).Flush()
			if cut {
				panic(http.ErrAbortHandler) // closes the connection without the last chunk
			}
		}))
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		returned := make(chan error, 1)
		go func() { returned <- sse.NewClient(server.URL).SubscribeRawWithContext(ctx, func(*sse.Event) {}) }()
		select {
		case err := <-returned:
			fmt.Printf("cut=%v: returned %v after %d request\n", cut, err, requests.Load())
		case <-again:
			fmt.Printf("cut=%v: connected again\n", cut)
		}
		cancel()
	}
}
GO
go mod tidy 2>/dev/null
seen=$(go run .)
stated='cut=false: returned <nil> after 1 request
cut=true: connected again'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: a proper end is final for this client, a cut is not"
