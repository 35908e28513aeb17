# slaguard. Needs make, git and Python 3.11 or newer with its venv module; each target sets up the rest by itself.
# Works with GNU make 3.81 and later (macOS ships 3.81).

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet --no-compile
FAST := not slow and not simulation and not network
SLOW := slow or simulation or network

# Set PYTHON=/path/to/python to choose the interpreter of .venv, PYTEST='-k word' to choose tests, PARALLEL= for one process, DEMO='--out DIR' for
# the demo's options, LOCK=--upgrade for newer pins.
PYTHON ?=
PYTEST ?=
PARALLEL ?= --numprocesses=auto --dist=loadfile
DEMO ?=
LOCK ?=

# A Python that was moved or removed leaves stamps that say too much.
ifneq ($(shell test -x $(BIN)/python && echo there),there)
$(shell rm -f $(VENV)/.made $(VENV)/.installed $(VENV)/.installed-dev)
endif

.DEFAULT_GOAL := help
.PHONY: help install fmt lint test test-system test-slow cov golden schemas pictures demo build lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -e 's/:.*## /	/' | expand -t 14

install: $(VENV)/.installed-dev ## make .venv with slaguard and all that developing it needs

fmt: $(VENV)/.installed-dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(VENV)/.installed-dev ## ruff, mypy --strict, the floors, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

test: $(VENV)/.installed-dev test-system ## check what ships, run the fast tests
	$(BIN)/slaguard validate sla_specs
	$(BIN)/pytest -m "$(FAST)" $(PARALLEL) $(PYTEST)

test-system: ## install Chromium, Node.js, Prometheus and what else the tests look through, where this is Debian and you are root
	@sh .ci/system-packages
	@sh .ci/editor

test-slow: $(VENV)/.installed-dev test-system ## the slow tests: simulations of error rates, long runs, a wider search
	$(BIN)/pytest -m "$(SLOW)" --hypothesis-profile=search $(PYTEST)

cov: $(VENV)/.installed-dev test-system ## run the fast tests and show what they do not reach
	$(BIN)/pytest -m "$(FAST)" --cov --cov-report=term $(PYTEST)

golden: $(VENV)/.installed-dev ## rewrite the golden files and show what changed
	$(BIN)/pytest -m "$(FAST)" --rewrite-golden $(PYTEST)
	git --no-pager diff --stat -p -- tests sla_specs grafana exporters docs

schemas: $(VENV)/.installed-dev ## rewrite the JSON Schemas of Agreements, results and breach records
	$(BIN)/python -m slaguard.spec.schema > sla_specs/schema.json.new && mv sla_specs/schema.json.new sla_specs/schema.json
	$(BIN)/python -m slaguard.evaluation.result > sla_specs/evaluation.schema.json
	$(BIN)/python -m slaguard.evaluation.breach > sla_specs/breach.schema.json

pictures: $(VENV)/.installed-dev test-system ## draw the pictures of the docs from a fresh demo
	rm -rf .pictures && $(BIN)/slaguard demo --out .pictures && mkdir -p docs/images
	$(BIN)/python -m tests.reports.pictures .pictures/claim.html docs/images && rm -rf .pictures
	$(BIN)/python -m tests.server.pictures docs/images

demo: $(VENV)/.installed ## a simulated vendor, a breach, a claim: the main job from end to end
	@$(BIN)/slaguard demo $(DEMO)

build: $(VENV)/.installed-dev ## build the wheel, then use it in a clean environment
	@sh .ci/smoke-wheel

lock: $(VENV)/.made ## rewrite the lock files
	@LOCK="$(LOCK)" sh .ci/lock

$(VENV)/.made:
	@PYTHON="$(PYTHON)" sh .ci/venv $(VENV)
	@touch $@

# Pinned by hash; then slaguard itself, editable, built with the hatchling that was just pinned. Bytecode is left to the
# first import, which halves the wait for the demo; the tests, where a warning is an error, want it all compiled before.
$(VENV)/.installed: $(VENV)/.made requirements.lock pyproject.toml
	@echo "installing the packages of requirements.lock (the first time takes a minute)"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "installing the packages of requirements-dev.lock"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(BIN)/python -W ignore -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@
