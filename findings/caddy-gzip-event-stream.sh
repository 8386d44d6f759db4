#!/usr/bin/env bash
# Caddy 2.6.2 (Debian 12) with `encode gzip` holds an event stream back until the stream ends, if the first write of
# the stream is large.
#
# Caddy decides at the first write of an answer whether it compresses the answer: it does so from 512 bytes on. It
# then compresses an event stream, too, and a flush of the reverse proxy does not flush the compressor. A stream that
# begins with a short write passes unchanged, so a test with short events does not show the fault.
#
# Seen: with a first write of 20 bytes each event comes at once. With a first write of 600 bytes no event comes within
# 2 s; the events come when the stream ends.
set -euo pipefail
dir=$(mktemp -d)
proxy=
trap '[ -z "$proxy" ] || kill "$proxy"; rm -rf "$dir"' EXIT
cd "$dir"
command -v caddy >/dev/null || apt-get install -y --no-install-recommends caddy >/dev/null
caddy version
cat > Caddyfile <<'CFG'
{
  admin off
  auto_https off
}
http://127.0.0.1:21811 {
  encode gzip
  reverse_proxy 127.0.0.1:21810
}
CFG
XDG_DATA_HOME="$dir" XDG_CONFIG_HOME="$dir" caddy run --config Caddyfile --adapter caddyfile >log 2>&1 &
proxy=$!
cat > main.js <<'JS'
const http = require('node:http')
const zlib = require('node:zlib')
const wait = ms => new Promise(done => setTimeout(done, ms))

const streams = []
http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(`: ${'x'.repeat(Number(request.url.slice(1)))}\n\n`)
  streams.push(response)
}).listen(21810, '127.0.0.1')

async function events(size) {
  let text = '', encoding
  for (;;) {
    const ok = await new Promise(done => {
      http.get({ port: 21811, host: '127.0.0.1', path: `/${size}`, headers: { 'accept-encoding': 'gzip' } }, response => {
        encoding = response.headers['content-encoding'] ?? 'none'
        const flush = zlib.constants.Z_SYNC_FLUSH
        const body = encoding === 'gzip' ? response.pipe(zlib.createGunzip({ flush, finishFlush: flush })) : response
        body.on('data', piece => { text += piece })
        done(true)
      }).on('error', () => done(false))
      setTimeout(() => streams.at(-1)?.write('data: one\n\n'), 300)
    })
    if (ok) break
    await wait(50)
  }
  await wait(2000)
  const early = text.includes('data: one')
  streams.at(-1).end('data: last\n\n')
  for (let n = 0; n < 100 && !text.includes('data: last'); n++) await wait(50)
  return `${encoding}, ${early ? 'at once' : 'not within 2 s'}, ${text.includes('data: one') ? 'there at the end' : 'lost'}`
}

;(async () => {
  console.log('20 bytes first:', await events(20))
  console.log('600 bytes first:', await events(600))
  process.exit(0)
})()
JS
seen=$(timeout 60 node main.js)
stated='20 bytes first: none, at once, there at the end
600 bytes first: gzip, not within 2 s, there at the end'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated:"
echo "$seen"
