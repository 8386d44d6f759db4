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

// Run is the whole program: an object where worker.mjs gives it one, else a
// front. It returns only where it cannot start.
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

func runFront(c Config) {
	keys := &keyring{issuer: c.Issuer, log: c.Logger}
	workers.ServeNonBlock(received(newFront(c, keys), nil))
	if c.Issuer == nil {
		return
	}
	js.Global().Get("context").Get("binding").Set("refresh", c.Refresh.Milliseconds())
	export("keys", func(args []js.Value) any {
		if len(args) > 1 {
			return keys.fail(args[1].String())
		}
		return keys.set([]byte(args[0].String()))
	})
}

// requestHeader is the name by which worker.mjs tells that the client of a
// request has gone.
const requestHeader = "Yardline-Request"

// export makes a function callable for worker.mjs. It must not wait for
// anything that JavaScript does.
func export(name string, do func([]js.Value) any) {
	js.Global().Get("context").Get("binding").Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any { return do(args) }))
}

// received mends what arrives: a request as net/http's server has it, and an
// answer that is given whole, or is a stream of the host where there is one.
func received(next http.Handler, h *host) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			r.Header[name] = []string{strings.Join(values, ",")} // it was split at commas
		}
		r.Body = bodyOf(r)
		r.Proto, r.ProtoMajor, r.ProtoMinor, r.Host = "HTTP/1.1", 1, 1, r.URL.Host
		if r.URL.Scheme == "https" {
			r.TLS = &tls.ConnectionState{}
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if h != nil {
			defer h.began(r.Header.Get(requestHeader), cancel)()
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

// bytesOf copies bytes to JavaScript.
func bytesOf(b []byte) js.Value {
	array := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}
