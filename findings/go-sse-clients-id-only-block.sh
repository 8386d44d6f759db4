#!/usr/bin/env bash
# Four Go clients of Server-Sent Events hand out events that the stream does not contain.
#
# By the WHATWG's rules a block without a data line fires no event: it only sets the last event id or the reconnection
# time. Brokers use such blocks as heartbeats that keep a cursor fresh. github.com/r3labs/sse v2.10.0,
# github.com/tmaxmax/go-sse v0.12.0, github.com/launchdarkly/eventsource v1.11.0 and
# github.com/donovanhide/eventsource (2021-08-30) call the subscriber with an empty event for both kinds of block.
#
# Seen: three events for a stream that contains one. A subscriber must drop events without data itself.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require (
	github.com/donovanhide/eventsource v0.0.0-20210830082556-c59027999da0
	github.com/launchdarkly/eventsource v1.11.0
	github.com/r3labs/sse/v2 v2.10.0
	github.com/tmaxmax/go-sse v0.12.0
)
MOD
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	dh "github.com/donovanhide/eventsource"
	ld "github.com/launchdarkly/eventsource"
	r3 "github.com/r3labs/sse/v2"
	"github.com/tmaxmax/go-sse"
)

const stream = "retry: 100\n\n" + "id: 1\nevent: rental\ndata: one\n\n" + "id: 2\n\n"

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, stream)
		w.(http.Flusher).Flush()
		<-r.Context().Done() // the stream stays open
	}))
	show := func(name string, subscribe func(context.Context, chan string)) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		events := make(chan string, 10)
		subscribe(ctx, events)
		for range 3 {
			select {
			case e := <-events:
				fmt.Println(name, e)
			case <-ctx.Done():
				fmt.Println(name, "nothing more")
				return
			}
		}
	}
	show("r3labs", func(ctx context.Context, out chan string) {
		go r3.NewClient(server.URL).SubscribeRawWithContext(ctx, func(e *r3.Event) {
			out <- fmt.Sprintf("id=%q type=%q data=%q", e.ID, e.Event, e.Data)
		})
	})
	show("go-sse", func(ctx context.Context, out chan string) {
		request, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
		connection := sse.DefaultClient.NewConnection(request)
		connection.SubscribeToAll(func(e sse.Event) {
			out <- fmt.Sprintf("id=%q type=%q data=%q", e.LastEventID, e.Type, e.Data)
		})
		go connection.Connect()
	})
	show("launchdarkly", func(ctx context.Context, out chan string) {
		s, err := ld.Subscribe(server.URL, "")
		if err != nil {
			panic(err)
		}
		go func() {
			for e := range s.Events {
				out <- fmt.Sprintf("id=%q type=%q data=%q", e.Id(), e.Event(), e.Data())
			}
		}()
	})
	show("donovanhide", func(ctx context.Context, out chan string) {
		s, err := dh.Subscribe(server.URL, "")
		if err != nil {
			panic(err)
		}
		go func() {
			for e := range s.Events {
				out <- fmt.Sprintf("id=%q type=%q data=%q", e.Id(), e.Event(), e.Data())
			}
		}()
	})
}
GO
go mod tidy 2>/dev/null
seen=$(go run .)
stated=$(for name in r3labs go-sse launchdarkly donovanhide; do
  printf '%s id="" type="" data=""\n%s id="1" type="rental" data="one"\n%s id="2" type="" data=""\n' $name $name $name
done)
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: each client hands out an empty event for the retry block and for the id block"
