#!/usr/bin/env bash
# Two clients of Server-Sent Events on npm resume too early after a block that contains only an id.
#
# By the WHATWG's rules `id: 7` and a blank line fire no event, but set the last event id, which the next connection
# sends. Brokers use such blocks so that a quiet stream resumes at the present place. eventsource-client 1.2.0 and
# event-source-polyfill 1.0.31 keep the id of the last event that they handed out. The package eventsource 5.1.5 is
# correct.
#
# Seen: after a stream with the event 1 and then the id 7, the second request asks for the events after 1 (the
# polyfill in the query, as lastEventId). If the log no longer holds 1, such a client meets a gap that the others do
# not have.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts \
  eventsource@5.1.5 eventsource-client@1.2.0 event-source-polyfill@1.0.31 >/dev/null 2>&1
cat > main.js <<'JS'
import http from 'node:http'
import { EventSource } from 'eventsource'
import { createEventSource } from 'eventsource-client'
import polyfill from 'event-source-polyfill'

async function second(connect) {
  let requests = 0, close
  const server = http.createServer((request, response) => {
    if (++requests === 2) {
      const inQuery = new URL(request.url, 'http://localhost').searchParams.get('lastEventId')
      server.emit('second', request.headers['last-event-id'] ?? `${inQuery} in the query`)
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end('retry: 50\n\nid: 1\ndata: one\n\nid: 7\n\n')
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  const asked = new Promise(done => server.once('second', done))
  close = connect(`http://127.0.0.1:${server.address().port}/`)
  const id = await asked
  close()
  server.close()
  return id
}

console.log('eventsource', await second(url => {
  const source = new EventSource(url)
  return () => source.close()
}))
console.log('eventsource-client', await second(url => {
  const source = createEventSource({ url, onMessage() {} })
  return () => source.close()
}))
console.log('event-source-polyfill', await second(url => {
  const source = new polyfill.EventSourcePolyfill(url)
  source.onerror = () => {}
  return () => source.close()
}))
process.exit(0)
JS
seen=$(timeout 60 node main.js)
stated='eventsource 7
eventsource-client 1
event-source-polyfill 1 in the query'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated: eventsource resumes after 7, the two others after 1"
