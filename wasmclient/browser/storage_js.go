package browser

import (
	"context"
	"fmt"
	"sync"
	"syscall/js"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// A Storage keeps values in IndexedDB: in one database with one store of bytes. It is safe for concurrent
// use.
type Storage struct {
	// Name is the name of the database. Required.
	Name string

	mu      sync.Mutex
	opening *opening // the present or last attempt to open the database; nil means that the next use opens it
}

// opening is one attempt to open the database. It goes on when no caller waits for it any more, because
// the browser may call its handlers late.
type opening struct {
	done chan struct{} // closed when db and err are set
	db   js.Value
	err  error
}

var (
	_ port.Storage   = (*Storage)(nil)
	_ port.Persister = (*Storage)(nil)
	_ port.Noter     = (*Storage)(nil)
)

// values is the name of the store in the database.
const values = "values"

// open returns the database, and opens it at the first use. A browser that blocks databases throws, answers
// with an error, or has none; open returns an error then.
func (s *Storage) open(ctx context.Context) (db js.Value, err error) {
	s.mu.Lock()
	o := s.opening
	if o == nil {
		o = &opening{done: make(chan struct{})}
		s.opening = o
		go func() {
			defer close(o.done)
			if o.db, o.err = s.request(); o.err != nil {
				s.forget(o)
			} else {
				s.closeOnRequest(o)
			}
		}()
	}
	s.mu.Unlock()
	select {
	case <-o.done:
		return o.db, o.err
	case <-ctx.Done():
		return js.Value{}, ctx.Err()
	}
}

// forget makes the next use open the database again.
func (s *Storage) forget(o *opening) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening == o {
		s.opening = nil
	}
}

// request opens the database, and makes the store in a new one.
func (s *Storage) request() (db js.Value, err error) {
	defer thrown(&err)
	request := Property(js.Global(), "indexedDB").Call("open", s.Name, 1)
	upgrade := js.FuncOf(func(js.Value, []js.Value) any {
		request.Get("result").Call("createObjectStore", values)
		return nil
	})
	defer upgrade.Release()
	request.Set("onupgradeneeded", upgrade)
	if err := waitFor(context.Background(), request, "onsuccess", "onerror", "onblocked"); err != nil {
		return js.Value{}, err
	}
	return request.Get("result"), nil
}

// closeOnRequest closes the database when another page wants to delete it.
func (s *Storage) closeOnRequest(o *opening) {
	var closed js.Func
	closed = js.FuncOf(func(js.Value, []js.Value) any {
		o.db.Call("close")
		closed.Release()
		go s.forget(o)
		return nil
	})
	o.db.Set("onversionchange", closed)
	o.db.Set("onclose", closed)
}

// waitFor waits until a request or transaction calls one of its handlers. Handlers other than good are
// errors.
func waitFor(ctx context.Context, target js.Value, good string, bad ...string) error {
	end := make(chan error, 1+len(bad))
	done := js.FuncOf(func(js.Value, []js.Value) any { end <- nil; return nil })
	failed := js.FuncOf(func(js.Value, []js.Value) any {
		reason := "failed"
		if e := target.Get("error"); e.Truthy() {
			reason = e.Get("name").String() + ": " + e.Get("message").String()
		}
		end <- fmt.Errorf("browser: IndexedDB: %s", reason)
		return nil
	})
	target.Set(good, done)
	for _, name := range bad {
		target.Set(name, failed)
	}
	defer func() {
		for _, name := range append(bad, good) {
			target.Set(name, js.Null())
		}
		done.Release()
		failed.Release()
	}()
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transact calls do in a transaction, and waits until its writes are on the disk.
func (s *Storage) transact(ctx context.Context, mode string, do func(store js.Value)) (err error) {
	db, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer thrown(&err)
	// Without strict durability, a complete write is only in the kernel's memory, and a power cut loses
	// it. Strict durability costs some 2 ms.
	tx := db.Call("transaction", values, mode, map[string]any{"durability": "strict"})
	do(tx.Call("objectStore", values))
	return waitFor(ctx, tx, "oncomplete", "onerror", "onabort")
}

// prefixed returns the range of the keys that begin with a prefix.
func prefixed(prefix string) js.Value {
	return js.Global().Get("IDBKeyRange").Call("bound", prefix, prefix+"\uffff")
}

// Load implements port.Storage.
func (s *Storage) Load(ctx context.Context, prefix string) (map[string][]byte, error) {
	var keys, all js.Value
	err := s.transact(ctx, "readonly", func(store js.Value) {
		keys, all = store.Call("getAllKeys", prefixed(prefix)), store.Call("getAll", prefixed(prefix))
	})
	if err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	for i := range keys.Get("result").Length() {
		value := all.Get("result").Index(i)
		raw := make([]byte, value.Get("byteLength").Int())
		js.CopyBytesToGo(raw, value)
		found[keys.Get("result").Index(i).String()] = raw
	}
	return found, nil
}

// Save implements port.Storage.
func (s *Storage) Save(ctx context.Context, key string, value []byte) error {
	raw := js.Global().Get("Uint8Array").New(len(value))
	js.CopyBytesToJS(raw, value)
	return s.transact(ctx, "readwrite", func(store js.Value) { store.Call("put", raw, key) })
}

// Delete implements port.Storage.
func (s *Storage) Delete(ctx context.Context, prefix string) error {
	if prefix == "" {
		s.Note("")
	}
	return s.transact(ctx, "readwrite", func(store js.Value) { store.Call("delete", prefixed(prefix)) })
}

// Persist implements port.Persister. It does nothing in a browser without
// that feature, for example on plain HTTP.
func (s *Storage) Persist() {
	_ = Attempt(func() { Property(js.Global().Get("navigator"), "storage").Call("persist").Call("catch", ignore) })
}

// ignore discards the result of a promise.
var ignore = js.FuncOf(func(js.Value, []js.Value) any { return nil })

// Note implements port.Noter with localStorage. It does nothing if localStorage is blocked.
func (s *Storage) Note(words string) {
	_ = Attempt(func() {
		if words == "" {
			Property(js.Global(), "localStorage").Call("removeItem", s.noteKey())
		} else {
			Property(js.Global(), "localStorage").Call("setItem", s.noteKey(), words)
		}
	})
}

// Noted implements port.Noter.
func (s *Storage) Noted() string { return setting(s.noteKey()) }

func (s *Storage) noteKey() string { return s.Name + "-unsent" }
