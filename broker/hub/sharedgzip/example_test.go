package sharedgzip_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"time"

	"github.com/snd-rental/yardline/broker/hub/sharedgzip"
)

// A connection receives its hello, two frames that it shares with others, and its bye.
func Example() {
	pool := sharedgzip.NewPool(16)       // for all Logs
	log := sharedgzip.NewLog(pool)       // for one byte log
	reader := sharedgzip.NewReader(pool) // for one connection
	defer reader.Close()

	stream := sharedgzip.AppendHeader(nil)
	stream = reader.AppendOwn(stream, []byte("event: hello\ndata: {}\n\n"))
	byteLog := []byte("data: 1\n\n")
	stream = append(stream, reader.Shared(log, 0, byteLog, time.Now())...)
	byteLog = append(byteLog, "data: 2\n\n"...)
	stream = append(stream, reader.Shared(log, 9, byteLog[9:], time.Now())...)
	stream = reader.AppendOwn(stream, []byte("event: bye\ndata: {}\n\n"))
	stream = reader.AppendTrailer(stream)

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
