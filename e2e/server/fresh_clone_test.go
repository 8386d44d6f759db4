package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// A fresh clone shows an event on the screen after the commands of the README: make run, and the curl line that it
// prints.
func TestFreshCloneShowsAnEvent(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "    make run ", "the README's first command")
	clone := filepath.Join(t.TempDir(), "yardline")
	out, err := exec.Command("git", "clone", "--quiet", "--depth", "1", "file://"+testkit.RepositoryRoot(t), clone).
		CombinedOutput()
	require.NoError(t, err, string(out))
	cmd := exec.Command("make", "run")
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "YARDLINE_LISTEN=127.0.0.1:0") // The port of the README may be in use.
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		// make does not pass signals on, so stopBroker finds the broker by the path of its binary.
		stopBroker(t, clone)
		_ = cmd.Process.Kill() // make may still be building.
		_ = cmd.Wait()
	})
	timeout := time.AfterFunc(buildTimeout, func() { _ = cmd.Process.Kill() }) // This ends the output, so Scan returns.
	var address, curl string
	startLine := regexp.MustCompile(`^Yardline is at (http://localhost:\d+)`)
	for lines := bufio.NewScanner(output); address == "" || curl == ""; {
		require.True(t, lines.Scan(), "make run ended, or took too long, before it said where it is")
		if match := startLine.FindStringSubmatch(lines.Text()); match != nil {
			address = match[1]
		}
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "curl -X POST") {
			curl = strings.TrimSpace(lines.Text())
		}
	}
	timeout.Stop()
	go io.Copy(io.Discard, output) // It returns when make ends.
	tab := browser.NewUser(t).NewTab()
	tab.Open(address)
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	answer, err := exec.Command("bash", "-c", curl).Output()
	require.NoError(t, err)
	var stored struct{ ID string }
	require.NoError(t, json.Unmarshal(answer, &stored), string(answer))
	testkit.Shows(tab, stored.ID)
}

// buildTimeout is how long a fresh clone may take to build and start.
const buildTimeout = 5 * time.Minute

// stopBroker interrupts the broker whose binary is in a clone, if it runs.
func stopBroker(t *testing.T, clone string) {
	processes, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, p := range processes {
		path, err := os.Readlink(filepath.Join("/proc", p.Name(), "exe"))
		if err != nil || path != filepath.Join(clone, "bin", "yardline") {
			continue
		}
		var pid int
		fmt.Sscan(p.Name(), &pid)
		process, err := os.FindProcess(pid)
		require.NoError(t, err)
		require.NoError(t, process.Signal(os.Interrupt))
	}
}
