package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Marks around the part of the document that this program writes.
const (
	sectionBegin = "<!-- make bench writes what follows. -->"
	sectionEnd   = "<!-- The end of what make bench writes. -->"
)

// writeSection replaces the part of a document between the marks.
func writeSection(path, section string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := replaceSection(string(document), section)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(replaced), 0o644)
}

// replaceSection returns a document with another section between the marks.
func replaceSection(document, section string) (string, error) {
	before, rest, hasBegin := strings.Cut(document, sectionBegin)
	_, after, hasEnd := strings.Cut(rest, sectionEnd)
	if !hasBegin || !hasEnd {
		return "", fmt.Errorf("there must be %q and %q", sectionBegin, sectionEnd)
	}
	return before + sectionBegin + "\n\n" + strings.TrimSpace(section) + "\n\n" + sectionEnd + after, nil
}

// describeMachine returns processor, memory, system and load of this machine.
func describeMachine() (string, error) {
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", fmt.Errorf("the comparison needs Linux: %w", err)
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "", err
	}
	var info syscall.Sysinfo_t
	var name syscall.Utsname
	if err := syscall.Sysinfo(&info); err != nil {
		return "", err
	}
	if err := syscall.Uname(&name); err != nil {
		return "", err
	}
	var release strings.Builder
	for _, c := range name.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	return fmt.Sprintf("%d × %s, %d GB of memory, Linux %s, %s, load %s at the start", runtime.NumCPU(),
		cpuModel(string(cpu)), (info.Totalram*uint64(info.Unit)+1<<29)>>30, &release, runtime.Version(),
		strings.Fields(string(load))[0]), nil
}

// cpuModel returns the processor's name in the text of /proc/cpuinfo.
func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor of " + runtime.GOARCH
}
