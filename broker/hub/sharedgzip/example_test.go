package sharedgzip_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/snd-rental/yardline/broker/hub/sharedgzip"
)

// A connection receives its hello, then two pieces of a Window, and then its bye.
func Example() {
	pool := sharedgzip.NewPool(16)
	window := sharedgzip.NewWindow(pool)

	hello, bye := []byte("event: hello\ndata: {}\n\n"), []byte("event: bye\ndata: {}\n\n")
	stream := pool.AppendStandAlone(sharedgzip.AppendHeader(nil), hello)
	own := sharedgzip.Sum{}.Add(hello)

	// The caller makes these pieces once for all connections. The first one is a fresh start, so the connection may
	// join there.
	joined := window.Sum()
	stream, _ = window.Append(stream, []byte("data: 1\n\n"), false)
	stream, _ = window.Append(stream, []byte("data: 2\n\n"), false)
	own = own.Then(window.Sum().Since(joined))

	stream = pool.AppendStandAlone(stream, bye)
	stream = sharedgzip.AppendTrailer(stream, own.Add(bye))

	decoder, err := gzip.NewReader(bytes.NewReader(stream))
	if err != nil {
		panic(err)
	}
	frames, err := io.ReadAll(decoder)
	fmt.Printf("%s%v\n", frames, err)
	// Output:
	// event: hello
	// data: {}
	//
	// data: 1
	//
	// data: 2
	//
	// event: bye
	// data: {}
	//
	// <nil>
}
