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

// listen opens a TCP listener. Its connections inherit ackTimeout and maxUnsent.
func listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		controlled := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT,
				int(ackTimeout.Milliseconds()))
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
			}
		})
		if controlled != nil {
			return controlled
		}
		return err
	}}
	return config.Listen(ctx, "tcp", address)
}
