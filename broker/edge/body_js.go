package edge

import (
	"io"
	"net/http"
	"syscall/js"
)

// bodyOf is the body of a request. The workers module's own reader keeps a
// callback for each piece for ever.
func bodyOf(r *http.Request) io.ReadCloser {
	held, ok := r.Body.(interface{ GetRawJSBody() js.Value })
	if !ok {
		return http.NoBody
	}
	return &body{reader: held.GetRawJSBody().Call("getReader")}
}

// A body reads a ReadableStream.
type body struct {
	reader js.Value
	rest   []byte
	err    error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 && b.err == nil {
		var piece js.Value
		if piece, b.err = await(b.reader.Call("read")); b.err != nil {
			break
		}
		if piece.Get("done").Bool() {
			b.err = io.EOF
			break
		}
		value := piece.Get("value")
		b.rest = make([]byte, value.Length())
		js.CopyBytesToGo(b.rest, value)
	}
	if len(b.rest) == 0 {
		return 0, b.err
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.reader.Call("cancel")
	return nil
}

// await waits for a promise.
func await(promise js.Value) (v js.Value, err error) {
	settled := make(chan struct{})
	then := js.FuncOf(func(_ js.Value, args []js.Value) any { v = args[0]; close(settled); return nil })
	defer then.Release()
	fail := js.FuncOf(func(_ js.Value, args []js.Value) any { err = js.Error{Value: args[0]}; close(settled); return nil })
	defer fail.Release()
	promise.Call("then", then, fail)
	<-settled
	return v, err
}
