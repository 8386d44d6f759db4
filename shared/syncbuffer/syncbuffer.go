// Package syncbuffer has a buffer for tests that read the output of a program, or its
// log, while the program runs.
package syncbuffer

import (
	"bytes"
	"sync"
)

// Buffer holds everything that was written to it. The zero value is empty. It is safe
// for concurrent use.
type Buffer struct {
	mu      sync.Mutex // guards content
	content bytes.Buffer
}

// Write appends p. It implements io.Writer and never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.Write(p)
}

// String returns everything that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.String()
}
