#!/usr/bin/env bash
# The Standard Webhooks library for JavaScript (npm standardwebhooks 1.1.1) rejects genuine deliveries that are not
# JSON.
#
# Standard Webhooks signs the bytes of a body of any kind. Webhook.verify checks the signature and then parses the
# body as JSON. For a form-encoded body with a correct signature it throws a SyntaxError, which is no
# WebhookVerificationError. The library for Go (v0.0.1) verifies the same delivery. But the library for Go looks
# headers up by their canonical names. It therefore finds no header in a map with lower-case names, which HTTP/2
# frameworks and functions have.
#
# Seen: SyntaxError in JavaScript, no error in Go; "missing required headers" in Go for lower-case names.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts standardwebhooks@1.1.1 >/dev/null 2>&1
cat > main.js <<'JS'
import { Webhook } from 'standardwebhooks'

const webhook = new Webhook('whsec_' + Buffer.from('a secret of twenty-four b').toString('base64'))
const body = 'order=17&status=paid'
const now = new Date()
const headers = {
  'webhook-id': 'msg_1',
  'webhook-timestamp': String(Math.floor(now / 1000)),
  'webhook-signature': webhook.sign('msg_1', now, body),
}
try {
  webhook.verify(body, headers)
  console.log('JavaScript: verified')
} catch (error) {
  console.log('JavaScript:', error.constructor.name)
}
JS
cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/standard-webhooks/standard-webhooks/libraries v0.0.1
MOD
cat > main.go <<'GO'
package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of twenty-four b"))
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	body, now := []byte("order=17&status=paid"), time.Now()
	signature, err := webhook.Sign("msg_1", now, body)
	if err != nil {
		panic(err)
	}
	canonical := http.Header{}
	canonical.Set("webhook-id", "msg_1")
	canonical.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
	canonical.Set("webhook-signature", signature)
	fmt.Println("Go:", webhook.Verify(body, canonical))
	fmt.Println("Go, lower case:", webhook.Verify(body, http.Header{"webhook-id": {"msg_1"},
		"webhook-timestamp": {fmt.Sprint(now.Unix())}, "webhook-signature": {signature}}))
}
GO
go mod tidy 2>/dev/null
seen=$(node main.js && go run .)
stated='JavaScript: SyntaxError
Go: <nil>
Go, lower case: unable to verify payload, err: missing required headers'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: a genuine form-encoded delivery is an error in JavaScript and none in Go"
