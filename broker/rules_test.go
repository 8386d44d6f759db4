package broker

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

// edgeEnv is the environment of a build for the edge, where the hub and its imports run, too.
var edgeEnv = []string{"GOOS=js", "GOARCH=wasm"}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	dependents := map[string]string{
		"github.com/snd-rental/yardline/app/...": "the broker embeds the built app, not its code",
		"github.com/snd-rental/yardline/e2e/...": "tests are built on the broker",
	}
	outsideHub := map[string]string{
		"github.com/nats-io/...":    "the same hub runs at the edge, where there is no NATS",
		"github.com/prometheus/...": "the same hub runs at the edge, where there is no Prometheus",
		"net/http":                  "the hub knows no network",
		"github.com/snd-rental/yardline/broker/eventlog/jetlog": "the hub knows the log by its contract",
	}
	outsideEdge := map[string]string{
		"github.com/nats-io/...":                       "the log at the edge is the object's storage",
		"github.com/prometheus/...":                    "every byte is loaded before a first request is answered",
		"nhooyr.io/websocket":                          "the runtime speaks WebSocket at the edge",
		"github.com/alexedwards/...":                   "there are no passwords and no stored sessions at the edge",
		"time/tzdata":                                  "the engine knows the zones",
		"github.com/snd-rental/yardline/broker/schema": "the documents are those of yardline schema",
	}
	deptest.Check(t,
		deptest.Rule{Packages: "./...", Forbidden: dependents},
		deptest.Rule{Packages: "./hub", Forbidden: outsideHub},
		deptest.Rule{Packages: "./hub", Env: edgeEnv, Forbidden: outsideHub},
		deptest.Rule{Packages: "./edge/cmd/edge", Env: edgeEnv, Forbidden: outsideEdge},
	)
}

// The WebSocket library is imported in one place, so that a change to its successor
// changes one line.
func TestOnlyTheAPIImportsTheWebSocketLibrary(t *testing.T) {
	sockets := map[string]string{"nhooyr.io/websocket": "only httpapi speaks WebSocket"}
	for _, name := range []string{"./doctor", "./hub", "./schema", "./telemetry", "./identity", "./push"} {
		deptest.Check(t, deptest.Rule{Packages: name, Forbidden: sockets})
	}
}

// The command line is a client too, so it may import the client. The broker may not.
func TestBrokerDoesNotImportItsClient(t *testing.T) {
	client := map[string]string{
		"github.com/snd-rental/yardline/wasmclient/...": "the broker does not depend on its clients",
	}
	for _, name := range []string{
		".", "./hub", "./httpapi", "./identity", "./eventlog/...", "./demo", "./webui", "./telemetry", "./schema",
		"./doctor", "./push",
	} {
		deptest.Check(t, deptest.Rule{Packages: name, Forbidden: client})
	}
}

// The list of imports does not show whether the hub compiles for the edge.
func TestHubCompilesForTheEdge(t *testing.T) {
	deptest.CheckBuild(t, "./hub", edgeEnv...)
}

func TestWaitingUsesNoTestify(t *testing.T) {
	deptest.CheckSelectors(t, ".", deptest.WaitingRules)
}
