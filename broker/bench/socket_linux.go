package bench

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"golang.org/x/sys/unix"
)

// smallBuffer is the receive buffer of streams that read slowly or never, in bytes. The
// server then notices after some kilobytes that they do not read.
const smallBuffer = 4096

// resolve returns the socket address of a URL, and prefers IPv4.
func resolve(address string) (unix.Sockaddr, net.IP, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, &ConfigError{err.Error()}
	}
	a, err := net.ResolveTCPAddr("tcp4", hostAndPort(u))
	if err != nil {
		a, err = net.ResolveTCPAddr("tcp", hostAndPort(u))
	}
	if err != nil {
		return nil, nil, &ConfigError{err.Error()}
	}
	return sockaddr(a.IP, a.Port), a.IP, nil
}

// sockaddr returns the kernel's form of an address.
func sockaddr(ip net.IP, port int) unix.Sockaddr {
	if v4 := ip.To4(); v4 != nil {
		return &unix.SockaddrInet4{Port: port, Addr: [4]byte(v4)}
	}
	return &unix.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())}
}

// connect begins to connect a new socket that does not block.
func connect(to unix.Sockaddr, source net.IP, kind streamKind) (fd int, err error) {
	family := unix.AF_INET
	if _, isV6 := to.(*unix.SockaddrInet6); isV6 {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening a socket: %w", err)
	}
	if err := prepareAndConnect(fd, to, source, kind); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepareAndConnect sets a socket's options and source, and begins to connect it.
func prepareAndConnect(fd int, to unix.Sockaddr, source net.IP, kind streamKind) error {
	if kind != subscriberStream {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, smallBuffer); err != nil {
			return fmt.Errorf("setting a receive buffer: %w", err)
		}
	}
	if source != nil {
		// The kernel then chooses a port that is free for this target alone.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return fmt.Errorf("choosing a source address: %w", err)
		}
		if err := unix.Bind(fd, sockaddr(source, 0)); err != nil {
			return fmt.Errorf("choosing the source address %s: %w", source, err)
		}
	}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connecting: %w", err)
	}
	return nil
}

// raiseDescriptorLimit raises the limit on open files of this process as far as it may,
// and returns a ConfigError if fewer than needed may be open.
func raiseDescriptorLimit(needed int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < uint64(needed) {
		raised := unix.Rlimit{Cur: uint64(needed), Max: uint64(needed)} // root may
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			return nil
		}
		return &ConfigError{fmt.Sprintf("%d streams need %d open files, and this process may have %d; "+
			"raise the limit with ulimit -Hn, or open fewer streams", needed-spareDescriptors, needed, limit.Max)}
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// spareDescriptors is the number of open files beside those of the streams and publishers.
const spareDescriptors = 64
