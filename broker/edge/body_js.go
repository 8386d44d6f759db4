package edge

import (
	"io"
	"net/http"
	"syscall/js"
)

// bodyOf returns the body of a request. It does not use the reader of the workers module, which
// never releases the callbacks that it makes for each piece.
func bodyOf(r *http.Request) io.ReadCloser {
	holder, ok := r.Body.(interface{ GetRawJSBody() js.Value })
	if !ok {
		return http.NoBody
	}
	return &body{reader: holder.GetRawJSBody().Call("getReader")}
}

// body reads a ReadableStream.
type body struct {
	reader js.Value
	rest   []byte // read from the stream, but not returned yet
	err    error  // that ended the stream; io.EOF at its end
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

// await waits until a promise is settled. It returns the promise's value or, as an error, the
// reason of the rejection.
func await(promise js.Value) (v js.Value, err error) {
	settled := make(chan struct{})
	fulfilled := js.FuncOf(func(_ js.Value, args []js.Value) any {
		v = args[0]
		close(settled)
		return nil
	})
	defer fulfilled.Release()
	rejected := js.FuncOf(func(_ js.Value, args []js.Value) any {
		err = js.Error{Value: args[0]}
		close(settled)
		return nil
	})
	defer rejected.Release()
	promise.Call("then", fulfilled, rejected)
	<-settled
	return v, err
}
