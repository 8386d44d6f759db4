package browser

import (
	"fmt"
	"syscall/js"

	"github.com/snd-rental/yardline/wasmclient/conn"
)

// Debug returns what logs every step of a connection to the console, where
// the user asked for it with localStorage['sse-debug'] = 'true'; else nil.
func Debug() func(conn.Input, conn.Status) {
	wanted := js.Global().Get("localStorage").Call("getItem", "sse-debug")
	if wanted.Type() != js.TypeString || wanted.String() != "true" {
		return nil
	}
	return func(in conn.Input, s conn.Status) {
		text := fmt.Sprintf("%T", in)
		if f, ok := in.(conn.Frame); ok {
			text = fmt.Sprintf("%T %s", f.Frame, f.Frame.At())
		}
		js.Global().Get("console").Call("debug", "[sse] "+text+" → "+string(s.State)+" "+s.Code)
	}
}

// HasFocus tells whether the page is the one in use.
func HasFocus() bool { return js.Global().Get("document").Call("hasFocus").Bool() }
