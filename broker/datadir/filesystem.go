//go:build !js

package datadir

import (
	"os"
	"path/filepath"
	"strings"
)

// FileSystem names the file system of a path and the place where it is mounted,
// such as "vfat at /mnt/usb", or "unknown". The path need not exist.
func FileSystem(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "unknown"
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = real
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "unknown"
	}
	return mountedAt(absolute, string(mounts))
}

// mountedAt finds the file system of an absolute path in the lines of
// /proc/self/mountinfo. A line may have any length: that of an overlay names all
// its layers.
func mountedAt(absolute, mounts string) string {
	kind, at := "", ""
	for line := range strings.Lines(mounts) {
		// proc_pid_mountinfo(5): the fifth field is the place, and the type
		// follows a lone hyphen.
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(rest) == 0 {
			continue
		}
		place := strings.ReplaceAll(fields[4], `\040`, " ")
		if len(place) >= len(at) && isWithin(absolute, place) {
			kind, at = rest[0], place
		}
	}
	if kind == "" {
		return "unknown"
	}
	return kind + " at " + at
}

// isWithin tells whether a path is a directory or lies in it.
func isWithin(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
