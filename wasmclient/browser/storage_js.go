package browser

import (
	"context"
	"fmt"
	"sync"
	"syscall/js"

	"github.com/snd-rental/yardline/wasmclient"
)

// Storage keeps values in IndexedDB: one database with one store of bytes. It
// is safe for concurrent use.
type Storage struct {
	// Name is of the database.
	Name string

	mu sync.Mutex
	db js.Value // undefined until the first use, and after the browser closed it
}

var _ wasmclient.Storage = (*Storage)(nil)

const values = "values" // the store

// open opens the database, once. A browser that blocks it throws, answers with
// an error, or has none.
func (s *Storage) open(ctx context.Context) (db js.Value, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db.Truthy() {
		return s.db, nil
	}
	defer thrown(&err)
	request := js.Global().Get("indexedDB").Call("open", s.Name, 1)
	upgrade := js.FuncOf(func(js.Value, []js.Value) any {
		request.Get("result").Call("createObjectStore", values)
		return nil
	})
	defer upgrade.Release()
	request.Set("onupgradeneeded", upgrade)
	if err := settled(ctx, request, "onsuccess", "onerror", "onblocked"); err != nil {
		return js.Value{}, err
	}
	s.db = request.Get("result")
	forget := js.FuncOf(func(js.Value, []js.Value) any {
		s.db.Call("close") // another page deletes the database, or the browser does
		go func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.db = js.Undefined()
		}()
		return nil
	})
	s.db.Set("onversionchange", forget)
	s.db.Set("onclose", forget)
	return s.db, nil
}

// thrown makes an error of what JavaScript throws.
func thrown(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("browser: IndexedDB: %v", r)
	}
}

// settled waits until a request or transaction calls the first of the handlers;
// any other is an error.
func settled(ctx context.Context, target js.Value, good string, bad ...string) error {
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

// within does something in a transaction and waits until that is on the disk.
func (s *Storage) within(ctx context.Context, mode string, do func(store js.Value)) (err error) {
	db, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer thrown(&err)
	tx := db.Call("transaction", values, mode)
	do(tx.Call("objectStore", values))
	return settled(ctx, tx, "oncomplete", "onerror", "onabort")
}

// prefixed is the range of the keys that begin with a prefix.
func prefixed(prefix string) js.Value {
	return js.Global().Get("IDBKeyRange").Call("bound", prefix, prefix+"\uffff")
}

// Load implements wasmclient.Storage.
func (s *Storage) Load(ctx context.Context, prefix string) (map[string][]byte, error) {
	var keys, all js.Value
	err := s.within(ctx, "readonly", func(store js.Value) {
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

// Save implements wasmclient.Storage.
func (s *Storage) Save(ctx context.Context, key string, value []byte) error {
	raw := js.Global().Get("Uint8Array").New(len(value))
	js.CopyBytesToJS(raw, value)
	return s.within(ctx, "readwrite", func(store js.Value) { store.Call("put", raw, key) })
}

// Delete implements wasmclient.Storage.
func (s *Storage) Delete(ctx context.Context, prefix string) error {
	return s.within(ctx, "readwrite", func(store js.Value) { store.Call("delete", prefixed(prefix)) })
}
