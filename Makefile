# `make run` and `make test` do all their own set-up from a fresh clone. A second `make` of any kind is quick.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3.11
# Setting up is mostly waiting for others (packages from three places), and linting beside it fills one processor.
MAKEFLAGS += --jobs=3
# What was compiled once is kept: a post's processes start a third sooner, and a second run of the tests does not rewrite 600 modules.
export PYTHONDONTWRITEBYTECODE :=
V := .venv/bin
S := .make
SOURCES := $(shell find console -path console/node_modules -prune -o -type f -print 2>/dev/null)
STATIC := src/longwatch/web/static/index.html

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(S)/python: requirements-dev.lock pyproject.toml
	mkdir -p $(S)
	tools/system-packages python
	[ -x $(V)/python ] || $(PYTHON) -m venv .venv
	$(V)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(V)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(S)/node: console/package-lock.json
	mkdir -p $(S)
	cd console
	npm ci --no-audit --no-fund --loglevel=error
	touch ../$@

$(STATIC): $(S)/node $(SOURCES)
	cd console
	npm run --silent build
	touch ../$@

.PHONY: console
console: $(STATIC) ## build the pages into the package

.PHONY: install
install: $(S)/python $(STATIC) ## only the set-up; afterwards .venv/bin/longwatch works

.PHONY: run
run: install ## a post with simulated cameras and the console, no hardware needed
	exec $(V)/longwatch demo

$(S)/test-packages: tools/system-packages | $(S)/python  # which asks apt too: one at a time
	mkdir -p $(S)
	tools/system-packages test
	touch $@

.PHONY: lint lint_style lint_types
lint: lint_style lint_types ## style, types and the direction of imports

lint_style: $(S)/python
	$(V)/ruff check .
	$(V)/ruff format --check .
	$(V)/lint-imports

lint_types: $(S)/python
	$(V)/mypy

.PHONY: check
check: $(S)/python ## the quick half of the tests: no network, no browser, no disk faults
	$(V)/pytest -q -m "not slow and not long" -n 2

.PHONY: test
test: install $(S)/test-packages lint ## every test but the long forms of some
	$(V)/pytest -q -m "not long" -n 4 --dist loadgroup --max-worker-restart=0

.PHONY: long
long: install $(S)/test-packages ## the longer and repeated forms of what `make test` holds too
	$(V)/pytest -q -m long -n 2 --dist loadgroup --max-worker-restart=0

.PHONY: faults
faults: install $(S)/test-packages ## the long campaign of power cuts, kills, disk and clock faults
	$(V)/python -m tests.rig.campaign
	$(V)/python -m tests.rig.mutation_campaign 20000

.PHONY: fuzz
fuzz: $(S)/python ## the parsers against a million inputs
	$(V)/python -m tests.fuzz.campaign

.PHONY: bench
bench: install $(S)/test-packages ## cost, latency, seek and start-up, against a peer in the same run
	$(V)/python -m benchmarks

.PHONY: bench-detection
bench-detection: $(S)/python $(S)/test-packages ## the exam of detection, on fresh seeds, against `motion` (half an hour)
	$(V)/python -m benchmarks.detection $(if $(MEDIA),--media $(MEDIA)) $(ARGS)

.PHONY: lock
lock: $(S)/python ## renew the locked dependencies
	$(V)/python -m pip install --quiet uv
	$(V)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -U --extra watch pyproject.toml -o requirements.lock
	$(V)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -U --extra watch --extra dev pyproject.toml -o requirements-dev.lock

.PHONY: clean
clean: ## what `make` made
	rm -rf .venv .make console/node_modules src/longwatch/web/static
