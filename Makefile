# Two commands for a newcomer: `make drill` and `make test`. Everything else is listed by `make help`.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# What the checks of everything for Windows need (collections, a grammar of PowerShell): nothing else finds it there.
WINDOWS := $(VENV)/windows
MUTANTS := $(VENV)/mutants
# How much the long proofs do: `make simulate SEEDS=0..99 LARGE=0`, `make torture KILLS=20` try them.
SEEDS  ?= 0..9999
LARGE  ?= 0..9
KILLS  ?= 1000
TRIED  ?= 500
SAMPLE ?= 0

.DEFAULT_GOAL := help
.PHONY: help lab lab-packages test-lab drill drill-1700 torture test covered check bench simulate seeing mutants schemas lock clean packages

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /  \1\t/' | expand -t 14

packages:
	@sh tools/packages.sh

$(READY): requirements.lock pyproject.toml | packages
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

drill: $(READY) ## destroy 120 practice hosts and bring them back (about 3 minutes)
	@$(BIN)/relance drill --anew

lab-packages: $(READY)
	@sh tools/packages.sh lab || true

lab: lab-packages ## bring up real services in network namespaces (root; then: relance drill --lab)
	@$(BIN)/relance lab up

test-lab: lab-packages ## what the lab proves: real services broken and brought back, lies told by gates (about 4 minutes)
	@$(BIN)/pytest -rs tests/lab

$(WINDOWS)/.ready: requirements-windows.lock $(READY)
	@rm -rf $(WINDOWS)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes --target $(WINDOWS) -r $<
	@touch $@

# Tracing makes playing whole estates three times as slow: only these tests are traced, and they reach every branch.
COVERING := tests/test_attacks.py tests/scenarios $(sort $(wildcard tests/test_decision_*.py tests/test_trust_*.py))
PYTEST   := $(BIN)/pytest --numprocesses 2 --dist loadfile
test covered: export PYTHONDONTWRITEBYTECODE :=

test: check covered $(WINDOWS)/.ready ## everything CI runs
	@$(PYTEST) --ignore=tests/lab $(COVERING:%=--ignore=%)

covered: $(READY)
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=100 $(COVERING)

check: $(READY) ## format, lint, types, directions of imports
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(READY) ## figures, each beside its rival, one JSON line each
	@sh tools/packages.sh bench
	@for bench in core dispatch indicators journal overhead "plan --large" probes replay "scale --large" schedule scrape signatures ssh_probes; do $(BIN)/python -m bench.$$bench || exit 1; done

drill-1700: $(READY) ## the whole estate as a drill (about 40 minutes; killed, it goes on when made again): one JSON line
	@$(BIN)/python -m bench.drill --hosts 1700 --state drill-1700

torture: $(READY) ## kill the real engine and its runners 1,000 times (about 20 minutes; killed, it goes on when made again): one JSON line
	@$(BIN)/python -m tests.torture --kills $(KILLS) --folder drill-torture

simulate: $(READY) ## 10,000 seeded disasters, then ten of 1,700 hosts (hours; killed, it goes on when made again): one JSON line each
	@$(BIN)/relance --format json simulate --seeds $(SEEDS) --progress simulate.jsonl
	@$(BIN)/relance --format json simulate --seeds $(LARGE) --hosts 1700 --progress simulate-1700.jsonl

seeing: $(READY) ## make 22 mistakes in the core, one at a time: the simulator must see each within 500 seeds: one JSON line
	@$(BIN)/python -m tests.seeing --seeds $(TRIED)

$(MUTANTS)/.ready: requirements-mutants.lock $(READY)
	@rm -rf $(MUTANTS)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes --target $(MUTANTS) -r $<
	@touch $@

mutants: $(MUTANTS)/.ready ## make 5,800 small mistakes in the core and ask its tests (hours; killed, it goes on when made again): one JSON line
	@PYTHONPATH=$(MUTANTS) $(BIN)/python -m tests.mutants --sample $(SAMPLE)

schemas: $(READY) ## write the JSON Schemas of the content anew
	@$(BIN)/python -m orchestrator.plans.schemas

lock: $(READY) ## write the locks anew from requirements.in and its like (needs uv)
	@uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements.in -o requirements.lock
	@uv pip compile --quiet --no-deps --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements-windows.in -o requirements-windows.lock
	@uv pip compile --quiet --no-deps --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements-mutants.in -o requirements-mutants.lock

clean: ## remove what make made
	rm -rf $(VENV) drill-* simulate*.jsonl mutants*.jsonl .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
