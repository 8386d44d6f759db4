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
	cmd.Env = append(os.Environ(), "YARDLINE_LISTEN=127.0.0.1:0") // the port of the README may be taken here
	said, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		// make passes the signal on to nobody: its child is found by its address.
		stopBroker(t, clone)
		_ = cmd.Process.Kill() // it may still be building
		_ = cmd.Wait()
	})
	stuck := time.AfterFunc(buildTime, func() { _ = cmd.Process.Kill() }) // ends the lines below
	var address, curl string
	for lines := bufio.NewScanner(said); address == "" || curl == ""; {
		require.True(t, lines.Scan(), "make run ended, or took too long, before it said where it is")
		if at := regexp.MustCompile(`^Yardline is at (http://localhost:\d+)`).FindStringSubmatch(lines.Text()); at != nil {
			address = at[1]
		}
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "curl -X POST") {
			curl = strings.TrimSpace(lines.Text())
		}
	}
	stuck.Stop()
	go io.Copy(io.Discard, said) // until it ends
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

// buildTime is how long a fresh clone may take to build and start.
const buildTime = 5 * time.Minute

// stopBroker ends the broker whose binary is in a clone.
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
