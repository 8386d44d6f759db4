#!/usr/bin/env bash
# Two CloudEvents SDKs disagree on integers: what the one for JavaScript sends, the one for Go does not read.
#
# CloudEvents 1.0 limits its Integer type to 32 bits, and an extension attribute has that type where JSON has a number.
# npm cloudevents 10.0.0 (strict, the default) writes an extension of 2147483648, a serial number for instance.
# github.com/cloudevents/sdk-go/v2 v2.16.2 refuses the whole event. Both do as they should with 2147483647.
#
# Seen: written by JavaScript; "cannot convert 2.147483648e+09 to int32: out of range" in Go.
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
