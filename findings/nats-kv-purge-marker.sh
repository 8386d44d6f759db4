#!/usr/bin/env bash
# A purge of a key of a NATS key-value bucket leaves a marker for good, although the bucket limits how long markers
# live.
#
# This is nats-server v2.15.2 with nats.go v1.55.0. LimitMarkerTTL of a bucket is documented as the life of the
# markers that limits leave behind. A marker that Purge writes has no TTL and stays; with the option PurgeTTL it goes.
# A store that creates and purges keys all day (sessions, devices) grows by one message for each key.
#
# Seen, with a limit of one second: after more than three seconds the marker of Purge is there, and that of PurgeTTL
# is gone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require (
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
)
MOD
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: os.Args[1], NoLog: true, NoSigs: true})
	check(err)
	s.Start()
	conn, err := nats.Connect("", nats.InProcessServer(s))
	check(err)
	js, err := jetstream.New(conn)
	check(err)
	bucket, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "sessions", LimitMarkerTTL: time.Second})
	check(err)
	stream, err := js.Stream(ctx, "KV_sessions")
	check(err)
	left := func() uint64 {
		info, err := stream.Info(ctx)
		check(err)
		return info.State.Msgs
	}
	_, err = bucket.Put(ctx, "with-ttl", []byte("1"))
	check(err)
	check(bucket.Purge(ctx, "with-ttl", jetstream.PurgeTTL(time.Second)))
	for left() > 0 { // bounded by ctx
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Println("PurgeTTL: no message left")
	_, err = bucket.Put(ctx, "plain", []byte("1"))
	check(err)
	check(bucket.Purge(ctx, "plain"))
	time.Sleep(3 * time.Second)
	fmt.Println("Purge:", left(), "message left")
	conn.Close()
	s.Shutdown()
}
GO
go mod tidy 2>/dev/null
seen=$(go run . "$dir/store")
stated='PurgeTTL: no message left
Purge: 1 message left'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: the limit of the bucket does not end what Purge leaves"
