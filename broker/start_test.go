package broker

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// open makes a broker that listens on a free port. c.Data defaults to a new directory.
func open(t *testing.T, c Config) *Broker {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	if c.Data == "" {
		c.Data = t.TempDir()
	}
	b, err := New(t.Context(), c)
	require.NoError(t, err)
	return b
}

// start opens a broker and runs it until the test calls stop. stop waits for Run, and
// closes the broker.
func start(t *testing.T, c Config) (b *Broker, stop func()) {
	t.Helper()
	b = open(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	return b, func() {
		t.Helper()
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, b.Close())
	}
}
