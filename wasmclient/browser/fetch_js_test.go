package browser

import (
	"strings"
	"syscall/js"
	"testing"

	"github.com/snd-rental/yardline/wasmclient/transporttest"
)

// server is the server of transporttest in Node, which the tests run under.
const server = `(pieces, refusal, ready) => {
  let gone = false;
  const http = require("http");
  const s = http.createServer((q, r) => {
    const stream = () => r.writeHead(200, {"Content-Type": "text/event-stream; charset=utf-8"});
    switch (q.url.split("?")[0]) {
      case "/echo": {
        const body = [];
        q.on("data", (c) => body.push(c));
        q.on("end", () => {
          r.writeHead(200, {"Content-Type": "text/plain; charset=utf-8"});
          r.end(Buffer.concat([Buffer.from(q.method + "\n" + q.headers["x-test"] + "\n"), ...body]));
        });
        break;
      }
      case "/refuse":
        r.writeHead(503, {"Content-Type": "application/problem+json", "Retry-After": "7"});
        r.end(refusal);
        break;
      case "/odd": r.writeHead(200, {"Content-Type": "text/event-stream; x y"}); r.end("data: x\n\n"); break;
      case "/redirect": r.writeHead(302, {"Location": "/landed"}); r.end(); break;
      case "/landed": r.end(); break;
      case "/stop": r.writeHead(204); r.end(); break;
      case "/stream":
        stream();
        (function next(i) {
          if (i === pieces.length) r.end(); else r.write(pieces[i], () => next(i + 1));
        })(0);
        break;
      case "/endless": gone = false; stream(); r.write("data: x\n\n"); r.on("close", () => { gone = true; }); break;
      case "/broken": stream(); r.write("data: x\n\n", () => q.socket.destroy()); break;
      case "/gone": r.end(gone ? "yes" : "no"); break;
    }
  });
  s.listen(0, "127.0.0.1", () => ready("http://127.0.0.1:" + s.address().port));
  return () => { s.closeAllConnections(); s.close(); };
}`

func TestTransportKeepsTheContract(t *testing.T) {
	pieces := make([]any, len(transporttest.Pieces))
	for i, p := range transporttest.Pieces {
		pieces[i] = p
	}
	address := make(chan string, 1)
	ready := js.FuncOf(func(_ js.Value, args []js.Value) any { address <- args[0].String(); return nil })
	defer ready.Release()
	stop := js.Global().Call("eval", server).Invoke(pieces, transporttest.Refusal, ready)
	defer stop.Invoke()
	transporttest.Run(t, Transport{Base: <-address})
}

func TestRejectionsAreErrors(t *testing.T) {
	_, err := await(t.Context(), js.Global().Call("eval", `Promise.reject(new TypeError("no way"))`))
	if err == nil || !strings.Contains(err.Error(), "no way") {
		t.Error(err)
	}
}
