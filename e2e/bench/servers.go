package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Names of the servers, as the table has them.
const (
	yardlineName  = "Yardline"
	referenceName = "one write() in C"
)

// server is a program to measure.
type server struct {
	name string

	// command returns the program and its arguments. dir is an empty directory for its
	// data.
	command func(address, dir string) []string

	// benchFlags returns the flags of yardline bench that say how to read and publish.
	benchFlags func(url, dir string) []string

	readyPath string // answers 200 when the server is ready; empty means that it always is
}

// availableServers returns the servers, the reference first, and what is missing.
func availableServers(ctx context.Context, o options) (servers []server, notes []string) {
	if note := compileReference(ctx, o.reference); note == "" {
		servers = append(servers, peer(referenceName, func(address string) []string {
			_, port, _ := net.SplitHostPort(address)
			return []string{o.reference, port}
		}))
	} else {
		notes = append(notes, note)
	}
	servers = append(servers, server{
		name: yardlineName,
		command: func(address, dir string) []string {
			return []string{o.yardline, "serve", "--listen", address, "--data", dir,
				"--publish-rate", "1000000", "--max-connections", "30000"}
		},
		benchFlags: func(_, dir string) []string { return []string{"--data", dir} },
		readyPath:  "/readyz",
	})
	for _, name := range []string{"go-sse", "r3labs", "centrifuge"} {
		servers = append(servers, peer(name, func(address string) []string { return []string{o.peers, name, address} }))
	}
	return servers, notes
}

// peer returns a server of this module.
func peer(name string, command func(address string) []string) server {
	return server{
		name:    name,
		command: func(address, _ string) []string { return command(address) },
		benchFlags: func(url, _ string) []string {
			return []string{"--subscribe", url + "/sse", "--publish", url + "/pub", "--body", "{{payload}}"}
		},
	}
}

// compileReference compiles the reference, and returns a note if that is not possible.
func compileReference(ctx context.Context, program string) (note string) {
	out, err := exec.CommandContext(ctx, "gcc", "-O2", "-o", program, "reference/reference.c").CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "gcc is missing on this machine, so there is no reference in C and there are no ratios."
	case err != nil:
		return fmt.Sprintf("The reference in C does not compile, so there are no ratios: %v %s", err, out)
	}
	return ""
}

// measureOnce starts a server, measures it, and stops it.
func measureOnce(ctx context.Context, o options, m measurement, s server) (r *report, err error) {
	dir, err := os.MkdirTemp("", "yardline-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := s.command(address, dir)
	var serverOutput bytes.Buffer
	process := exec.CommandContext(ctx, args[0], args[1:]...)
	process.Stdout, process.Stderr = &serverOutput, &serverOutput
	if err := process.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	defer func() {
		_ = process.Process.Signal(syscall.SIGTERM) // fails only when it has ended
		select {
		case <-ended:
		case <-time.After(stopTimeout):
			_ = process.Process.Kill()
			<-ended
		}
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, lastBytes(serverOutput.Bytes(), 2000))
		}
	}()
	if err := waitReady(ctx, address, s.readyPath); err != nil {
		return nil, err
	}
	return runBench(ctx, o.yardline, m, s, "http://"+address, dir, process.Process.Pid)
}

// stopTimeout is how long a server may take to stop.
const stopTimeout = 20 * time.Second

// runBench runs yardline bench and returns its report.
func runBench(
	ctx context.Context, yardline string, m measurement, s server, url, dir string, pid int,
) (*report, error) {
	args := append([]string{"bench", "--json", "--pid", strconv.Itoa(pid)}, m.flags()...)
	args = append(append(args, s.benchFlags(url, dir)...), url)
	var out, errs bytes.Buffer
	command := exec.CommandContext(ctx, yardline, args...)
	command.Stdout, command.Stderr = &out, &errs
	runErr := command.Run()
	r := new(report)
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		return nil, fmt.Errorf("yardline bench: %w %s", errors.Join(runErr, err), lastBytes(errs.Bytes(), 500))
	}
	return r, nil // after losses bench fails with a report, and the table has the losses
}

// freeAddress returns an address of this machine that nothing listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// waitReady waits until a server accepts connections, and until its path answers 200.
func waitReady(ctx context.Context, address, path string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	isReady := func() bool {
		if path == "" {
			c, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				c.Close()
			}
			return err == nil
		}
		answer, err := client.Get("http://" + address + path)
		if err == nil {
			answer.Body.Close()
		}
		return err == nil && answer.StatusCode == http.StatusOK
	}
	for deadline := time.Now().Add(startTimeout); !isReady(); time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("the server is not ready within %v", startTimeout)
		}
	}
	return nil
}

// startTimeout is how long a server may take to start.
const startTimeout = 20 * time.Second

// lastBytes returns the end of a text.
func lastBytes(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
