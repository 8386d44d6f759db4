// Command peers serves a stream of events by another library, to compare Yardline with.
//
//	peers NAME ADDRESS
//
// Each server streams at GET /sse what is posted to /pub, to every subscriber, and keeps
// recent events in memory. None of them checks tokens or writes to a disk.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

// channel is the name of the only topic, stream or channel of each server.
const channel = "bench"

// keptEvents is the number of recent events that a server keeps, where it has a limit.
const keptEvents = 1000

// peers has a function for each library that returns its server.
var peers = map[string]func() (http.Handler, error){
	"go-sse":     newGoSSE,
	"r3labs":     newR3labs,
	"centrifuge": newCentrifuge,
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// serve runs the server that the arguments name.
func serve(args []string) error {
	if len(args) != 2 || peers[args[0]] == nil {
		return fmt.Errorf("needs the name of a library and an address, not %q", args)
	}
	handler, err := peers[args[0]]()
	if err != nil {
		return err
	}
	return http.ListenAndServe(args[1], handler)
}

// newServer returns a handler that streams with the given handler and publishes with the
// given function.
func newServer(stream http.Handler, publish func(event []byte) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /sse", stream)
	mux.HandleFunc("POST /pub", func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(r.Body)
		if err == nil {
			err = publish(event)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
