# compose: `make` builds it, `make test` tests it.

GO      ?= go
VERSION ?=
LDFLAGS := -s -w $(if $(VERSION),-X main.version=$(VERSION))

.PHONY: build test race lint examples parity bench fuzz schema cross clean

build: bin/compose

bin/compose: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/compose
FORCE:

test:
	$(GO) test -shuffle=on ./...

# The race detector where there is concurrency; elsewhere it only costs time.
race:
	$(GO) test -race -short ./fetch ./resolve ./rootfs ./sbom ./internal/build ./internal/cas ./internal/expand \
	  ./internal/oci/registry ./internal/script ./internal/xz ./cmd/compose
	$(GO) test -race -short -run 'Layer|Jobs|Concurrent' ./internal/oci
	$(GO) test -race -short -run 'Index|Release|Suite|T0|T1' ./internal/format/deb ./internal/format/apk

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

# Build every example twice, compare with its committed digest, and run it.
examples: build
	$(GO) test -count=1 -v -run Example ./examples

# Compare closures with those that apt and apk-tools chose (../shared/oracles).
parity:
	$(GO) test -count=1 -v -run Parity ./internal/format

# Whole builds as processes, then each stage; figures of one run compare.
bench:
	$(GO) test -run '^$$' -bench Build -benchtime 3x -timeout 30m ./cmd/compose
	$(GO) test -run '^$$' -bench . -benchtime 1s $$($(GO) list ./... | grep -v /cmd/)

# Every fuzz target for a short while.
FUZZTIME ?= 10s
FUZZSKIP ?= ^$$
fuzz:
	@for p in $$($(GO) list ./... | grep -v '$(FUZZSKIP)'); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; done

schema: build
	bin/compose schema > manifest/image.schema.json

cross:
	for t in linux/amd64 linux/arm64 darwin/arm64; do \
	  CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o /dev/null ./cmd/compose || exit 1; done

clean:
	rm -rf bin dist
