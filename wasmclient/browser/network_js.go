package browser

import "syscall/js"

// WatchNetwork calls changed whenever the browser goes online or offline,
// until the returned function is called. changed must not block.
func WatchNetwork(changed func(online bool)) (stop func()) {
	window := js.Global()
	on := js.FuncOf(func(_ js.Value, _ []js.Value) any { changed(true); return nil })
	off := js.FuncOf(func(_ js.Value, _ []js.Value) any { changed(false); return nil })
	window.Call("addEventListener", "online", on)
	window.Call("addEventListener", "offline", off)
	return func() {
		window.Call("removeEventListener", "online", on)
		window.Call("removeEventListener", "offline", off)
		on.Release()
		off.Release()
	}
}
