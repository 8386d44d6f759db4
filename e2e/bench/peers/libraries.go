package main

import (
	"net/http"

	r3labs "github.com/r3labs/sse/v2"
	gosse "github.com/tmaxmax/go-sse"
)

// newGoSSE returns a server by github.com/tmaxmax/go-sse.
func newGoSSE() (http.Handler, error) {
	replayer, err := gosse.NewFiniteReplayer(keptEvents, true)
	if err != nil {
		return nil, err
	}
	server := &gosse.Server{
		Provider: &gosse.Joe{Replayer: replayer},
		OnSession: func(w http.ResponseWriter, _ *http.Request) ([]string, bool) {
			// By default the head of the answer would come with the first event.
			w.Header().Set("Content-Type", "text/event-stream")
			err := http.NewResponseController(w).Flush()
			return []string{channel}, err == nil
		},
	}
	publish := func(event []byte) error {
		m := &gosse.Message{}
		m.AppendData(string(event))
		return server.Publish(m, channel)
	}
	return newServer(server, publish), nil
}

// newR3labs returns a server by github.com/r3labs/sse. It keeps all events in memory.
func newR3labs() (http.Handler, error) {
	server := r3labs.New()
	server.CreateStream(channel)
	stream := func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery = "stream=" + channel
		server.ServeHTTP(w, r)
	}
	publish := func(event []byte) error {
		server.Publish(channel, &r3labs.Event{Data: event})
		return nil
	}
	return newServer(http.HandlerFunc(stream), publish), nil
}
