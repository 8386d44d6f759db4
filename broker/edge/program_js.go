package edge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"syscall/js"

	"github.com/syumai/workers"
	"github.com/syumai/workers/cloudflare"

	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/hub"
)

// Run runs the program: the object of a tenant if worker.mjs passes one, and the front
// otherwise. It returns only an error that keeps the program from starting.
func Run() error {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	c, err := ReadConfig(cloudflare.Getenv, log)
	if err != nil {
		return err
	}
	context := js.Global().Get("context")
	if object := context.Get("object"); object.Truthy() {
		if err := runObject(c, newHost(object)); err != nil {
			return err
		}
	} else {
		runFront(c)
	}
	workers.Ready()
	select {}
}

// runFront starts to serve as the front.
func runFront(c Config) {
	keys := &keyring{issuer: c.Issuer, log: c.Logger}
	workers.ServeNonBlock(adapt(newFront(c, keys), nil))
	if c.Issuer == nil {
		return
	}
	js.Global().Get("context").Get("binding").Set("refreshInterval", c.Refresh.Milliseconds())
	export("setKeys", func(args []js.Value) any {
		if len(args) > 1 {
			return keys.recordFailure(args[1].String())
		}
		return keys.set([]byte(args[0].String()))
	})
}

// requestHeader has the id that worker.mjs gives a request. requestAborted gets the same id.
const requestHeader = "Yardline-Request"

// export makes a function callable from worker.mjs. The function must not wait for JavaScript.
func export(name string, do func([]js.Value) any) {
	f := js.FuncOf(func(_ js.Value, args []js.Value) any { return do(args) })
	js.Global().Get("context").Get("binding").Set(name, f)
}

// adapt makes the requests of the workers module like those of a net/http server. An answer is
// sent as a whole, or becomes a stream of h when next flushes it. h is nil in the front.
func adapt(next http.Handler, h *host) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			r.Header[name] = []string{strings.Join(values, ",")} // the module has split it at commas
		}
		r.Body = bodyOf(r)
		r.Proto, r.ProtoMajor, r.ProtoMinor, r.Host = "HTTP/1.1", 1, 1, r.URL.Host
		if r.URL.Scheme == "https" {
			r.TLS = &tls.ConnectionState{}
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if h != nil {
			defer h.beginRequest(r.Header.Get(requestHeader), cancel)()
		}
		out := &writer{to: w, ctx: ctx, cancel: cancel, host: h}
		if h != nil {
			out.id = hub.NewID()
			ctx = httpapi.WithConnectionID(ctx, out.id)
		}
		defer out.end()
		next.ServeHTTP(out, r.WithContext(ctx))
	})
}

// bytesOf returns a Uint8Array with a copy of b.
func bytesOf(b []byte) js.Value {
	array := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}
