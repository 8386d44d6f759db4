//go:build !linux

package broker

import (
	"context"
	"net"
)

// listen leaves a peer that was switched off to the patience of the system.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", address)
}
