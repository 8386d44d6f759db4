#!/usr/bin/env bash
# github.com/MicahParks/jwkset v0.11.4 reads the same key set in two different ways.
#
# By RFC 7517 (5) a reader of a JWK Set ignores keys of a type that it does not know. The HTTP storage of jwkset does
# so. JWKSMarshal.JWKSlice, which reads a set that was fetched by other means, fails as a whole at the first such key.
# If a provider adds one key of a new algorithm beside the old ones, nobody can sign in any more.
#
# Seen: the storage has one key; JWKSlice has no key and returns "unsupported key".
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/MicahParks/jwkset v0.11.4
MOD
cat > main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/MicahParks/jwkset"
)

// set holds an Ed25519 key and one of the kind that ML-DSA keys have.
const set = `{"keys":[
  {"kty":"OKP","crv":"Ed25519","kid":"old","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
  {"kty":"AKP","alg":"ML-DSA-44","kid":"new","pub":"AAAA"}]}`

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, set) }))
	address, _ := url.Parse(server.URL)
	storage, err := jwkset.NewStorageFromHTTP(address.String(), jwkset.HTTPClientStorageOptions{Ctx: context.Background()})
	if err != nil {
		panic(err)
	}
	keys, err := storage.KeyReadAll(context.Background())
	fmt.Println("storage:", len(keys), err)

	var marshalled jwkset.JWKSMarshal
	if err := json.Unmarshal([]byte(set), &marshalled); err != nil {
		panic(err)
	}
	keys, err = marshalled.JWKSlice()
	fmt.Println("JWKSlice:", len(keys), err)
}
GO
go mod tidy 2>/dev/null
seen=$(go run .)
stated='storage: 1 <nil>
JWKSlice: 0 failed to unmarshal JWK: unsupported key: AKP (kty)'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: the storage keeps the known key, JWKSlice refuses the set"
