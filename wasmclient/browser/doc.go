// Package browser connects the client to the browser that runs it. It implements the ports of package
// port: Transport sends requests with fetch and opens WebSockets, Page has the locks and channels of the
// tabs, and Storage keeps values in IndexedDB. Debug and Grace read settings of the user from
// localStorage.
//
// The package is empty unless GOOS=js. Its files are the only ones of the client that use syscall/js.
package browser
