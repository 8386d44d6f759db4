#!/usr/bin/env bash
# nats-server before 2.10 drops metadata that nats.go v1.55.0 asks a stream to keep, and reports success.
#
# Metadata of streams came with nats-server 2.10. Version 2.9.25 creates a stream with metadata and reports success,
# but the stream has none. A program that keeps an identity there does not find it later. Debian 12 packages 2.9.10. A
# client must compare the stream that it got with its request, or ask for the server's version first.
#
# Seen: both versions create the stream without an error; the metadata are there on 2.10.29 and absent on 2.9.25.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
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

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: os.Args[1], NoLog: true, NoSigs: true})
	if err != nil {
		panic(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		panic("not ready")
	}
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		panic(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		panic(err)
	}
	config := jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"ev.>"}, Metadata: map[string]string{"epoch": "k3x9abcd"}}
	stream, err := js.CreateStream(ctx, config)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: epoch %q\n", conn.ConnectedServerVersion(), stream.CachedInfo().Config.Metadata["epoch"])
	conn.Close()
	s.Shutdown()
}
GO
seen=$(for version in v2.9.25 v2.10.29; do
  printf 'module finding\n\ngo 1.26\n\nrequire (\n\tgithub.com/nats-io/nats-server/v2 %s\n\tgithub.com/nats-io/nats.go v1.55.0\n)\n' $version > go.mod
  rm -f go.sum
  go mod tidy >/dev/null 2>&1
  grep -q "nats-server/v2 $version" go.mod
  go run . "$dir/store-$version"
done)
stated='2.9.25: epoch ""
2.10.29: epoch "k3x9abcd"'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: the older server drops the metadata without an error"
