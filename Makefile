# Two commands: make run, make test. The rest are their parts.
SHELL := /bin/bash
GO    ?= go
MODULES := shared broker wasmclient app e2e
DIST    := broker/webui/dist
# What must compile for WebAssembly too: all that the app and the edge may import.
WASM_PACKAGES := ./shared/... ./wasmclient/... ./app/... ./broker/edge/...
# The wasm in brotli, in bytes.
WASM_LIMIT := 1960000
# The edge's program in gzip, in bytes.
EDGE_LIMIT := 2600000
AXE     := e2e/node_modules/axe-core/axe.min.js
GOLANGCI_LINT_VERSION := 2.15.0
GOLANGCI_LINT := bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

.PHONY: run build edge edge-programs test check unit wasm-test isolated browser-test e2e-full screenshots deps clean fuzz bench bench-hub chaos

# Builds everything and serves a demo company on http://localhost:8080.
run: build
	bin/yardline serve --demo --data ./data

build: bin/yardline

GO_FILES := $(shell find shared broker wasmclient app -name '*.go' -not -name '*_test.go') go.work $(wildcard */go.mod)

# The app in the browser. Only shared and the standard library are inlined: without
# inlining, go-app, the pages and the client are 3 % smaller.
bin/app.wasm: $(GO_FILES)
	@mkdir -p bin
	GOOS=js GOARCH=wasm $(GO) build -trimpath -gcflags='github.com/maxence-charriere/...=-l' \
		-gcflags='github.com/snd-rental/yardline/app/...=-l' -gcflags='github.com/snd-rental/yardline/wasmclient/...=-l' \
		-ldflags '-s -w' -o $@ ./app/cmd/web

# Its files, compressed; fails where the wasm is too large.
$(DIST)/index.html.br: bin/app.wasm $(wildcard app/web/* app/web/styles/*) app/widget/status.js $(wildcard app/cmd/build/*)
	$(GO) run ./app/cmd/build -wasm bin/app.wasm -web app/web -widget app/widget/status.js -out $(DIST) -limit $(WASM_LIMIT)

# Without cgo the program needs no C library: it runs in an empty container.
bin/yardline: $(DIST)/index.html.br $(GO_FILES)
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./broker/cmd/yardline

# The hub and the app for Cloudflare Workers, in bin/edge; see docs/edge.md.
edge: bin/edge/worker.mjs

# Without inlining it is a tenth smaller in gzip, and every byte is loaded
# before a first request is answered.
bin/edge.wasm: $(GO_FILES)
	@mkdir -p bin
	GOOS=js GOARCH=wasm $(GO) build -trimpath -gcflags=all=-l -ldflags '-s -w' -o $@ ./broker/edge/cmd/edge

bin/edge/worker.mjs: bin/edge.wasm broker/edge/worker.mjs $(DIST)/index.html.br
	cd broker && $(GO) run github.com/syumai/workers/cmd/workers-assets-gen -mode go -o ../bin/edge
	$(GO) run ./broker/edge/cmd/build -wasm bin/edge.wasm -worker broker/edge/worker.mjs -out bin/edge -limit $(EDGE_LIMIT)

# Programs for tests that run at the edge: one that breaks when it is told to,
# and the tests of the log, which run in an object.
bin/edge-faults.wasm: $(GO_FILES)
	GOOS=js GOARCH=wasm $(GO) build -tags faults -o $@ ./broker/edge/cmd/edge

bin/edge-log.test.wasm: $(GO_FILES) $(wildcard broker/edge/*_test.go broker/eventlog/logtest/*.go)
	GOOS=js GOARCH=wasm $(GO) test -c -o $@ ./broker/edge

edge-programs: bin/edge-faults.wasm bin/edge-log.test.wasm

# Everything that CI runs. Nothing is skipped: what cannot run fails and says so.
test:
	$(MAKE) -j2 deps $(GOLANGCI_LINT)
	$(MAKE) check build unit wasm-test isolated browser-test
	@echo "all passed"

# What the tests need beside Go, make and git.
deps:
	@./.ci/deps

# The linters, of which .golangci.yml says why they are there. A first build takes
# some minutes of the processor.
$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_LINT_VERSION)
	mv bin/golangci-lint $@

# No line is longer than 120 columns, a tab counting as 4. golangci-lint counts only
# the files of one build, and only Go.
LONG_LINES := s/\t/    /g; if (length() > 121) { print "$$ARGV:$$.: more than 120 columns\n"; $$found = 1 } \
	close ARGV if eof; END { $$? = $$found }

check: $(GOLANGCI_LINT)
	@out=$$(gofmt -l $(MODULES)); if [ -n "$$out" ]; then echo "not formatted, run gofmt -w:"; echo "$$out"; exit 1; fi
	@find $(MODULES) -name node_modules -prune -o -path $(DIST) -prune -o -type f \
		\( -name '*.go' -o -name '*.js' -o -name '*.mjs' -o -name '*.css' \) -print0 | xargs -0 perl -CSD -ne '$(LONG_LINES)'
	$(GO) vet work
	GOOS=js GOARCH=wasm $(GO) vet $(WASM_PACKAGES)
	GOOS=js GOARCH=wasm $(GO) build $(WASM_PACKAGES)
	$(GOLANGCI_LINT) run $(addprefix ./,$(addsuffix /...,$(MODULES)))

# Unit tests with the race detector; fuzz tests run their seeds. Tests that try random
# cases try a fifth of them under the race detector, and all of them without it.
unit:
	$(GO) test -race -short $(addprefix ./,$(addsuffix /...,shared broker wasmclient app))
	$(GO) test ./shared/... ./wasmclient/...

# Packages that only exist in the browser, under Node.
wasm-test:
	PATH="$$($(GO) env GOROOT)/lib/wasm:$$PATH" GOOS=js GOARCH=wasm $(GO) test ./wasmclient/browser ./wasmclient/conn ./wasmclient/tabs ./wasmclient/outbox ./broker/zone ./shared/...

# Each module by itself: the workspace hides a missing require. The comparison with other
# servers is a module outside the workspace, which then needs none of their libraries.
isolated:
	@for m in $(MODULES) e2e/bench; do echo "build $$m alone"; (cd $$m && GOWORK=off $(GO) build ./... && GOWORK=off $(GO) vet ./...) || exit 1; done
	cd e2e/bench && GOWORK=off $(GO) test ./...

# What the tests look for barriers with, and the edge runs in.
$(AXE): e2e/package-lock.json
	cd e2e && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# Real brokers, a real Chromium for each package, and a real workerd. The tests
# that measure run last and alone.
E2E = $$($(GO) list ./e2e/... | grep -v -e '/speed$$' -e '/stress$$')

browser-test: build edge edge-programs $(AXE)
	$(GO) test -count=1 -timeout 40m -p 2 -parallel 2 $(E2E)
	$(GO) test -count=1 -timeout 10m -p 1 ./e2e/speed ./e2e/stress

# The same with the long matrices whole: more tabs, longer outages, 100,000 events.
e2e-full: build edge edge-programs $(AXE)
	E2E_FULL=1 $(GO) test -count=1 -timeout 60m -p 2 -parallel 2 -v $(E2E)
	E2E_FULL=1 $(GO) test -count=1 -timeout 20m -p 1 -v ./e2e/speed ./e2e/stress

# Power cuts. They need root and loop devices, and fail where these are missing.
chaos: build
	$(GO) vet -tags chaos ./e2e/chaos
	$(GO) test -count=1 -timeout 20m -tags chaos -v ./e2e/chaos

# A gallery of every page, wide and narrow, light and dark, in bin/screenshots.
screenshots: build
	$(GO) test -count=1 -tags screenshots -run TestScreenshots ./e2e/pages
	@ls bin/screenshots | wc -l

# A minute for each fuzz test.
fuzz:
	cd shared && for f in event:FuzzParse filter:FuzzParse wire:FuzzDecoder wire:FuzzFrame wire:FuzzCursor wire:FuzzCall; do $(GO) test ./$${f%%:*} -run '^$$' -fuzz "^$${f##*:}$$" -fuzztime 1m || exit 1; done
	cd broker && for f in FuzzPublish FuzzSocket; do $(GO) test ./httpapi -run '^$$' -fuzz "^$$f$$" -fuzztime 1m || exit 1; done
	cd wasmclient && $(GO) test ./conn -run '^$$' -fuzz FuzzMachine -fuzztime 1m

# This broker, three libraries and a reference in C, measured in turn; a full run takes a
# quarter of an hour, needs a quiet machine, and writes its table into docs/performance.md.
# A look in two minutes: make bench BENCH_ROUNDS=1 BENCH_SCALE=0.1
# One measurement alone (idle, burst, 20/s, publish, batch or gzip): make bench BENCH_ONLY=burst
BENCH_ROUNDS ?= 3
BENCH_SCALE  ?= 1
BENCH_ONLY   ?=

bench: build
	cd e2e/bench && GOWORK=off $(GO) build -o $(CURDIR)/bin/bench/ . ./peers
	cd e2e/bench && $(CURDIR)/bin/bench/bench -rounds $(BENCH_ROUNDS) -scale $(BENCH_SCALE) -only '$(BENCH_ONLY)' \
		-yardline $(CURDIR)/bin/yardline -peers $(CURDIR)/bin/bench/peers \
		-reference $(CURDIR)/bin/bench/reference -page $(CURDIR)/docs/performance.md \
		-results $(CURDIR)/bin/bench/results.jsonl

# The hub beside a plain one, in one run: compare the two lines.
bench-hub:
	$(GO) test ./broker/hub -run '^$$' -bench FanOut -benchtime 2000x -count 3

clean:
	rm -rf bin data
	find $(DIST) -mindepth 1 -not -name README -delete
