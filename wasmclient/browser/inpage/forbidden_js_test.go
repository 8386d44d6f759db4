package inpage

import (
	"context"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/browser"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
)

func eval(code string) js.Value { return js.Global().Call("eval", code) }

// The storage asks the browser for strict durability, because values must survive a power cut.
func TestWritesAreOnTheDisk(t *testing.T) {
	restore := eval(`(() => {
		const own = IDBDatabase.prototype.transaction;
		window.asked = [];
		IDBDatabase.prototype.transaction = function () {
			const tx = own.apply(this, arguments);
			asked.push(tx.mode + " " + tx.durability);
			return tx;
		};
		return () => { IDBDatabase.prototype.transaction = own };
	})()`)
	defer restore.Invoke()
	s := &browser.Storage{Name: "strict"}
	require.NoError(t, s.Save(t.Context(), "a", []byte("b")))
	require.NoError(t, s.Delete(t.Context(), "a"))
	require.Equal(t, "readwrite strict,readwrite strict", eval(`asked.join()`).String())
}

// The note stays when a value is deleted. It goes when everything is deleted.
func TestNoteOutlivesTheStorage(t *testing.T) {
	s := &browser.Storage{Name: "noted"}
	require.Empty(t, s.Noted())
	s.Note("2 ann")
	require.NoError(t, s.Delete(t.Context(), "a"))
	require.Equal(t, "2 ann", (&browser.Storage{Name: "noted"}).Noted())
	require.NoError(t, s.Delete(t.Context(), ""))
	require.Empty(t, s.Noted())
}

// Persist asks the browser to keep the storage, and accepts any answer.
func TestPersistAcceptsAnyAnswerOfTheBrowser(t *testing.T) {
	for name, breakage := range map[string]string{
		"answers": `StorageManager.prototype.persist = () => { count(); return Promise.resolve(true) }`,
		"rejects": `StorageManager.prototype.persist = () => { count(); return Promise.reject(new TypeError("no")) }`,
		"throws":  `StorageManager.prototype.persist = () => { count(); throw new DOMException("denied") }`,
		"is missing": `count();
			Object.defineProperty(Navigator.prototype, "storage", {value: undefined, configurable: true})`,
	} {
		t.Run(name, func(t *testing.T) {
			restore := eval(`(() => {
				const persist = StorageManager.prototype.persist;
				const own = Object.getOwnPropertyDescriptor(Navigator.prototype, "storage");
				window.counted = 0;
				window.count = () => counted++;
				return () => {
					Object.defineProperty(Navigator.prototype, "storage", own);
					StorageManager.prototype.persist = persist;
				};
			})()`)
			defer restore.Invoke()
			eval("(() => {" + breakage + "})()")
			(&browser.Storage{Name: "kept"}).Persist()
			require.Equal(t, 1, eval(`counted`).Int())
		})
	}
}

// A page works alone when its browser forbids or lacks the features that tabs share.
func TestPageWorksWithoutSharedFeatures(t *testing.T) {
	for name, c := range map[string]struct{ property, owner string }{
		"locks":            {"locks", "Navigator.prototype"},
		"BroadcastChannel": {"BroadcastChannel", "window"},
		"localStorage":     {"localStorage", "window"},
	} {
		for how, descriptor := range map[string]string{
			"throws":     `{get() { throw new DOMException("denied", "SecurityError") }, configurable: true}`,
			"is missing": `{value: undefined, configurable: true}`,
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				restore := eval(`((owner, name) => {
					const own = Object.getOwnPropertyDescriptor(owner, name);
					Object.defineProperty(owner, name, ` + descriptor + `);
					return () => Object.defineProperty(owner, name, own);
				})(` + c.owner + `, "` + c.property + `")`)
				defer restore.Invoke()
				p := browser.NewPage()
				require.Equal(t, c.property == "localStorage", p.HasLocks())
				channel := p.Channel("x", func([]byte) {})
				channel.Post([]byte("y"))
				channel.Close()
				if c.property == "locks" {
					require.Error(t, p.Lock(t.Context(), "x", port.Exclusive, func() { t.Error("held") }))
					_, err := p.IsWanted(t.Context(), "x")
					require.Error(t, err)
				}
				s := &browser.Storage{Name: "forbidden"}
				s.Note("1 x")
				if c.property == "localStorage" {
					require.Empty(t, s.Noted())
				}
				require.Zero(t, browser.Grace())
			})
		}
	}
}

// Host pages and extensions wrap fetch, and the wrapper may throw.
func TestFetchThatThrowsReturnsAnError(t *testing.T) {
	restore := eval(`(() => {
		const own = window.fetch;
		window.fetch = () => { throw new TypeError("wrapped") };
		return () => { window.fetch = own };
	})()`)
	defer restore.Invoke()
	_, err := browser.Transport{}.Do(context.Background(), port.Request{Method: "GET", Path: "/"})
	require.ErrorContains(t, err, "wrapped")
}

// A page could not distinguish a redirect that was followed to another origin from a network that is down. So the
// transport follows no redirect.
func TestRedirectOfALoginProxyIsAnAnswer(t *testing.T) {
	api := wasmclient.API{Transport: browser.Transport{}}
	r, err := api.Transport.Do(t.Context(), port.Request{Method: "POST", Path: "/redirect", Body: []byte("{}")})
	require.NoError(t, err)
	require.Equal(t, 302, r.Status)
	get := port.Request{Method: "GET", Path: "/redirect"}
	r, err = api.Transport.Stream(t.Context(), get, func([]byte) error { return nil })
	require.NoError(t, err)
	var refused *port.Error
	require.ErrorAs(t, port.ErrorOf(r), &refused)
	require.Equal(t, conn.LoginRedirect, refused.Code)
}
