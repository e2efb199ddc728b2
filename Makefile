# What a stranger types: make demo, make test. Everything a target needs beyond
# go, npm, make and apt it fetches by itself.
SHELL := /bin/bash
.DEFAULT_GOAL := build

GO ?= go
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.0
export CGO_ENABLED ?= 0
# The linter's cache names files by the checkout they were first seen in: shared
# by two checkouts, it reports what its exclusions can no longer be matched with.
export GOLANGCI_LINT_CACHE := $(CURDIR)/.cache/golangci-lint

.PHONY: build axe demo replay-demo test test-long parity parity-live truth lint bench bench-peers bench-siggen bench-analysts bench-web chaos chaos-kafka attack replay-check soak soak-kafka promotions generate libchdb fuzz mutate clean

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
build: ## the binary, bin/aftershock
	$(GO) build -ldflags '-X main.version=$(VERSION)' -o bin/aftershock ./cmd/aftershock

libchdb: ## the embedded ClickHouse, once per user, into the cache directory
	@bash script/fetch-libchdb.sh

axe: ## axe-core, which tests of pages need, into the cache directory
	@sh script/fetch-axe.sh || echo 'axe-core could not be had: pages will not be tested in a browser'

demo: build libchdb ## sample crashes through the whole path; ONCE=1 stops afterwards, CRASHES=100000 puts four weeks of generated ones beside them: a spike, a regression, a promoted rule
	@$(GO) build -o bin/demo ./script/demo
	@bin/demo $(if $(ONCE),-once) $(if $(CRASHES),-generate $(CRASHES))

replay-demo: build libchdb ## a rule changes: plan, replay, compare, promote, roll back; ONCE=1 stops afterwards
	@$(GO) build -o bin/demo ./script/demo
	@bin/demo -replay $(if $(ONCE),-once)

# The race detector needs cgo, and so a C compiler; without one the tests run
# without it. In the end-to-end tests, those of cmd, the test binary acts as the
# program: with the detector it walks ten times slower, so that make test-long has that.
RACE := $(if $(shell command -v cc),-race)
# Those of ask and web wait for a database and a browser, and are in test-long as well.
END_TO_END := ./cmd/... ./ask ./web
test: build libchdb axe ## everything; tests of what is not here skip with a message
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -timeout 20m $$($(GO) list ./... | grep -v -e /cmd/ -e /ask$$ -e /web$$)
	$(GO) test -parallel 4 -timeout 40m $(END_TO_END)
	$(GO) test ./symbolserver/symbolicate -run Text # all of the ten thousand requests, which the detector makes a thousand
	@echo 'facts against the recorded cases of the reference, by field:'
	@$(GO) test ./facts -count 1 -v -run 'TestVectors$$' | grep -- ' equal \|SKIP' | sed 's/^.*vectors_test.go:[0-9]*: *//'

test-long: build libchdb ## the end-to-end tests with the race detector
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -timeout 90m $(END_TO_END)

parity: ## stacks against the reference's answers in the corpora beside the checkout
	$(GO) test ./stackwalk/report -count 1 -v -run 'TestJSONEqualsTheReference$$|TestBreakpad' | grep -v '^ *--- PASS\|^=== '

MINIDUMP_STACKWALK ?= $(or $(shell command -v minidump-stackwalk),$(wildcard $(HOME)/.cargo/bin/minidump-stackwalk))
parity-live: ## the same against the installed minidump-stackwalk 0.27 (cargo install), on damaged and random dumps too
	@test -n '$(MINIDUMP_STACKWALK)' || { echo 'no minidump-stackwalk: cargo install minidump-stackwalk@0.27.0, or set MINIDUMP_STACKWALK'; exit 1; }
	AFTERSHOCK_MINIDUMP_STACKWALK=$(MINIDUMP_STACKWALK) $(GO) test ./stackwalk/report -count 1 -v -run TestLive | grep -v '^ *--- PASS\|^=== '

TRUTH ?= $(firstword $(wildcard ../shared/truth))
truth: ## how true stacks are, over dumps whose true stacks are known: TRUTH=DIR; TRUTH_FLAGS='-kinds -list -calibration -tool COMMAND'
	@$(GO) run ./script/truth -set '$(TRUTH)' $(TRUTH_FLAGS)

lint: ## the rules of .golangci.yml, and what go itself checks
	$(GO) run $(GOLANGCI) run ./...
	$(GO) run $(GOLANGCI) fmt --diff ./...
	GOARCH=386 $(GO) vet $$($(GO) list ./... | grep -v internal/embedded)
	$(GO) mod tidy -diff

bench: ## benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-peers: ## walks against rust-minidump's crates, in turns; see script/benchpeers
	$(GO) run ./script/benchpeers -peer '$(RESIDENT_RUST)' -corpus '$(CORPUS)'

bench-siggen: build ## signatures against Socorro's siggen, in turns; see script/benchsiggen
	$(GO) run ./script/benchsiggen -python '$(SIGGEN_PYTHON)' -ruleset '$(SIGLISTS)' -vectors '$(VECTORS)'

BENCH_ROWS ?= 10000000
bench-analysts: build libchdb ## every question over ten million crashes, into docs/benchmarks.md; BENCH_ROWS; an hour and 20 GB at first
	$(GO) run ./script/benchanalysts -rows $(BENCH_ROWS)

WEB_ROWS ?= 1000000
bench-web: build libchdb ## pages over a million crashes, in Chromium and without, as a table for docs/web.md; WEB_ROWS, WEB_DIR=.cache/bench-analysts for those of bench-analysts
	@$(GO) build -o bin/benchweb ./script/benchweb
	@bin/benchweb -rows $(WEB_ROWS) $(if $(WEB_DIR),-dir $(WEB_DIR))

CHAOS_FOR ?= 10m
chaos: build libchdb ## kills and halts everything under load, then counts; CHAOS_FOR, AFTERSHOCK_CHAOS_SEED, AFTERSHOCK_CHAOS_S3=1
	AFTERSHOCK_CHAOS_FOR=$(CHAOS_FOR) $(GO) test ./cmd/aftershock -count 1 -v -timeout 2h -run 'TestChaos$$'

chaos-kafka: build libchdb ## the same with a real Apache Kafka
	AFTERSHOCK_CHAOS_FOR=$(CHAOS_FOR) $(GO) test ./cmd/aftershock -count 1 -v -timeout 2h -run 'TestChaosRealKafka$$'

ATTACK_FOR ?= 75s
attack: build libchdb ## hostile input of every kind beside honest crashes, and a table; ATTACK_FOR, AFTERSHOCK_ATTACK_SEED, AFTERSHOCK_ATTACK_ONLY=PATTERN
	AFTERSHOCK_ATTACK_FOR=$(ATTACK_FOR) $(GO) test ./cmd/aftershock -count 1 -v -timeout 15m -run 'TestAttack$$'

replay-check: build libchdb ## 50,000 crashes replayed and promoted, embedded and on a real Kafka, and 20 kills meanwhile
	AFTERSHOCK_REPLAY_CRASHES=50000 $(GO) test ./cmd/aftershock -count 1 -v -timeout 2h -run 'TestReplay(AndPromote|FromProcessedAndPromote|OnRealKafka)$$'
	AFTERSHOCK_REPLAY_KILLS=20 $(GO) test ./cmd/aftershock -count 1 -v -timeout 2h -run 'TestReplaySurvivesKills$$'

SOAK_FOR ?= 1h
soak: build libchdb ## a steady load for a long time: memory, descriptors and threads stay flat, and every crash is counted; SOAK_FOR, AFTERSHOCK_SOAK_RATE
	AFTERSHOCK_SOAK_FOR=$(SOAK_FOR) $(GO) test ./cmd/aftershock -count 1 -v -timeout 3h -run 'TestSoak$$'

soak-kafka: build libchdb ## the same with a real Apache Kafka
	AFTERSHOCK_SOAK_FOR=$(SOAK_FOR) AFTERSHOCK_SOAK_KAFKA=1 $(GO) test ./cmd/aftershock -count 1 -v -timeout 3h -run 'TestSoak$$'

promotions: build libchdb ## 200 rule changes in a row, each promoted for what comes from then on
	AFTERSHOCK_PROMOTIONS=200 $(GO) test ./cmd/aftershock -count 1 -v -timeout 3h -run 'TestPromotionsInARow$$'

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x $$pkg; done; done

MUTANTS ?= 10
MUTATED ?= collector redact schema spool stream replay sinks breakpad minidump stackwalk:stackwalk/report signature
mutate: ## can tests fail? MUTANTS a package, each tested; MUTATED, MUTATE_SEED
	$(GO) run ./script/mutate -n $(MUTANTS) -seed $(or $(MUTATE_SEED),1) $(MUTATED)

generate: ## files made from others
	$(GO) generate ./...
	$(GO) test ./cmd/aftershock -run TestMetricsAreDocumented -update
	$(GO) test ./sinks/clickhouse -run TestFieldsAreDocumented -update
	$(GO) test ./ask -run TestQuestionsAreDocumented -update

clean:
	rm -rf bin
