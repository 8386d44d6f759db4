//go:build !js

package datadir

import (
	"os"
	"path/filepath"
	"strings"
)

// FileSystem returns the type of a path's file system and its mount point, such as
// "vfat at /mnt/usb". It returns "unknown" when the system does not report them. The path
// need not exist.
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

// mountedAt finds the file system of an absolute path in the content of
// /proc/self/mountinfo. Its lines may have any length, because the line of an overlay
// names all its layers.
func mountedAt(absolute, mounts string) string {
	kind, mountPoint := "", ""
	for line := range strings.Lines(mounts) {
		// See proc_pid_mountinfo(5): the fifth field is the mount point, and the type
		// follows a single hyphen.
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(rest) == 0 {
			continue
		}
		candidate := strings.ReplaceAll(fields[4], `\040`, " ")
		if len(candidate) >= len(mountPoint) && isWithin(absolute, candidate) {
			kind, mountPoint = rest[0], candidate
		}
	}
	if kind == "" {
		return "unknown"
	}
	return kind + " at " + mountPoint
}

// isWithin tells whether a path is a directory or lies in it.
func isWithin(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
