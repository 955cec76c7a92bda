# Everything a person or a CI job types. Needs Python 3.11 (with venv) and make; all else is installed into .venv.
# PYTHON=...  the interpreter .venv is made with          WORKERS=n  test processes (default: three for two cores, as they wait)
# PYTEST=...  further arguments for pytest                SOAK=n     seconds of `make soak` (default 1800)
# FUZZ_SECONDS=n  how long `make fuzz` searches, altogether (default 120)          FUZZ=...  its arguments, e.g. FUZZ="rules traffic"
# BENCH=...   arguments for the bench, e.g. BENCH="--case browser-1k --rounds 5" or BENCH=--help

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install check format test test-conformance test-cluster test-node run explore soak wheel compile test-compiled fuzz bench bench-guard bench-kubernetes image chart lock clean

PYTHON ?= $(firstword $(shell command -v python3.11 python3 || true))
WORKERS ?= $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))
SOAK ?= 1800
FUZZ_SECONDS ?= 120
BIN := .venv/bin
STAMP := .venv/.installed
COMPILED := build/compiled/.built
SOURCES := $(shell find dataplane controlplane sluicectl -name '*.py' -o -name '*.pyx' -o -name '*.pxd')
export PYTHONDONTWRITEBYTECODE ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
# Before a command that runs tests: bytecode is kept, beside the tree. They start hundreds of processes, each of which would compile
# 250 modules, and every test process would compile all tests.
KEPT := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/.venv/.bytecode

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 26

install: $(STAMP) ## .venv with both planes, sluicectl and the development tools

$(STAMP): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo 'sluice needs Python 3.11; name it with make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv \
	  || { rm -rf .venv; echo 'python3.11 cannot make a venv; on Debian: apt-get install python3.11-venv' >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

check: $(STAMP) ## format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(KEPT) $(BIN)/python -m pytest -q tests/architecture $(PYTEST)

format: $(STAMP) ## let the formatter and the linter mend what they can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP) ## everything that needs no cluster
	$(KEPT) $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup $(PYTEST)

test-conformance: $(STAMP) ## the same scenarios through an installed HAProxy and through Sluice, compared (tests/conformance/README.md)
	$(KEPT) $(BIN)/python -m pytest -q -n $(WORKERS) -m conformance tests/conformance $(PYTEST)

test-cluster: $(STAMP) ## against a real Kubernetes API server and helm, built once (Go, ~8 minutes, kept in ~/.cache); needs no root
	$(BIN)/python -m tests.cluster $(PYTEST)

test-node: $(STAMP) ## on a node with real pods, both images and the chart; root; 12 minutes, as long again to build the images once; .ci/run has its smoke part
	$(BIN)/python -m tests.node $(PYTEST)

run: $(STAMP) ## both planes and three demo servers on this machine; Ctrl-C ends all
	@exec $(BIN)/python deploy/demo/run.py

explore: $(STAMP) ## every interleaving of the small worlds, to their end (hashed streams: 10,000 states of each; `make test`: 1,000), and four times the messages
	$(KEPT) SLUICE_EXPLORE=all $(BIN)/python -m pytest -q -n $(WORKERS) tests/exhaustive tests/integration/test_http_differential*.py $(PYTEST)

soak: $(STAMP) ## the reproducer for half an hour, both variants at once, and a thousand kills
	$(KEPT) SLUICE_SOAK_SECONDS=$(SOAK) $(BIN)/python -m pytest -q -m soak -n 2 -o timeout=$$(( $(SOAK) + 600 )) $(PYTEST)

FUZZER := .venv/fuzz/.installed
fuzz: $(STAMP) ## bytes that break what must hold (docs/safe-http.md), for two minutes; atheris from PyPI goes to .venv/fuzz
	@test -e $(FUZZER) || { $(BIN)/python -m pip install --quiet --require-hashes --no-deps --target .venv/fuzz -r tests/fuzz/requirements.txt && touch $(FUZZER); } \
	  || echo 'atheris cannot be installed here' >&2
	@exec $(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

wheel: $(STAMP) ## dist/*.whl for this platform, its hot rooms compiled; needs a C compiler and Python's headers
	rm -rf dist build/lib* build/bdist*
	SLUICE_COMPILE=1 $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

compile: $(COMPILED) ## the same, unpacked: PYTHONPATH=build/compiled before a command runs it compiled

$(COMPILED): $(STAMP) setup.py $(SOURCES)
	$(MAKE) --no-print-directory wheel
	rm -rf build/compiled
	$(BIN)/python -m pip install --quiet --no-deps --no-compile --target build/compiled dist/sluice-*.whl
	@test -e build/compiled/dataplane/core/plane.*.so || { echo 'the wheel was built, but nothing in it is compiled' >&2; exit 1; }
	@touch $@

test-compiled: compile ## what tests the hot rooms, with those compiled
	cp -r tests deploy docs README.md Makefile pyproject.toml build/compiled/
	ln -sfn ../../.venv build/compiled/.venv
	cd build/compiled && $(KEPT) .venv/bin/python -m pytest -q -n $(WORKERS) --dist loadgroup tests/unit/core tests/unit/worker tests/integration/safe_http \
	  $(addprefix tests/integration/test_,http_*.py ruled_traffic.py supervisor_*.py board_kills.py kills.py drain.py guarantees.py reproducer.py) $(PYTEST)

bench: $(STAMP) ## requests/s and CPU per request beside HAProxy, nginx, Envoy, Caddy; needs wrk and what of them there is
	@$(if $(filter -h --help --list,$(BENCH)),,$(MAKE) --no-print-directory compile || echo 'not compiled here: only `pure` stands for Sluice' >&2)
	@exec $(BIN)/python -m bench $(BENCH)

bench-guard: $(STAMP) ## instructions per request beside the committed figures, +-10 % (2 minutes); needs valgrind
	@exec $(BIN)/python -m bench.guard

bench-kubernetes: $(STAMP) ## from a write at the API server (the one of `make test-cluster`, if built) to all workers, by stages
	@exec $(BIN)/python -m bench.kubernetes --out docs/bench $(BENCH)

image: ## both images, with docker or buildah: BASE_IMAGE=..., TAG=..., IMAGE_PREFIX=registry/name, BUILD="options of the build" (--build-arg COMPILE=0: in seconds, three times as slow)
	@BASE_IMAGE="$(BASE_IMAGE)" TAG="$(TAG)" IMAGE_PREFIX="$(IMAGE_PREFIX)" deploy/image/build $(BUILD)

chart: $(STAMP) ## what is made of the chart's values.yaml (schema, README), and what tests compare its objects with
	$(BIN)/python -m deploy.chart.make
	SLUICE_GOLDENS=write $(BIN)/python -m pytest -q tests/chart/test_golden.py $(PYTEST)

lock: $(STAMP) ## newest versions the ranges in pyproject.toml allow, with hashes; all extras but bench; fuzz has its own
	CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --upgrade --allow-unsafe --strip-extras \
	  --extra dataplane --extra controlplane --extra cli --extra dev --generate-hashes --no-emit-find-links --no-emit-index-url --no-emit-trusted-host \
	  --output-file requirements.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --upgrade --strip-extras --extra fuzz --generate-hashes \
	  --no-emit-find-links --no-emit-index-url --no-emit-trusted-host --output-file tests/fuzz/requirements.txt pyproject.toml
	deploy/image/lock

clean: ## remove .venv, caches and what `make run` left
	rm -rf .venv run build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
