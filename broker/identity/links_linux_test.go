package identity

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// withoutLinks is an environment variable. It holds the data directory of the process
// that cannot make hard links.
const withoutLinks = "YARDLINE_TEST_WITHOUT_LINKS"

// TestDataDirectoryNeedsNoHardLinks makes all files of a data directory in a process
// whose calls of link(2) fail, as they do on file systems such as exFAT and some
// network shares.
func TestDataDirectoryNeedsNoHardLinks(t *testing.T) {
	if dir := os.Getenv(withoutLinks); dir != "" {
		refuseLinks(t)
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.ErrorIs(t, os.Link(file, file+"2"), unix.EPERM)
		_, err := OpenTokens(dir)
		require.NoError(t, err)
		require.NoError(t, RotateKey(dir))
		user := User{ID: "1", Name: "ann", Password: decoyHash()}
		require.NoError(t, EditUsers(UsersPath(dir), func(u []User) ([]User, error) { return append(u, user), nil }))
		return
	}
	dir := t.TempDir()
	inner := exec.Command(os.Args[0], "-test.run=^TestDataDirectoryNeedsNoHardLinks$")
	inner.Env = append(os.Environ(), withoutLinks+"="+dir)
	out, err := inner.CombinedOutput()
	require.NoError(t, err, "%s", out)
	_, err = LoadTokens(dir)
	require.NoError(t, err)
	users, err := ReadUsers(UsersPath(dir))
	require.NoError(t, err)
	require.Len(t, users, 1)
}

// refuseLinks makes link and linkat fail with EPERM in this process, by a filter
// of seccomp(2).
func refuseLinks(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	const numberAt = 0 // in struct seccomp_data
	refuse := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	filter := []unix.SockFilter{load(numberAt)}
	for _, call := range linkCalls {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1}, refuse)
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	require.Zero(t, errno)
}
