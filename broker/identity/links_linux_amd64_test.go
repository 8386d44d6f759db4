package identity

import "golang.org/x/sys/unix"

// linkCalls are the system calls that make hard links.
var linkCalls = []uint32{unix.SYS_LINK, unix.SYS_LINKAT}
