//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

const (
	powerCuts  = 10
	publishers = 64
	imageSize  = 1 << 30 // in bytes; the file is sparse
)

// The power of the disk fails ten times while 64 publishers run. After each cut the log has every event that was
// acknowledged before it, once and in order, and the broker's state is that of all events.
//
// The data directory is in an ext4 file system on a loop device. A cut stops the file system at once: what is only in
// the page cache or only in the memory of the journal never reaches the device. The image therefore has what a disk
// has at one moment, and nothing writes to it while it is copied. The broker then starts on the mounted copy.
//
// The test proves that the broker answers a publisher only after the kernel has written the event to the device. The
// device has no cache of its own that a cut would empty: that the kernel flushes such a cache, and that the drive obeys
// it, is not tested here.
func TestPowerCutsLoseNoAcknowledgedEvent(t *testing.T) {
	dir := t.TempDir()
	mount := filepath.Join(dir, "mount")
	require.NoError(t, os.Mkdir(mount, 0o700))
	image := filepath.Join(dir, "0.ext4")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, imageSize))
	runTool(t, "mkfs.ext4", "-q", "-F", image)
	mountImage(t, image, mount)
	s := stack.NewIn(t, filepath.Join(mount, "data"), "--publish-rate", "1000000")
	start(t, s)

	acked := map[string]wire.Cursor{}
	for cut := range powerCuts {
		copied := filepath.Join(dir, fmt.Sprint(cut+1, ".ext4"))
		publishUntil(t, s, fmt.Sprint("cut", cut), acked, func() {
			cutPower(t, mount)
			runTool(t, "cp", "--sparse=always", image, copied)
			s.Kill()
		})
		runTool(t, "umount", mount)
		require.NoError(t, os.Remove(image))
		image = copied
		mountImage(t, image, mount)
		start(t, s)
		const overdue = `{"type":"rental_overdue","data":{"rental_id":%d,"days_overdue":1}}`
		last := s.Publish(fmt.Sprintf(overdue, cut+1)).Cursor
		testkit.RequireAcknowledgedEvents(t, s, acked, last)
	}
}

// start starts the broker and waits until it is ready. It is ready a moment after it listens.
func start(t *testing.T, s *stack.Stack) {
	t.Helper()
	s.Up()
	testkit.Eventually(t, testkit.Soon, "the broker is ready", func() bool {
		answer, err := http.Get(s.URL + "/readyz")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
}

// publishUntil lets the publishers run, calls fail after some hundreds of acknowledged events, and waits until each
// publisher has got an error. It adds the events that were acknowledged before fail to acked. Later answers
// come from a broker that outlives its disk, which no power cut leaves behind.
func publishUntil(t *testing.T, s *stack.Stack, prefix string, acked map[string]wire.Cursor, fail func()) {
	t.Helper()
	var (
		isFailing atomic.Bool
		mu        sync.Mutex // guards acked
		running   sync.WaitGroup
	)
	stored := make(chan struct{}, 1<<20) // a value for each acknowledged event; its size lets no publisher wait
	for p := range publishers {
		api := s.APIFor("erp", 0, access.Service)
		running.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", prefix, p, i)
				r, err := api.PublishJSON(t.Context(), testkit.LoadEvent(id, i))
				if err != nil {
					if !isFailing.Load() {
						t.Errorf("%s: %v", id, err)
						stored <- struct{}{}
					}
					return
				}
				mu.Lock()
				if !isFailing.Load() {
					acked[id] = r.Cursor
				}
				mu.Unlock()
				stored <- struct{}{}
			}
		})
	}
	for range 500 + rand.IntN(2000) {
		<-stored
	}
	isFailing.Store(true)
	fail()
	running.Wait()
}

// cutPower stops the file system at a path at once, without writing what it has in memory. Every later write fails.
func cutPower(t *testing.T, path string) {
	t.Helper()
	const (
		shutdown       = 0x8004587d // EXT4_IOC_SHUTDOWN of the kernel, _IOR('X', 125, __u32)
		withoutLogging = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH: not even the journal is written
	)
	root, err := os.Open(path)
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, unix.IoctlSetPointerInt(int(root.Fd()), shutdown, withoutLogging))
}

// mountImage mounts the file system in an image until the test ends or unmounts it. The kernel replays its journal.
func mountImage(t *testing.T, image, path string) {
	t.Helper()
	runTool(t, "mount", "-t", "ext4", "-o", "loop", image, path)
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) }) // It fails if the test has unmounted it.
}

// runTool runs a program. A failure says what the test needs.
func runTool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s\nThis test needs root on Linux, loop devices, ext4, e2fsprogs and util-linux.",
			name, args, err, out)
	}
}
