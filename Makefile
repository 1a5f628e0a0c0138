# The two commands of the README are `make run` and `make test`; both set up all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := $(shell sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)
JOBS ?= 2
FUZZ_FRAMES ?= 1000000
ARGS ?=

.PHONY: help setup run test check status-truth kill peers bench fuzz soak faults attack format clean

help:            ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml uv.lock
	@echo "==> setting up $(VENV) (first time: about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sextant needs Python 3.11 or newer; found " + sys.version)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet "uv==$(UV_VERSION)"
	@$(BIN)/uv sync --frozen --inexact
	@PYTHONDONTWRITEBYTECODE= $(BIN)/sextant compile
	@touch $@

setup: $(VENV)/.ready ## virtual environment with the locked dependencies

run: setup       ## demo: simulated venue, market state, API (Ctrl-C ends it)
	@$(BIN)/sextant demo $(ARGS)

test: setup      ## all tests
	@$(BIN)/pytest -n $(JOBS) --dist worksteal -q

check: setup     ## lint, types, import contract, taste
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/test_rooms.py tests/test_tidy.py

status-truth: setup ## a million polls of scans while processes and the shared store are killed (half an hour or more)
	@POLLS=1000000 APIS=4 WORKERS=2 PEOPLE=64 KILL_EVERY_S=20 KILLED=100 $(BIN)/pytest -q -s tests/faults/test_status_truth.py

kill: setup      ## a thousand SIGKILLs in the middle of scans (hours)
	@KILLS=1000 $(BIN)/pytest -q -s tests/faults/test_kill.py

peers: setup     ## other programs that `make bench` then measures beside ours
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@$(BIN)/uv pip install --quiet --python .venv-peers/bin/python -r bench/peers/requirements.txt

bench: setup     ## benchmarks against bench/budgets.toml
	@$(BIN)/python bench/run.py

fuzz: setup      ## a million damaged messages through every parser of the venues
	@FUZZ_FRAMES=$(FUZZ_FRAMES) $(BIN)/pytest -q tests/venues/test_fuzz_frames.py
	@FUZZ_PRICES=200000 $(BIN)/pytest -q tests/venues/test_fuzz_prices.py

soak: setup      ## an hour of the market at 5,000 messages a second, as fast as it can be read
	@$(BIN)/python bench/market/soak.py

faults: setup    ## half hours of random faults in virtual time: all venues at once, then each alone
	@TOGETHER_SEEDS=6 TOGETHER_MINUTES=30 $(BIN)/pytest -q -s tests/faults/test_market_together.py
	@FAULT_SEEDS=10 FAULT_MINUTES=30 $(BIN)/pytest -q -s tests/faults/test_random_faults.py
	@STORM_SEEDS=50 $(BIN)/pytest -q tests/venues/test_spot_storm.py
	@VENUE_SEEDS=200 $(BIN)/pytest -q tests/venues/test_simulated_venues.py -k whatever

attack: setup    ## hostile requests: 10,000 made from the document, 10,000 guesses, 200 dead readers
	@FUZZ_CASES=150 $(BIN)/pytest -q --timeout 3600 tests/api/test_schema_fuzz.py
	@GUESSES=10000 SCANS=1000 READERS=200 WHOLE_CLUSTERS=1 $(BIN)/pytest -q --timeout 3600 tests/faults

format: setup    ## rewrite the sources in the house style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:           ## remove what the commands made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
