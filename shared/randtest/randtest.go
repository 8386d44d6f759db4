// Package randtest bounds how many random cases a test tries.
package randtest

import "testing"

// Seeds returns n. In a short run (go test -short) it returns a fifth of n, rounded up. The race detector makes random
// cases some twenty times as slow. The Makefile therefore uses -short with the race detector, and runs the same tests
// again without both.
func Seeds(n int64) int64 {
	if testing.Short() {
		return (n + 4) / 5
	}
	return n
}
