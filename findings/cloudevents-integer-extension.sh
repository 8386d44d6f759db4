#!/usr/bin/env bash
# Two CloudEvents SDKs disagree on integers: the SDK for Go does not read an event that the SDK for JavaScript writes.
#
# CloudEvents 1.0 limits its type Integer to 32 bits, and an extension attribute has that type if JSON has a number.
# npm cloudevents 10.0.0 (strict, the default) writes an extension of 2147483648, such as a serial number.
# github.com/cloudevents/sdk-go/v2 v2.16.2 refuses the whole event. Both handle 2147483647 correctly.
#
# Seen: JavaScript writes the event; Go says "cannot convert 2.147483648e+09 to int32: out of range".
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts cloudevents@10.0.0 >/dev/null 2>&1
cat > main.js <<'JS'
import { CloudEvent, HTTP } from 'cloudevents'

for (const serial of [2147483647, 2147483648]) {
  console.log(HTTP.structured(new CloudEvent({ id: '1', source: '/fleet', type: 'seen', serial })).body)
}
JS
cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/cloudevents/sdk-go/v2 v2.16.2
MOD
cat > main.go <<'GO'
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var e cloudevents.Event
		err := json.Unmarshal(lines.Bytes(), &e)
		fmt.Println(e.Extensions()["serial"], err)
	}
}
GO
go mod tidy 2>/dev/null
seen=$(node main.js | go run .)
stated='2147483647 <nil>
<nil> cannot convert 2.147483648e+09 to int32: out of range'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: JavaScript writes the number, Go refuses the event"
