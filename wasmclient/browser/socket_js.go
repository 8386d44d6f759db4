package browser

import (
	"context"
	"errors"
	"strings"
	"syscall/js"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// maxWaiting is the greatest number of messages that wait for the client. A page cannot make the browser read
// slower, so a further message ends the WebSocket, and the next WebSocket resumes.
const maxWaiting = 1024

var errBehind = errors.New("browser: messages come faster than they are taken")

// Socket implements port.Transport.
func (t Transport) Socket(ctx context.Context, path string, handle func([]byte) error) error {
	base := t.Base
	if base == "" {
		base = js.Global().Get("location").Get("origin").String()
	}
	messages := make(chan []byte, maxWaiting)
	ended := make(chan error, 1) // the first reason; callbacks must not wait
	end := func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	opened := false
	var funcs []js.Func
	on := func(do func(js.Value)) js.Func {
		f := js.FuncOf(func(_ js.Value, args []js.Value) any { do(args[0]); return nil })
		funcs = append(funcs, f)
		return f
	}
	socket, err := dial("ws"+strings.TrimPrefix(base, "http")+path, wire.Subprotocol)
	if err != nil {
		return err
	}
	socket.Set("onopen", on(func(js.Value) { opened = true }))
	socket.Set("onmessage", on(func(e js.Value) {
		select {
		case messages <- []byte(e.Get("data").String()):
		default:
			end(errBehind)
		}
	}))
	socket.Set("onclose", on(func(js.Value) {
		if !opened {
			end(port.ErrNoUpgrade)
		}
		close(messages)
	}))
	defer func() {
		for _, name := range []string{"onopen", "onmessage", "onclose"} {
			socket.Set(name, js.Null())
		}
		socket.Call("close")
		for _, f := range funcs {
			f.Release()
		}
	}()
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case message, more := <-messages:
			if !more {
				select {
				case err := <-ended:
					return err
				default:
					return nil
				}
			}
			if err := handle(message); err != nil {
				return err
			}
		}
	}
}

// dial makes a WebSocket. It returns ErrNoUpgrade if the browser throws, for example because of the address.
func dial(address, protocol string) (socket js.Value, err error) {
	if Attempt(func() { socket = js.Global().Get("WebSocket").New(address, protocol) }) != nil {
		err = port.ErrNoUpgrade
	}
	return socket, err
}
