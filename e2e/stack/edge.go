package stack

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
)

// Kinds of installations that the same tests run on.
const (
	Broker = "broker"
	Edge   = "edge"
)

// Kinds lists all kinds of installations.
var Kinds = []string{Broker, Edge}

// StartOn starts an installation of a kind. It runs until the test ends.
func StartOn(t testing.TB, kind string) *Stack {
	t.Helper()
	if kind == Broker {
		return Start(t)
	}
	return StartEdge(t)
}

// edgeTenant is the tenant of the tokens of an installation at the edge.
const edgeTenant = "main"

// An edge is the configuration of a Stack that runs in workerd.
type edge struct {
	vars    map[string]string // the variables of the worker
	folder  string            // the path of the built worker
	program string            // the path of the wasm
	script  string            // a main module that imports worker.mjs; "" makes worker.mjs the main module
	assets  string            // the host and port of the static assets
	runtime string            // one of Runtimes
	tokens  *identity.Tokens
	tenant  string // the tenant of new tokens; "" for a gate, which has no tenants
}

// An EdgeOption changes an installation at the edge.
type EdgeOption func(*edge)

// Var returns an option that sets a variable of the worker.
func Var(name, value string) EdgeOption { return func(e *edge) { e.vars[name] = value } }

// Program returns an option that runs the wasm at a path in place of the built one.
func Program(path string) EdgeOption { return func(e *edge) { e.program = path } }

// Script returns an option that makes a text the main module. The module can import worker.mjs.
func Script(text string) EdgeOption { return func(e *edge) { e.script = text } }

// Direct is an option that sends every request directly to one Durable Object, without the checks of the front.
var Direct = Script(`export * from "worker.mjs";
export default { fetch(request, env) { return env.HUB.getByName("test").fetch(request); } };
`)

// Runtimes are the npm packages of workerd in which tests may run the edge. The first one is the newest, and the
// default. The others report differently that a client has left: 2026-04 calls cancel of a stream, 2026-06 does not.
var Runtimes = []string{"workerd", "workerd-2026-04", "workerd-2026-06"}

// Runtime returns an option that runs the worker in one of the Runtimes.
func Runtime(name string) EdgeOption { return func(e *edge) { e.runtime = name } }

// tokenKey is the secret of the installations at the edge.
var tokenKey = hex.EncodeToString([]byte("a key of 32 bytes for the tests."))

// StartEdge starts the worker in workerd. It runs until the test ends.
func StartEdge(t testing.TB, options ...EdgeOption) *Stack {
	t.Helper()
	folder, err := filepath.Abs("../../bin/edge")
	if err == nil {
		_, err = os.Stat(filepath.Join(folder, "worker.mjs"))
	}
	if err != nil {
		t.Fatalf("the tests of the edge run what was built: run make edge first (%v)", err)
	}
	tokens, err := identity.NewTokens(tokenKey)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{
		vars:    map[string]string{"TOKEN_KEY": tokenKey, "AUTH": "dev"},
		folder:  folder,
		program: filepath.Join(folder, "edge.wasm"),
		assets:  serveAssets(t, filepath.Join(folder, "assets")),
		tokens:  tokens,
		tenant:  edgeTenant,
		runtime: Runtimes[0],
	}
	for _, option := range options {
		option(e)
	}
	s := &Stack{t: t, dir: t.TempDir(), Port: "0", edge: e}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.Kill()
		}
	})
	s.Up()
	return s
}

// StartGate starts the worker as a gate in front of a broker. It runs until the test ends.
func StartGate(t testing.TB, origin *Stack, options ...EdgeOption) *Stack {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(origin.dir, "token.key"))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := identity.NewTokens(string(key))
	if err != nil {
		t.Fatal(err)
	}
	gate := []EdgeOption{
		Var("ORIGIN", origin.URL),
		Var("TOKEN_KEY", strings.TrimSpace(string(key))),
		Var("AUTH", "token"),
		func(e *edge) { e.tokens, e.tenant = tokens, "" },
	}
	return StartEdge(t, append(gate, options...)...)
}

// workerdPath returns the path of the binary of one of the Runtimes. A package for this system holds the binary; npm
// installs it beside the package of the runtime or below it.
func workerdPath(t testing.TB, name string) string {
	t.Helper()
	for _, packages := range []string{"../node_modules/" + name + "/node_modules", "../node_modules"} {
		found, err := filepath.Glob(packages + "/@cloudflare/workerd-*/bin/workerd")
		if err == nil && len(found) == 1 {
			path, err := filepath.Abs(found[0])
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	t.Fatalf("the tests of the edge need %s: run npm ci --ignore-scripts in e2e", name)
	return ""
}

// startWorkerd starts workerd. After a restart it has the same port and the same storage.
func (s *Stack) startWorkerd() {
	s.t.Helper()
	config := filepath.Join(s.dir, "config.capnp")
	if err := os.WriteFile(config, []byte(s.edge.workerdConfig(s.t, s.dir, s.Port)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	control, controlWriter, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	defer control.Close()
	s.cmd = exec.Command(workerdPath(s.t, s.edge.runtime), "serve", "--control-fd=3", "--experimental", config)
	// The output goes to files, because Wait would wait for the readers of a pipe.
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.ExtraFiles = log, log, []*os.File{controlWriter}
	err = s.cmd.Start()
	controlWriter.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan error, 1)
	cmd, exited := s.cmd, s.exited
	go func() { exited <- cmd.Wait() }()
	var started struct{ Port int }
	if err := control.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		s.t.Fatal(err)
	}
	if err := json.NewDecoder(bufio.NewReader(control)).Decode(&started); err != nil {
		_ = s.cmd.Process.Kill() // It fails if the process has ended by itself.
		s.t.Fatalf("workerd did not start: %v\n%s", err, s.EdgeLog())
	}
	s.Port = fmt.Sprint(started.Port)
	s.URL = "http://localhost:" + s.Port
	s.Token = s.CreateTokenIn(s.edge.tenant, "erp", 0, access.Service, access.Manager)
}

// EdgeLog returns the log of the worker.
func (s *Stack) EdgeLog() string {
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(log)
}

// CreateTokenIn signs a token of a tenant that is valid for an hour. "" is no tenant; 0 is no employee.
func (s *Stack) CreateTokenIn(tenant, user string, employee int64, roles ...access.Role) string {
	s.t.Helper()
	return s.CreateTokenWithTTL(time.Hour, tenant, user, employee, roles...)
}

// CreateTokenWithTTL is like CreateTokenIn, but the token expires after ttl.
func (s *Stack) CreateTokenWithTTL(
	ttl time.Duration,
	tenant, user string,
	employee int64,
	roles ...access.Role,
) string {
	s.t.Helper()
	g, err := access.NewGrant(user, "", roles, employee)
	if err == nil && tenant != "" {
		g, err = g.InTenant(tenant)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := s.tokens().Create(g, ttl)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// workerdConfig returns the configuration of workerd in the text format of Cap'n Proto.
func (e *edge) workerdConfig(t testing.TB, dir, port string) string {
	store := filepath.Join(dir, "store")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	modules := []string{
		moduleEntry(t, dir, "worker.mjs", "esModule", filepath.Join(e.folder, "worker.mjs")),
		moduleEntry(t, dir, "wasm_exec.js", "esModule", filepath.Join(e.folder, "wasm_exec.js")),
		moduleEntry(t, dir, "edge.wasm", "wasm", e.program),
	}
	if e.script != "" {
		path := filepath.Join(dir, "script.mjs")
		if err := os.WriteFile(path, []byte(e.script), 0o600); err != nil {
			t.Fatal(err)
		}
		modules = slices.Insert(modules, 0, moduleEntry(t, dir, "script.mjs", "esModule", path))
	}
	bindings := []string{`(name = "HUB", durableObjectNamespace = "Tenant")`, `(name = "ASSETS", service = "assets")`}
	for name, value := range e.vars {
		bindings = append(bindings, fmt.Sprintf(`(name = %q, text = %q)`, name, value))
	}
	return fmt.Sprintf(`using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "assets", external = (address = %q, http = ())),
    (name = "store", disk = (path = %q, writable = true)),
    (name = "internet", network = (allow = ["private", "local"]))
  ],
  sockets = [ (name = "http", address = %q, http = (), service = "main") ]
);
const worker :Workerd.Worker = (
  modules = [ %s ],
  compatibilityDate = "2026-04-01", compatibilityFlags = ["enable_request_signal"],
  bindings = [ %s ],
  durableObjectNamespaces = [ (className = "Tenant", uniqueKey = "tenant", enableSql = true) ],
  durableObjectStorage = (localDisk = "store")
);
`, e.assets, store, net.JoinHostPort("127.0.0.1", port), strings.Join(modules, ", "), strings.Join(bindings, ", "))
}

// moduleEntry returns the entry of a module of the worker. The path of its file is relative to the folder of the
// configuration.
func moduleEntry(t testing.TB, dir, name, kind, path string) string {
	relative, err := filepath.Rel(dir, path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`(name = %q, %s = embed %q)`, name, kind, relative)
}
