#!/usr/bin/env bash
# The CloudEvents SDK for JavaScript (npm cloudevents 10.0.0) changes the time of an event that it only passes on.
#
# CloudEvents 1.0 has `time` as an optional timestamp of RFC 3339. A relay calls HTTP.toEvent and then
# HTTP.structured. These cut the fraction to milliseconds and drop the offset. They give an event without a time the
# present time, which differs at each reading. A broker that recognises a repeated delivery by its content therefore
# sees two different events.
#
# Seen: .123456+02:00 becomes .123Z, and two readings of one event without a time, 20 ms apart, differ.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts cloudevents@10.0.0 >/dev/null 2>&1
cat > main.js <<'JS'
import { HTTP } from 'cloudevents'

const relay = event => {
  const headers = { 'content-type': 'application/cloudevents+json' }
  return JSON.parse(HTTP.structured(HTTP.toEvent({ headers, body: JSON.stringify(event) })).body)
}
const event = { specversion: '1.0', id: '1', source: '/erp', type: 'payment_received', data: { amount: 5 } }

console.log(relay({ ...event, time: '2026-12-01T08:00:00.123456+02:00' }).time)
const first = relay(event).time
await new Promise(done => setTimeout(done, 20))
console.log(typeof first, relay(event).time === first)
JS
seen=$(node main.js)
stated='2026-12-01T06:00:00.123Z
string false'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: the time is cut to milliseconds, and made up where there is none"
