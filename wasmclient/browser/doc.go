// Package browser is the client's transport in the browser, over fetch, and
// the browser's word on the network. Its _js.go files are the only ones of the
// client that touch syscall/js.
package browser
