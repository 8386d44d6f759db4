package browser

import (
	"context"
	"fmt"
	"syscall/js"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// A Transport carries requests to the broker that served the page, with its cookie. It is safe for
// concurrent use.
type Transport struct {
	// Base is put before the paths of requests. Defaults to the page's origin.
	Base string
}

var _ port.Transport = Transport{}

// Do implements port.Transport.
func (t Transport) Do(ctx context.Context, r port.Request) (port.Response, error) {
	answer, done, err := t.send(ctx, r)
	defer done()
	if err != nil {
		return port.Response{}, err
	}
	return readWhole(ctx, answer)
}

// Stream implements port.Transport.
func (t Transport) Stream(ctx context.Context, r port.Request, handle func([]byte) error) (port.Response, error) {
	answer, done, err := t.send(ctx, r)
	defer done()
	if err != nil {
		return port.Response{}, err
	}
	response := head(answer)
	if response.Status != 200 || response.ContentType != "text/event-stream" {
		return readWhole(ctx, answer)
	}
	var reader js.Value
	if err := Attempt(func() { reader = answer.Get("body").Call("getReader") }); err != nil {
		return response, err // a browser without streams, or a wrapper that has read it
	}
	var buffer []byte
	for {
		result, err := await(ctx, reader.Call("read"))
		if err != nil {
			return response, err
		}
		if result.Get("done").Bool() {
			return response, nil
		}
		chunk := result.Get("value")
		n := chunk.Get("byteLength").Int()
		if cap(buffer) < n {
			buffer = make([]byte, n)
		}
		js.CopyBytesToGo(buffer[:n], chunk)
		if err := handle(buffer[:n]); err != nil {
			return response, err
		}
	}
}

// send sends a request. The caller must call done, which aborts the request if it is still under way, so
// that no stream stays open without a reader.
func (t Transport) send(ctx context.Context, r port.Request) (answer js.Value, done func(), err error) {
	abort := js.Global().Get("AbortController").New()
	headers := js.Global().Get("Object").New()
	for name, value := range r.Header {
		headers.Set(name, value)
	}
	init := js.Global().Get("Object").New()
	init.Set("method", r.Method)
	init.Set("headers", headers)
	init.Set("credentials", "same-origin")
	init.Set("cache", "no-store")
	init.Set("redirect", "manual") // otherwise a login proxy's redirect looks like a missing answer
	init.Set("signal", abort.Get("signal"))
	if r.Body != nil {
		body := js.Global().Get("Uint8Array").New(len(r.Body))
		js.CopyBytesToJS(body, r.Body)
		init.Set("body", body)
	}
	stop := context.AfterFunc(ctx, func() { abort.Call("abort") })
	done = func() {
		stop()
		abort.Call("abort")
	}
	var request js.Value
	err = Attempt(func() { request = js.Global().Call("fetch", t.Base+r.Path, init) }) // a wrapper of fetch may throw
	if err == nil {
		answer, err = await(ctx, request)
	}
	return answer, done, err
}

// readWhole reads the whole answer.
func readWhole(ctx context.Context, answer js.Value) (port.Response, error) {
	response := head(answer)
	buffer, err := await(ctx, answer.Call("arrayBuffer"))
	if err != nil {
		return response, err
	}
	bytes := js.Global().Get("Uint8Array").New(buffer)
	response.Body = make([]byte, bytes.Get("byteLength").Int())
	js.CopyBytesToGo(response.Body, bytes)
	return response, nil
}

// head returns an answer without its body.
func head(answer js.Value) port.Response {
	header := func(name string) string {
		if v := answer.Get("headers").Call("get", name); v.Type() == js.TypeString {
			return v.String()
		}
		return ""
	}
	r := port.Response{
		Status:      answer.Get("status").Int(),
		RetryAfter:  header("retry-after"),
		ContentType: port.MediaType(header("content-type")),
	}
	if answer.Get("type").String() == "opaqueredirect" {
		r.Status = 302
	}
	return r
}

// await waits for a promise, and returns a rejection as an error. The goroutine that runs JavaScript's
// callbacks must not call it.
func await(ctx context.Context, promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1) // the callback must not wait
	var resolve, reject js.Func
	release := func() {
		resolve.Release()
		reject.Release()
	}
	resolve = js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{value: args[0]}
		release()
		return nil
	})
	reject = js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{err: fmt.Errorf("browser: %s", js.Global().Get("String").Invoke(args[0]).String())}
		release()
		return nil
	})
	promise.Call("then", resolve, reject)
	select {
	case o := <-settled:
		return o.value, o.err
	case <-ctx.Done():
		return js.Value{}, ctx.Err() // the abort settles the promise
	}
}
