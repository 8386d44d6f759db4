package browser

import (
	"fmt"
	"syscall/js"
	"time"

	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Debug returns functions that log each step of a connection, and each event that is delivered, to the
// console. It returns nil unless the user has set localStorage['sse-debug'] = 'true'.
func Debug() (logStep func(conn.Input, conn.Status), logEvent func(store.Received)) {
	if setting("sse-debug") != "true" {
		return nil, nil
	}
	log := func(text string) { js.Global().Get("console").Call("debug", "[sse] "+text) }
	logStep = func(in conn.Input, s conn.Status) {
		text := fmt.Sprintf("%T", in)
		if f, ok := in.(conn.Frame); ok {
			text = fmt.Sprintf("%T %s", f.Frame, f.Frame.ReachedCursor())
		}
		log(text + " → " + string(s.State) + " " + s.Code)
	}
	return logStep, func(r store.Received) { log("event " + r.ID + " " + r.Cursor) }
}

// Grace returns the time for which all tabs are hidden before the stream is closed, as the user has set it
// with localStorage['sse-grace'] = '5s'. It returns 0 without a valid setting.
func Grace() time.Duration {
	d, err := time.ParseDuration(setting("sse-grace"))
	if err != nil || d < 0 {
		return 0
	}
	return d
}

// setting returns the value of a name in localStorage, or "" when localStorage is
// blocked.
func setting(name string) (value string) {
	_ = Attempt(func() {
		if v := Property(js.Global(), "localStorage").Call("getItem", name); v.Type() == js.TypeString {
			value = v.String()
		}
	})
	return value
}
