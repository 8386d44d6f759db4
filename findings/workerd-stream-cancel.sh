#!/usr/bin/env bash
# workerd: it depends on the version whether a worker's stream learns that its client has left. request.signal always
# learns it.
#
# By the Streams standard the consumer of a ReadableStream cancels it when it needs no more of it. When the client of
# a response leaves, npm workerd 1.20260426.1 and 1.20260619.1 do not call `cancel` of a stream that is written by
# `pull`; 1.20261117.1 does. All three abort the signal of the request (flag enable_request_signal). A worker that
# counts or groups its readers by `cancel` alone keeps those that have left.
#
# Seen: only the signal with the two older versions; cancel and then the signal with the newest.
set -euo pipefail
dir=$(mktemp -d)
runtime=
trap '[ -z "$runtime" ] || kill -9 "$runtime" 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
cat > worker.mjs <<'JS'
export default {
  fetch(request) {
    request.signal.addEventListener("abort", () => console.log("signal"))
    return new Response(new ReadableStream({
      async pull(controller) {
        await scheduler.wait(100)
        controller.enqueue(new TextEncoder().encode("data: one\n\n"))
      },
      cancel() { console.log("cancel") },
    }), { headers: { "content-type": "text/event-stream" } })
  },
}
JS
cat > config.capnp <<'CFG'
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .reader)],
  sockets = [(name = "http", address = "127.0.0.1:21821", http = (), service = "main")]
);
const reader :Workerd.Worker = (
  modules = [(name = "worker.mjs", esModule = embed "worker.mjs")],
  compatibilityDate = "2026-04-01",
  compatibilityFlags = ["enable_request_signal"]
);
CFG
echo '{"private":true}' > package.json
seen=$(for version in 1.20260426.1 1.20260619.1 1.20261117.1; do
  npm install --silent --no-audit --no-fund --ignore-scripts workerd@$version >/dev/null 2>&1
  node_modules/@cloudflare/workerd-linux-64/bin/workerd serve config.capnp --experimental > log 2>&1 &
  runtime=$!
  for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/21821) 2>/dev/null && break || sleep 0.1; done
  timeout 2 curl -sN http://127.0.0.1:21821/ >/dev/null || true
  for _ in $(seq 100); do grep -q signal log && break || sleep 0.1; done
  sleep 2
  kill -9 $runtime
  wait $runtime 2>/dev/null || true
  echo "$version:$(grep -E 'signal|cancel' log | tr '\n' ' ' | sed 's/^/ /;s/ $//')"
done)
stated='1.20260426.1: signal
1.20260619.1: signal
1.20261117.1: cancel signal'
diff <(echo "$stated") <(echo "$seen") || { echo "the behaviour has changed"; exit 1; }
echo "as stated:"
echo "$seen"
