# `make` lists the targets. run and test need Go, git and make; the other targets build the tools that they need into bin/.

GO      ?= go
BIN     := $(CURDIR)/bin

# The nested modules: all, those whose code is quick to build, and those quick to tidy.
MODULES := $(shell awk '/^[^\#]/ {print $$1}' internal/modules.txt)
NESTED  := $(shell awk '/^[^\#]/ && $$2 != "tool" && $$2 != "pin" && $$2 != "apart" {print $$1}' internal/modules.txt)
TIDY    := $(shell awk '/^[^\#]/ && $$2 != "pin" {print $$1}' internal/modules.txt)

# Go has no race detector without a C compiler.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
TEST := $(GO) test $(RACE) -shuffle=on -count=1

.DEFAULT_GOAL := help
.PHONY: help run observe test test-all crash test-engines test-istio test-node test-page test-providers test-rules race-notice lint fmt generate proto baseline tidy tidy-check deps bench chaos ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: ## show in ten seconds what Parley does
	$(GO) run ./examples/quickstart

observe: $(BIN)/otel-desktop-viewer ## run the quickstart with its spans in a trace viewer, in the browser
	@observability/observe $(BIN)/otel-desktop-viewer

test: ## run the tests of the root module: what to run while you work
	$(GO) test -vet=off ./...

test-all: ## run every test, shuffled and with the race detector, nested modules included: what to run before you push
	$(GO) run ./internal/rules/cmd/testall

crash: ## kill an issuer 200 times while it works, and let its disk be full 60 times (2 minutes)
	TEST_ROUNDS=20 $(GO) test ./issuer -run '^Test(KilledProcess|FullDisk)$$' -count=1 -v

test-engines: $(BIN)/consul $(BIN)/etcd $(BIN)/kube-apiserver ## run the drivers of discovery against real engines, which are built first (20 minutes, once)
	cd test/engines && PARLEY_ENGINES=$(BIN) $(GO) test -count=1 -timeout=20m -v ./...

test-istio: ## compare the policies of a mesh with those of Istio itself, which is built first (a quarter of an hour, once)
	cd test/istio && $(GO) vet ./... && $(GO) test -vet=off -count=1 -timeout=30m -v ./...

test-node: race-notice ## call a server from Node.js, and check the test vectors there; needs Node.js 20 and npm
	@command -v npm >/dev/null || { echo "npm was not found: install Node.js 20 or later with npm (Debian: nodejs and npm)"; exit 1; }
	cd test/node && npm ci --loglevel=error
	cd test/node && $(TEST) ./...

test-page: race-notice ## drive the live page in a real browser; needs Chromium
	cd test/page && $(TEST) ./...

test-providers: race-notice ## log in at real identity providers, with a browser too; needs Chromium
	cd test/providers && $(TEST) ./...

test-rules: $(BIN)/promtool ## check the Prometheus alert rules and run their tests
	$(BIN)/promtool check rules --lint=all observability/prometheus.rules.yml
	$(BIN)/promtool test rules observability/prometheus.test.yml

race-notice:
	@$(if $(RACE),:,echo "No C compiler was found: the tests run without the race detector.")

lint: $(BIN)/.lint ## run golangci-lint over every module
	@for module in . $(NESTED); do echo "golangci-lint in $$module"; (cd $$module && $(BIN)/golangci-lint run ./...) || exit 1; done

fmt: $(BIN)/.lint $(BIN)/.buf ## format Go and proto files
	@for module in . $(NESTED); do (cd $$module && $(BIN)/golangci-lint fmt) || exit 1; done
	$(BIN)/buf format -w

generate: $(BIN)/.buf ## rewrite gen/ from proto/
	$(BIN)/buf generate

proto: $(BIN)/.buf ## check the protos: format, lint, compatibility, and that gen/ is what they generate
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf lint
	$(BIN)/buf breaking proto --against proto/baseline.binpb
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(BIN)/buf generate --output "$$fresh" && \
		if ! git diff --no-index --exit-code --stat gen "$$fresh/gen"; then echo "gen/ is not what proto/ generates: run make generate"; exit 1; fi

baseline: $(BIN)/.buf ## take today's protos as the released ones that make proto compares with
	$(BIN)/buf build proto --exclude-source-info --output proto/baseline.binpb

tidy: ## run go mod tidy in every module
	@for module in . $(MODULES); do echo "go mod tidy in $$module"; $(GO) -C $$module mod tidy || exit 1; done

tidy-check: ## check that every go.mod is tidy
	@for module in . $(TIDY); do echo "go mod tidy -diff in $$module"; $(GO) -C $$module mod tidy -diff || exit 1; done

deps: ## rewrite internal/deps.txt after a change of dependencies
	$(GO) test ./internal/rules -run '^TestLinkedModules$$' -count=1 -update

bench: ## compare with plain gRPC, side by side
	$(GO) -C bench run .

chaos: ## break a small fleet of real processes in every way that the docs make a promise about (4 minutes)
	$(GO) -C test run ./chaos

ci: ## run what continuous integration runs
	.ci/run

$(BIN)/.buf: tools/buf/go.mod tools/buf/go.sum
	GOBIN=$(BIN) $(GO) -C tools/buf install tool
	@touch $@

$(BIN)/.lint: tools/lint/go.mod tools/lint/go.sum
	GOBIN=$(BIN) $(GO) -C tools/lint install tool
	@touch $@

$(BIN)/consul: tools/consul/go.mod tools/consul/go.sum
	$(GO) -C tools/consul build -trimpath -o $@ github.com/hashicorp/consul

$(BIN)/etcd: tools/kubernetes/go.mod tools/kubernetes/go.sum
	$(GO) -C tools/kubernetes build -trimpath -o $@ go.etcd.io/etcd/server/v3

$(BIN)/kube-apiserver: tools/kubernetes/go.mod tools/kubernetes/go.sum
	$(GO) -C tools/kubernetes build -trimpath -o $@ k8s.io/kubernetes/cmd/kube-apiserver

$(BIN)/otel-desktop-viewer: tools/viewer/go.mod tools/viewer/go.sum
	@echo "Building otel-desktop-viewer, which takes a few minutes and a C++ compiler, once."
	GOBIN=$(BIN) $(GO) -C tools/viewer install tool
	@touch $@

$(BIN)/promtool: tools/promtool/go.mod tools/promtool/go.sum
	@echo "Building promtool, which takes some minutes, once."
	GOBIN=$(BIN) $(GO) -C tools/promtool install -tags remove_all_sd tool
	@touch $@
