//go:build faults

package edge

import "net/http"

// In a program that is built with faults, a request can end the program. Tests use it to check
// that readers come back and that no event is lost.
func init() {
	fault = func(r *http.Request) {
		if r.Header.Get("Yardline-Fault") != "" {
			go panic("a fault was asked for")
		}
	}
}
