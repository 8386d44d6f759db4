//go:build !linux

package broker

import (
	"context"
	"net"
)

// listen opens a TCP listener. Its connections have the time-outs of the system.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", address)
}
