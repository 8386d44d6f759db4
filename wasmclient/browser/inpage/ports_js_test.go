package inpage

import (
	"context"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient/browser"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/porttest"
)

func TestPageKeepsTheContract(t *testing.T) {
	porttest.Page(t, func() port.Page { return browser.NewPage() })
}

func TestStorageKeepsTheContract(t *testing.T) {
	porttest.Storage(t, &browser.Storage{Name: "test"})
}

// When the browser does not store a value, the storage returns an error and does not panic.
func TestStorageThatFailsReturnsAnError(t *testing.T) {
	for name, breakage := range map[string]string{
		"refuses to open": `IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError") }`,
		"dies later": `IDBDatabase.prototype.transaction = () => { throw new DOMException("closing", ` +
			`"InvalidStateError") }`,
		"aborts a write": `const put = IDBObjectStore.prototype.put; IDBObjectStore.prototype.put = function () { ` +
			`put.apply(this, arguments); this.transaction.abort() }`,
		"forbids it": `Object.defineProperty(window, "indexedDB", {get() { throw new DOMException("denied") },` +
			` configurable: true})`,
		"has no IndexedDB": `Object.defineProperty(window, "indexedDB", {value: undefined, configurable: true})`,
	} {
		t.Run(name, func(t *testing.T) {
			restore := js.Global().Call("eval", `(() => {
				const open = IDBFactory.prototype.open, transaction = IDBDatabase.prototype.transaction,
					put = IDBObjectStore.prototype.put,
					own = Object.getOwnPropertyDescriptor(window, "indexedDB");
				return () => { Object.defineProperty(window, "indexedDB", own);
					IDBFactory.prototype.open = open; IDBDatabase.prototype.transaction = transaction;
					IDBObjectStore.prototype.put = put };
			})()`)
			js.Global().Call("eval", "(() => {"+breakage+"})()")
			s := &browser.Storage{Name: "broken " + name}
			require.Error(t, s.Save(t.Context(), "a", []byte("b")))
			restore.Invoke()
			require.NoError(t, s.Save(t.Context(), "a", []byte("b")))
		})
	}
}

// A caller that stops waiting for a slow disk leaves a database that works the next time.
func TestStorageWorksAfterACancelledOpen(t *testing.T) {
	s := &browser.Storage{Name: "slow"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Save(ctx, "a", []byte("b")), context.Canceled)
	require.NoError(t, s.Save(t.Context(), "a", []byte("b")))
	again := &browser.Storage{Name: "slow"}
	all, err := again.Load(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, all, 1)
}

func TestWatchReportsTheEventsOfThePage(t *testing.T) {
	var got []port.PageEvent
	stop := browser.NewPage().Watch(func(e port.PageEvent) { got = append(got, e) })
	fire := func() {
		js.Global().Call("eval", `for (const name of ["focus", "blur", "online", "offline", "pagehide"])
				dispatchEvent(new Event(name));
			for (const name of ["visibilitychange", "freeze", "resume"]) document.dispatchEvent(new Event(name));
			dispatchEvent(new PageTransitionEvent("pageshow", {persisted: false}));
			dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
	}
	fire()
	want := []port.PageEvent{port.Focused, port.Blurred, port.Online, port.Offline, port.Frozen,
		port.Appeared, port.Frozen, port.Thawed, port.Thawed}
	require.Equal(t, want, got)
	stop()
	fire()
	require.Len(t, got, len(want))
}

func TestIsOnlineFollowsTheBrowser(t *testing.T) {
	p, navigator := browser.NewPage(), js.Global().Get("navigator")
	require.Equal(t, navigator.Get("onLine").Bool(), p.IsOnline())
	for _, online := range []bool{false, true} {
		property := map[string]any{"value": online, "configurable": true}
		js.Global().Get("Object").Call("defineProperty", navigator, "onLine", property)
		require.Equal(t, online, p.IsOnline())
	}
	navigator.Delete("onLine")
}
