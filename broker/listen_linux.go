package broker

import (
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long a peer may leave what it was sent without an
// answer. A machine that was switched off would otherwise hold its streams for
// a quarter of an hour, by the kernel's own patience (tcp(7), TCP_USER_TIMEOUT).
const unacknowledged = time.Minute

// unsent is how many bytes the kernel takes for a peer beyond what it may send at
// once (tcp(7), TCP_NOTSENT_LOWAT). Without a limit it takes megabytes, which a
// slow reader needs minutes for: no write would tell that it takes any.
const unsent = 16 << 10

func listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		controlled := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
			}
		})
		if controlled != nil {
			return controlled
		}
		return err
	}}
	return config.Listen(ctx, "tcp", address)
}
