package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processUse is what a process uses of a machine.
type processUse struct {
	cpu       time.Duration // user and system time since its start, in steps of 10 ms
	rss, peak int64         // resident memory now and at most, in bytes
}

// kernelTick is the unit of CPU times in /proc.
const kernelTick = 10 * time.Millisecond

// readProcess reads what a process uses. It returns zeros for pid 0.
func readProcess(pid int) (u processUse, err error) {
	if pid == 0 {
		return u, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, &ConfigError{fmt.Sprintf("the process %d cannot be measured: %v", pid, err)}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, &ConfigError{fmt.Sprintf("the process %d cannot be measured: %v", pid, err)}
	}
	return parseProcess(stat, status)
}

// parseProcess reads the files stat and status of a process, proc(5).
func parseProcess(stat, status []byte) (u processUse, err error) {
	// The name in parentheses may contain anything. CPU times are the fields 14 and 15.
	_, fields, _ := strings.Cut(string(stat[max(bytes.LastIndexByte(stat, ')'), 0):]), " ")
	times := strings.Fields(fields)
	if len(times) < 13 {
		return u, fmt.Errorf("unknown form of /proc: %q", stat)
	}
	for _, field := range times[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, fmt.Errorf("unknown form of /proc: %w", err)
		}
		u.cpu += time.Duration(ticks) * kernelTick
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.rss = kilobytes << 10
		case "VmHWM":
			u.peak = kilobytes << 10
		}
	}
	return u, nil
}

// resetPeak makes the kernel forget the peak of a process's memory. It needs the rights of
// the process's user; without them the peak is that of the process's whole life.
func resetPeak(pid int) {
	if pid != 0 {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	}
}

// ownCPU returns the CPU time of this process.
func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
