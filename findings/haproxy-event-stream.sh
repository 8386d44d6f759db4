#!/usr/bin/env bash
# HAProxy 2.6.12 (Debian 12) delays each event of a chunked event stream by a fifth of a second, and its compression
# holds each event back until the next one.
#
# 1. With default options every event that is a chunk of its own arrives some 200 ms late, because HAProxy waits for
#    more bytes. `option http-no-delay` prevents that.
# 2. With `compression algo gzip` an event is complete at the client only when the next one is sent, with or without
#    http-no-delay. `Cache-Control: no-transform` on the answer keeps HAProxy from compressing it.
#
# Seen: over 150 ms by default; under 50 ms with the option; under compression no part of the event within 2 s, until
# the next event is sent; under 50 ms again with no-transform.
set -euo pipefail
dir=$(mktemp -d)
proxy=
trap '[ -z "$proxy" ] || kill "$proxy"; rm -rf "$dir"' EXIT
cd "$dir"
command -v haproxy >/dev/null || apt-get install -y --no-install-recommends haproxy=2.6.12-1+deb12u4 >/dev/null
haproxy -v | head -1
cat > config <<'CFG'
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend plain
  bind 127.0.0.1:21801
  default_backend origin
frontend nodelay
  option http-no-delay
  bind 127.0.0.1:21802
  default_backend origin_nodelay
frontend gzip
  option http-no-delay
  bind 127.0.0.1:21803
  compression algo gzip
  compression type text/event-stream
  default_backend origin_nodelay
backend origin
  server one 127.0.0.1:21800
backend origin_nodelay
  option http-no-delay
  server one 127.0.0.1:21800
CFG
haproxy -db -f config 2>/dev/null &
proxy=$!
cat > main.js <<'JS'
const http = require('node:http')
const zlib = require('node:zlib')
const net = require('node:net')

let stream
http.createServer((request, response) => {
  const headers = { 'content-type': 'text/event-stream' }
  if (request.url === '/no-transform') headers['cache-control'] = 'no-transform'
  response.writeHead(200, headers)
  response.write('data: hello\n\n')
  stream = response
}).listen(21800, '127.0.0.1')

const wait = ms => new Promise(done => setTimeout(done, ms))

async function up(port) {
  for (;;) {
    const open = await new Promise(done => {
      const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); done(true) }).on('error', () => done(false))
    })
    if (open) return
    await wait(50)
  }
}

// median of the times, in ms, from writing an event to having it; Infinity where it did not come within 2 s
async function delay(port, path) {
  await up(port)
  let text = ''
  const request = http.get({ port, host: '127.0.0.1', path, headers: { 'accept-encoding': 'gzip' } }, response => {
    const zipped = response.headers['content-encoding'] === 'gzip'
    const body = zipped ? response.pipe(zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH })) : response
    body.on('data', piece => { text += piece })
    body.on('error', () => {})
  })
  while (!stream) await wait(5)
  await wait(500)
  const times = []
  for (let n = 0; n < 5; n++) {
    const start = performance.now()
    stream.write(`data: event ${n} ${'x'.repeat(200)} end\n\n`)
    while (!new RegExp(`event ${n} x+ end`).test(text) && performance.now() - start < 2000) await wait(2)
    times.push(performance.now() - start >= 2000 ? Infinity : performance.now() - start)
    await wait(300)
  }
  request.destroy()
  stream = undefined
  return times.sort((a, b) => a - b)[2]
}

const verdict = ms => ms === Infinity ? 'not before the next event' : ms > 150 ? 'over 150 ms' : ms < 50 ? 'under 50 ms' : `${ms} ms`

;(async () => {
  console.log('default:', verdict(await delay(21801, '/')))
  console.log('http-no-delay:', verdict(await delay(21802, '/')))
  console.log('gzip:', verdict(await delay(21803, '/')))
  console.log('gzip, no-transform:', verdict(await delay(21803, '/no-transform')))
  process.exit(0)
})()
JS
seen=$(timeout 120 node main.js)
stated='default: over 150 ms
http-no-delay: under 50 ms
gzip: not before the next event
gzip, no-transform: under 50 ms'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated:"
echo "$seen"
