//go:build faults

package edge

import "net/http"

// The program with faults ends when it is told to: tests see what becomes of
// readers and events then.
func init() {
	fault = func(r *http.Request) {
		if r.Header.Get("Yardline-Fault") != "" {
			go panic("a fault was asked for")
		}
	}
}
