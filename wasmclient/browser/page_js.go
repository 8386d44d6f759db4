package browser

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"syscall/js"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// A Page is the page in which the program runs. It is safe for concurrent use.
type Page struct {
	tab string
}

var _ port.Page = (*Page)(nil)

// NewPage returns the page with a random name, which no other page has.
func NewPage() *Page { return &Page{strings.ToLower(rand.Text()[:8])} }

// Tab implements port.Page.
func (p *Page) Tab() string { return p.tab }

// IsVisible implements port.Page.
func (p *Page) IsVisible() bool {
	return js.Global().Get("document").Get("visibilityState").String() == "visible"
}

// IsFocused implements port.Page.
func (p *Page) IsFocused() bool { return js.Global().Get("document").Call("hasFocus").Bool() }

// IsOnline implements port.Page.
func (p *Page) IsOnline() bool {
	return !js.Global().Get("navigator").Get("onLine").Equal(js.ValueOf(false))
}

// HasLocks implements port.Page. Browsers have locks only on secure origins; a plain HTTP address in a
// company's network is none.
func (p *Page) HasLocks() bool {
	locks := Property(js.Global().Get("navigator"), "locks")
	return locks.Truthy() && Property(js.Global(), "BroadcastChannel").Truthy()
}

// Watch implements port.Page. It reports Frozen twice for a page that goes into the back/forward cache,
// and Thawed twice when the page is back.
func (p *Page) Watch(handle func(port.PageEvent)) (stop func()) {
	document, window := js.Global().Get("document"), js.Global()
	var stops []func()
	on := func(target js.Value, name string, eventOf func(e js.Value) port.PageEvent) {
		f := js.FuncOf(func(_ js.Value, args []js.Value) any {
			if e := eventOf(args[0]); e != "" {
				handle(e)
			}
			return nil
		})
		target.Call("addEventListener", name, f)
		stops = append(stops, func() {
			target.Call("removeEventListener", name, f)
			f.Release()
		})
	}
	always := func(e port.PageEvent) func(js.Value) port.PageEvent {
		return func(js.Value) port.PageEvent { return e }
	}
	on(document, "visibilitychange", func(js.Value) port.PageEvent {
		if p.IsVisible() {
			return port.Appeared
		}
		return port.Vanished
	})
	on(window, "focus", always(port.Focused))
	on(window, "blur", always(port.Blurred))
	on(window, "online", always(port.Online))
	on(window, "offline", always(port.Offline))
	on(window, "pagehide", always(port.Frozen))
	on(document, "freeze", always(port.Frozen))
	on(document, "resume", always(port.Thawed))
	on(window, "pageshow", func(e js.Value) port.PageEvent {
		if e.Get("persisted").Bool() {
			return port.Thawed
		}
		return "" // the page was loaded
	})
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// Lock implements port.Page with the Web Locks API.
func (p *Page) Lock(ctx context.Context, name string, mode port.LockMode, held func()) error {
	options := js.Global().Get("Object").New()
	if mode == port.Shared {
		options.Set("mode", "shared")
	}
	if mode == port.Steal { // the API allows no signal for it
		options.Set("steal", true)
	} else {
		abort := js.Global().Get("AbortController").New()
		options.Set("signal", abort.Get("signal"))
		stop := context.AfterFunc(ctx, func() { abort.Call("abort") })
		defer stop()
	}
	// The lock is held until the promise that the callback returns is settled.
	var once sync.Once
	free := make(chan struct{})
	release := func() { once.Do(func() { close(free) }) }
	defer release()
	var granted, executor js.Func
	executor = js.FuncOf(func(_ js.Value, args []js.Value) any {
		go func() {
			<-free
			args[0].Invoke()
			executor.Release()
		}()
		return nil
	})
	isHeld := false
	granted = js.FuncOf(func(js.Value, []js.Value) any {
		isHeld = true
		if ctx.Err() == nil {
			held()
		}
		return js.Global().Get("Promise").New(executor)
	})
	end := context.AfterFunc(ctx, release)
	defer end()
	var request js.Value
	err := Attempt(func() {
		request = Property(js.Global().Get("navigator"), "locks").Call("request", name, options, granted)
	})
	if err == nil {
		_, err = await(context.Background(), request)
	}
	granted.Release()
	if !isHeld {
		executor.Release()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return port.ErrLockLost
	}
	return nil
}

// IsWanted implements port.Page.
func (p *Page) IsWanted(ctx context.Context, name string) (bool, error) {
	var query js.Value
	if err := Attempt(func() { query = Property(js.Global().Get("navigator"), "locks").Call("query") }); err != nil {
		return false, err
	}
	all, err := await(ctx, query)
	if err != nil {
		return false, err
	}
	pending := all.Get("pending")
	for i := range pending.Length() {
		lock := pending.Index(i)
		if lock.Get("name").String() == name && lock.Get("mode").String() == "shared" {
			return true, nil
		}
	}
	return false, nil
}

// A channel is an open BroadcastChannel.
type channel struct {
	value     js.Value
	onMessage js.Func
}

// Channel implements port.Page with a BroadcastChannel.
func (p *Page) Channel(name string, handle func([]byte)) port.Channel {
	c := &channel{}
	if Attempt(func() { c.value = Property(js.Global(), "BroadcastChannel").New(name) }) != nil {
		return noChannel{}
	}
	c.onMessage = js.FuncOf(func(_ js.Value, args []js.Value) any {
		if data := args[0].Get("data"); data.Type() == js.TypeString {
			handle([]byte(data.String()))
		}
		return nil
	})
	c.value.Set("onmessage", c.onMessage)
	return c
}

// noChannel is the channel of a browser that has no channels.
type noChannel struct{}

func (noChannel) Post([]byte) {}
func (noChannel) Close()      {}

func (c *channel) Post(message []byte) {
	_ = Attempt(func() { c.value.Call("postMessage", string(message)) }) // a detached frame throws
}

func (c *channel) Close() {
	c.value.Set("onmessage", js.Null())
	c.value.Call("close")
	c.onMessage.Release()
}

// MaxToasts returns the number of toasts for which the screen has room.
func MaxToasts() int {
	if js.Global().Get("innerWidth").Int() < 480 {
		return 2
	}
	return 3
}
