// Package app is the module of the PWA: live (the bridge from the client to
// the components), ui (components), pages (one file a page), cmd/web (the wasm)
// and cmd/build (the static files).
package app
