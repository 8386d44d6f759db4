// Package randtest bounds how many random cases a test tries.
package randtest

import "testing"

// Seeds returns n, or a fifth of it, at least 1, in a short run (go test -short). The race detector makes random cases
// some twenty times as slow, so make runs it with -short, and the same tests again without it.
func Seeds(n int64) int64 {
	if testing.Short() {
		return (n + 4) / 5
	}
	return n
}
