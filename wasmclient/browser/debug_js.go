package browser

import (
	"fmt"
	"syscall/js"
	"time"

	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Debug returns what logs every step of a connection, and every event that is
// delivered, to the console, where the user asked for it with
// localStorage['sse-debug'] = 'true'; else nil.
func Debug() (step func(conn.Input, conn.Status), event func(store.Received)) {
	if setting("sse-debug") != "true" {
		return nil, nil
	}
	log := func(text string) { js.Global().Get("console").Call("debug", "[sse] "+text) }
	step = func(in conn.Input, s conn.Status) {
		text := fmt.Sprintf("%T", in)
		if f, ok := in.(conn.Frame); ok {
			text = fmt.Sprintf("%T %s", f.Frame, f.Frame.ReachedCursor())
		}
		log(text + " → " + string(s.State) + " " + s.Code)
	}
	return step, func(r store.Received) { log("event " + r.ID + " " + r.Cursor) }
}

// Grace is how long all tabs are hidden before the stream is closed, where the
// user set it with localStorage['sse-grace'] = '5s'; else 0.
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
