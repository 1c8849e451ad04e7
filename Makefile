# SPDX-License-Identifier: Apache-2.0
# The front door. Each target is one line of cmake or of a script; CMakePresets.json has the other builds.
BUILD       ?= build
PREFIX      ?= /opt/cni/bin
HOST_ARCH   := $(shell dpkg --print-architecture 2>/dev/null)
ARCH         = $(HOST_ARCH)
DEB_PREFIX  ?= /usr/lib/cni
# Of the architecture that is built for: part of folder and preset names.
CROSS       := $(if $(filter-out $(HOST_ARCH),$(ARCH)),-$(ARCH))
CNI_BIN_DIR ?= $(CURDIR)/bin
export CNI_BIN_DIR

.PHONY: all release configure demo test test-release test-go test-asan test-valgrind test-e2e test-instructions
.PHONY: test-fault soak fuzz bench bench-quick lint format install install-glibc uninstall package test-install
.PHONY: test-package test-arm64 test-vm clean help

all: configure ## build the plugins into bin/
	cmake --build $(BUILD) --target plugins

release: ## build the plugins on musl into bin-musl/: half the size and start-up time; ARCH=arm64: for that
	.ci/packages.sh build musl $(if $(CROSS),$(ARCH))
	cmake --preset musl$(CROSS) --log-level=WARNING
	cmake --build --preset musl$(CROSS) --target plugins

configure:
	.ci/packages.sh build
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release --log-level=WARNING

demo: all ## run the shipped conflist end to end, in namespaces of its own
	.ci/packages.sh demo
	tests/demo.sh conf-examples/10-bridge-portmap.conflist

test: configure ## unit and system tests of bin/
	.ci/packages.sh test
	cmake --build $(BUILD)
	tests/run.sh $(BUILD)

test-release: release configure ## the same for bin-musl/
	.ci/packages.sh test
	cmake --build $(BUILD)
	CNI_BIN_DIR=$(CURDIR)/bin-musl tests/run.sh $(BUILD)

test-go: configure ## the system tests against Debian's Go plugins, or those in GO_BIN_DIR, and the list of known differences
	.ci/packages.sh test
	cmake --build $(BUILD)
	tests/run-go.sh $(BUILD)

test-asan: ## unit tests, system tests and conf-examples on a build with the address and undefined-behaviour sanitizers
	.ci/packages.sh build test vm
	cmake --preset asan --log-level=WARNING
	cmake --build --preset asan
	VM_DIR=$(abspath $(BUILD))/vm tests/run-asan.sh build-asan

test-valgrind: configure ## one chain under memcheck, of a dynamic build
	.ci/packages.sh test bench
	cmake --preset debug --log-level=WARNING -Dmnl_PATH="$$(sed -n 's/^mnl_PATH:FILEPATH=//p' $(BUILD)/CMakeCache.txt)"
	cmake --build --preset debug --target plugins
	tests/valgrind.sh build-debug/bin

soak: configure ## random calls and kills against a model, in half a minute; LONG=1: 100,000 of them; SOAK=--seed N
	.ci/packages.sh test
	cmake --build $(BUILD) --target plugins cnative_soak
	$(BUILD)/tests/soak/cnative_soak --operations $(if $(LONG),100000,6000) $(SOAK)

fuzz: configure ## libFuzzer on every parser, then the plugins on random input, in a minute; LONG=1: hours
	.ci/packages.sh build test fuzz
	cmake --preset fuzz --log-level=WARNING
	cmake --build --preset fuzz --target cnative_fuzz
	cmake --build $(BUILD) --target plugins cnative_fuzz_plugins
	tests/fuzz/all.sh build-fuzz $(BUILD) $(if $(LONG),long)

bench: release configure ## measure bin-musl/ beside bin/, Debian's Go plugins and the floor program, into docs/performance.md
	.ci/packages.sh test bench
	cmake --build $(BUILD)
	GLIBC_BIN_DIR=$(CNI_BIN_DIR) $(BUILD)/tests/bench/cnative_bench $(BENCH) $(CURDIR)/bin-musl /usr/lib/cni \
		$(BUILD)/tests/bench/plugins docs/performance.md docs/performance
	$(if $(BENCH),,tests/bench/breakdown.sh 40 docs/performance.md)

bench-quick: ## the same in a minute, printed only
	$(MAKE) bench BENCH=--quick

test-instructions: configure ## user-space instructions of the calls that matter, against the figures on record
	.ci/packages.sh test bench
	cmake --build $(BUILD) --target plugins floor
	FLOOR_DIR=$(BUILD)/tests/bench/plugins tests/bench/instructions.sh

test-fault: configure ## kill, fail, starve of answers: what is left of each call; LONG=1: at every system call
	.ci/packages.sh test
	cmake --build $(BUILD)
	FAILAT=$(abspath $(BUILD))/tests/fault/failat tests/fault/run.sh $(if $(LONG),long)

test-vm: configure ## on Debian's stock kernel in a virtual machine: what this host's lacks; LONG=1: all system tests
	.ci/packages.sh test vm
	cmake --build $(BUILD)
	VM_DIR=$(abspath $(BUILD))/vm tests/vm/all.sh $(BUILD) $(if $(LONG),long)

test-e2e: all ## containerd, CRI, podman, buildah, cnitool on bin/, on the Go suite, on both; LONG=1: kubelet too, more pods
	.ci/packages.sh e2e
	LONG=$(LONG) tests/e2e/run.sh

lint: configure ## clang-format, clang-tidy, and the rules of CONTRIBUTING.md
	.ci/packages.sh lint
	.ci/lint.sh $(BUILD)

format: ## put every file into shape
	.ci/packages.sh lint
	clang-format -i $$(git ls-files '*.cpp' '*.h')

install: release ## put bin-musl/, the published build, into $(DESTDIR)$(PREFIX), each plugin replaced atomically
	.ci/install.sh bin-musl$(CROSS) "$(DESTDIR)$(PREFIX)"

install-glibc: all ## the same for bin/
	.ci/install.sh bin "$(DESTDIR)$(PREFIX)"

uninstall: ## remove the plugins that are ours from there, and nothing else
	.ci/uninstall.sh "$(DESTDIR)$(PREFIX)" $(notdir $(wildcard plugins/*/*))

package: release ## a .deb and a tarball with SBOM and sha256 into dist/; DEB_PREFIX=/opt/cni/bin: the .deb for there; ARCH=arm64
	.ci/packages.sh package
	cmake/package/package.sh build-musl$(CROSS) bin-musl$(CROSS) $(ARCH) "$(DEB_PREFIX)" dist

test-package: release ## what `make package` makes, unpacked and installed into roots of their own
	.ci/packages.sh package test
	tests/package.sh $(ARCH)

test-arm64: release configure ## the arm64 executables, cross-built, under qemu-user, and packages; LONG=1: on a kernel too
	.ci/packages.sh test package
	$(MAKE) release ARCH=arm64
	cmake --build $(BUILD)
	tests/arm64/run.sh bin-musl-arm64 bin-musl $(BUILD)/tests/system/cnative_system
	$(if $(LONG),.ci/packages.sh vm-arm64)
	$(if $(LONG),cmake -S tests/arm64 -B $(BUILD)/tests-arm64 -G Ninja --log-level=WARNING)
	$(if $(LONG),cmake --build $(BUILD)/tests-arm64)
	$(if $(LONG),tests/arm64/vm.sh bin-musl-arm64 $(BUILD)/tests-arm64 $(BUILD)/vm-arm64)

test-install: all release ## installs under load, installs that are killed, uninstall
	.ci/packages.sh test
	tests/install.sh bin bin-musl

clean: ## remove what was built
	rm -rf $(BUILD) build-* bin bin-musl* dist

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile
