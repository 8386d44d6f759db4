#!/usr/bin/env bash
# github.com/SherClockHolmes/webpush-go v1.4.0 signs other VAPID claims than its options say.
#
# By RFC 8292 `sub` is a mailto: or https: URI, and `exp` is within 24 hours. The library puts a second "mailto:"
# before a mailto: URI in the option Subscriber. The option VapidExpiration has no effect: the token always lives for
# 12 hours. A push service that checks `sub` refuses mailto:mailto:…, and a shorter life is impossible.
#
# Seen: sub mailto:mailto:ops@company.example, and exp 12 h ahead although 10 minutes were asked for.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/SherClockHolmes/webpush-go v1.4.0
MOD
cat > main.go <<'GO'
package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	webpush "github.com/SherClockHolmes/webpush-go"
)

func main() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), "t=")
		token, _, _ = strings.Cut(token, ",")
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			panic(err)
		}
		var claims struct {
			Exp int64
			Sub string
		}
		if err := json.Unmarshal(raw, &claims); err != nil {
			panic(err)
		}
		fmt.Println(claims.Sub, time.Until(time.Unix(claims.Exp, 0)).Round(time.Hour))
		w.WriteHeader(http.StatusCreated)
	}))
	private, public, err := webpush.GenerateVAPIDKeys()
	if err != nil {
		panic(err)
	}
	browser, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	device := &webpush.Subscription{Endpoint: service.URL, Keys: webpush.Keys{
		P256dh: encode(browser.PublicKey().Bytes()), Auth: encode([]byte("sixteen-bytes-ok"))}}
	_, err = webpush.SendNotification([]byte("hello"), device, &webpush.Options{
		Subscriber: "mailto:ops@company.example", VapidExpiration: time.Now().Add(10 * time.Minute),
		VAPIDPrivateKey: private, VAPIDPublicKey: public, TTL: 30})
	if err != nil {
		panic(err)
	}
}
GO
go mod tidy 2>/dev/null
seen=$(go run .)
stated='mailto:mailto:ops@company.example 12h0m0s'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: a doubled mailto:, and 12 hours instead of 10 minutes"
