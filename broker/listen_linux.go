package broker

import (
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ackTimeout is how long sent data may stay unacknowledged before the kernel closes
// the connection (tcp(7), TCP_USER_TIMEOUT). By default the kernel keeps a connection
// for a quarter of an hour after the client's machine was switched off.
const ackTimeout = time.Minute

// maxUnsent is the number of bytes that the kernel buffers for a client beyond those
// that it may send at once (tcp(7), TCP_NOTSENT_LOWAT). Without a limit it buffers
// megabytes. A slow reader needs minutes for them, and until then no write shows
// whether the reader reads at all.
const maxUnsent = 16 << 10

// A probe of a quiet connection is sent after keepAliveAfter, and then every
// keepAliveAfter; after keepAliveProbes without an answer the kernel closes the
// connection (tcp(7), TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). These are Go's values.
const (
	keepAliveAfter  = 15 * time.Second
	keepAliveProbes = 9
)

// socketOptions are the options of the listener. Its connections inherit them (tcp(7)),
// which saves four system calls for each connection.
var socketOptions = []struct{ level, name, value int }{
	{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(ackTimeout.Milliseconds())},
	{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent},
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepAliveAfter.Seconds())},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveAfter.Seconds())},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveProbes},
}

// listen opens a TCP listener with socketOptions.
func listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{
		KeepAlive: -1, // Go sets none, because the connections inherit them
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			controlled := c.Control(func(fd uintptr) {
				for _, o := range socketOptions {
					if err == nil {
						err = unix.SetsockoptInt(int(fd), o.level, o.name, o.value)
					}
				}
			})
			if controlled != nil {
				return controlled
			}
			return err
		},
	}
	return config.Listen(ctx, "tcp", address)
}
