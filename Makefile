# modseal: build, test, measure.
#
#   make            build bin/modseal
#   make test       unit tests; sets up nothing beforehand
#   make lint       formatting, vet, staticcheck, import rules, tidy go.mod
#   make race       tests with the race detector
#   make fuzz       every fuzz target for FUZZTIME (default 10s)
#   make e2e        against real servers on loopback: Rekor v1 and v2, Fulcio, timestamps, TUF; the real cosign; and
#                   the go command, on real projects
#   make bench      figures, as ratios side by side
#   make demo       a session on modseal's own modules and the public checksum database
#   make demo-rekor the same with signers, on a real Rekor on loopback

GO       ?= go
FUZZTIME ?= 10s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: all build test lint race fuzz e2e bench demo demo-rekor clean

all: build

build:
	$(GO) build -trimpath -o bin/modseal ./cmd/modseal

test:
	$(GO) test ./...

race:
	$(GO) test -race -short ./...

lint:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	cd e2e && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd e2e && $(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff
	cd e2e && $(GO) mod tidy -diff

fuzz:
	./testdata/fuzz.sh $(FUZZTIME)

e2e:
	cd e2e && $(GO) run ./cmd/buildservers
	cd e2e && $(GO) test -count=1 -timeout 15m $$($(GO) list ./... | grep -v '/catalogue$$')
	cd e2e && $(GO) test -count=1 -timeout 15m -v ./catalogue

bench: build
	cd e2e && $(GO) run ./cmd/bench -modseal ../bin/modseal

demo: build
	./testdata/demo.sh

demo-rekor: build
	./testdata/demo-rekor.sh

clean:
	rm -rf bin
