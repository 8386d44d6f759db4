#!/usr/bin/env bash
# github.com/MicahParks/keyfunc v3.9.2 takes an answer without keys for a new key set, and forgets the good keys.
#
# A refresh that fails by its status or returns HTML keeps the old keys and calls RefreshErrorHandlerFunc. But an
# answer of 200 with `{"keys":[]}` or `{}`, which a provider may give while it restarts, replaces all keys by none.
# The package then calls no error handler, and refuses every token until the next good refresh.
#
# Seen: one key and one report of an error after a 500; no key, and no further report, after {"keys":[]} and {}.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/MicahParks/keyfunc/v3 v3.9.2
MOD
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
)

const good = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// provider answers with a status and a body, and counts its answers.
type provider struct {
	mu      sync.Mutex
	status  int
	body    string
	answers int
}

func (p *provider) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers++
	w.WriteHeader(p.status)
	fmt.Fprint(w, p.body)
}

// become changes the answer and waits until it was fetched and taken in.
func (p *provider) become(status int, body string) {
	p.mu.Lock()
	p.status, p.body, p.answers = status, body, 0
	p.mu.Unlock()
	for answers := 0; answers < 3; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		answers = p.answers
		p.mu.Unlock()
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := &provider{status: 200, body: good}
	server := httptest.NewServer(p)
	var reports atomic.Int32
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{server.URL}, keyfunc.Override{
		RefreshInterval: 100 * time.Millisecond,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(context.Context, error) { reports.Add(1) }
		},
	})
	if err != nil {
		panic(err)
	}
	for _, answer := range []struct {
		status int
		body   string
	}{{500, ""}, {200, `{"keys":[]}`}, {200, good}, {200, `{}`}} {
		reports.Store(0)
		p.become(answer.status, answer.body)
		all, err := keys.Storage().KeyReadAll(ctx)
		name := answer.body
		if name == good {
			name = "the good set"
		}
		fmt.Printf("%d %s: %d keys, reported %v, %v\n", answer.status, name, len(all), reports.Load() > 0, err)
	}
}
GO
go mod tidy 2>/dev/null
seen=$(go run .)
stated='500 : 1 keys, reported true, <nil>
200 {"keys":[]}: 0 keys, reported false, <nil>
200 the good set: 1 keys, reported false, <nil>
200 {}: 0 keys, reported false, <nil>'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: an answer without keys takes the good ones away without a report"
