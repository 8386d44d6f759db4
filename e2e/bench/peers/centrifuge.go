package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
)

// newCentrifuge returns a server by github.com/centrifugal/centrifuge, the library of
// Centrifugo. As in Centrifugo, its streams are unidirectional.
func newCentrifuge() (http.Handler, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: "reader"},
			Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return nil, err
	}
	publish := func(event []byte) error {
		data, err := json.Marshal(string(event)) // the library's events are JSON
		if err != nil {
			return err
		}
		_, err = node.Publish(channel, data, centrifuge.WithHistory(keptEvents, time.Hour))
		return err
	}
	stream := func(w http.ResponseWriter, r *http.Request) {
		t := &centrifugeStream{w: w, flusher: http.NewResponseController(w), closed: make(chan struct{})}
		client, closeClient, err := centrifuge.NewClient(r.Context(), node, t)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		client.Connect(centrifuge.ConnectRequest{})
		select {
		case <-r.Context().Done():
		case <-t.closed:
		}
		t.end()
		_ = closeClient() // the answer has ended, and no one is left to tell
	}
	return newServer(http.HandlerFunc(stream), publish), nil
}

// centrifugeStream is the library's transport for one stream.
type centrifugeStream struct {
	w       http.ResponseWriter
	flusher *http.ResponseController
	closed  chan struct{}
	once    sync.Once

	mu    sync.Mutex // guards ended, and w against the end of its request
	ended bool
}

// errEnded is the error of a write to a stream that has ended.
var errEnded = errors.New("the stream has ended")

// Name implements centrifuge.Transport.
func (*centrifugeStream) Name() string { return "uni_sse" }

// AcceptProtocol implements centrifuge.Transport.
func (*centrifugeStream) AcceptProtocol() string { return "h1" }

// Protocol implements centrifuge.Transport.
func (*centrifugeStream) Protocol() centrifuge.ProtocolType { return centrifuge.ProtocolTypeJSON }

// ProtocolVersion implements centrifuge.Transport.
func (*centrifugeStream) ProtocolVersion() centrifuge.ProtocolVersion {
	return centrifuge.ProtocolVersion2
}

// Unidirectional implements centrifuge.Transport.
func (*centrifugeStream) Unidirectional() bool { return true }

// Emulation implements centrifuge.Transport.
func (*centrifugeStream) Emulation() bool { return false }

// DisabledPushFlags implements centrifuge.Transport.
func (*centrifugeStream) DisabledPushFlags() uint64 { return 0 }

// PingPongConfig implements centrifuge.Transport.
func (*centrifugeStream) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{}
}

// Write implements centrifuge.Transport.
func (t *centrifugeStream) Write(message []byte) error { return t.WriteMany(message) }

// WriteMany implements centrifuge.Transport.
func (t *centrifugeStream) WriteMany(messages ...[]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return errEnded
	}
	var frames []byte
	for _, m := range messages {
		frames = append(append(append(frames, "data: "...), m...), "\n\n"...)
	}
	if _, err := t.w.Write(frames); err != nil {
		return err
	}
	return t.flusher.Flush()
}

// Close implements centrifuge.Transport.
func (t *centrifugeStream) Close(centrifuge.Disconnect) error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// end makes later writes fail, because the request ends.
func (t *centrifugeStream) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}
