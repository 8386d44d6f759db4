// Package wasmclient is useSSE for Go.
package wasmclient
