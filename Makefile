# Everything a checkout needs. `make` alone says what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help packages setup test-setup bench-setup cluster-setup demo screenshots test check newcomer fuzz mutants soak \
	cluster bench lock audit floors dist clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Debian's packages, all that a target needs named at once and before pip runs for a minute: `packages` is made once, with
# the list of the target that asked first, so those that need more ask again.
PACKAGES = python3-venv fuse3
test-setup: PACKAGES += $(TEST_PACKAGES)
bench-setup: PACKAGES += $(BENCH_PACKAGES)
cluster-setup: PACKAGES += $(TEST_PACKAGES) $(CLUSTER_PACKAGES)
TEST_PACKAGES := libfaketime nifti-bin chromium systemd tinyproxy nginx-light
BENCH_PACKAGES := gcc nginx-light libnginx-mod-http-lua s3fs dcm2niix dcmtk hdf5-tools mrtrix3 rsync
CLUSTER_PACKAGES := slurm-wlm munge podman catatonit uidmap debootstrap nginx-light squid varnish

packages:
	@VENV=$(VENV) PYTHON=$(PYTHON) bin/setup-packages $(PACKAGES)

setup: packages $(VENV)/.demo ## .venv with mountnd and the demo; installs fuse3 where it is missing and we may

test-setup: setup $(VENV)/.dev ## what `make test` and `make check` need beside
	@bin/setup-packages $(TEST_PACKAGES)

bench-setup: setup $(VENV)/.bench ## what `make bench` needs beside (root)
	@bin/setup-packages $(BENCH_PACKAGES)
	@$(BIN)/python -m tests.benchmarks.peers

cluster-setup: test-setup $(VENV)/.cluster ## what `make cluster` needs beside (root)
	@bin/setup-packages $(CLUSTER_PACKAGES)

$(VENV)/.demo: pyproject.toml bin/setup-venv | packages
	@bin/setup-venv $(VENV) $(PYTHON) demo
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@bin/setup-venv $(VENV) $(PYTHON) demo,test,dev
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	@bin/setup-venv $(VENV) $(PYTHON) demo,test,dev,fuzz
	@touch $@

$(VENV)/.lock: $(VENV)/.demo
	@bin/setup-venv $(VENV) $(PYTHON) demo,lock
	@touch $@

$(VENV)/.cluster: $(VENV)/.dev
	@bin/setup-venv $(VENV) $(PYTHON) demo,test,dev,cluster
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	@bin/setup-venv $(VENV) $(PYTHON) demo,bench
	@touch $@

demo: setup ## an S3 server, a mount and a picture of a brain slice, without a network
	@$(BIN)/mountnd demo

screenshots: test-setup ## each view as an image, 60, 80 and 120 columns wide, dark and light, in screenshots/
	@$(BIN)/python -m tests.screenshots

test: test-setup ## the test suite
	@$(BIN)/python -m pytest -n 3 --dist loadfile

check: test-setup ## style, types and the import contract
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

newcomer: test-setup ## README's first steps typed in a bare Debian with make and python3 (root; some minutes)
	@bin/setup-packages debootstrap
	@$(BIN)/python -m tests.newcomer

fuzz: test-setup $(VENV)/.fuzz ## foreign bytes for every parser, FUZZ_SECONDS=60 each; FUZZ="listing headers" for some
	@$(BIN)/python -m tests.fuzz $(FUZZ)

mutants: test-setup ## change the policy modules in small ways: do their tests notice? MUTANTS="mountnd/.../window.py" for some
	@$(BIN)/python -m tests.mutation $(MUTANTS)

soak: test-setup ## readers under faults, kill -9, a full disk, flipped bits, the model (root); SOAK_MINUTES=10, SOAK_SEED=n
	@$(BIN)/python -m tests.soak
	@$(BIN)/python -m tests.model --door vfs --examples 2000
	@$(BIN)/python -m tests.model --door mount --examples 50

cluster: cluster-setup ## what clusters run, on this host: Slurm, podman, proxies, workflows (root, long); CLUSTER="tests/cluster/..."
	@$(BIN)/python -m pytest -m cluster -n 0 $(CLUSTER)

bench: bench-setup ## mountnd beside its peers behind a 30 ms network (root, 8 GB of memory); BENCH="--rtt 2 ..." for more
	@$(BIN)/python -m tests.benchmarks $(BENCH)

lock: $(VENV)/.lock ## write requirements-dev.lock anew: versions and hashes of all that development needs
	@bin/lock $(VENV)

audit: $(VENV)/.lock ## known vulnerabilities of what requirements-dev.lock names (asks the advisory service)
	@$(BIN)/pip-audit --disable-pip --require-hashes -r requirements-dev.lock

floors: $(VENV)/.lock ## unit and contract tests with the oldest versions that pyproject.toml allows
	@bin/try-floors $(VENV) $(VENV)-floors tests/unit tests/contract

dist: test-setup ## wheel and sdist of the last commit in dist/, built twice and compared
	@bin/build-dist $(VENV) dist

clean: ## remove what the targets above made
	rm -rf $(VENV) $(VENV)-floors build dist screenshots .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f mountnd-demo.png
