# Windowshop's commands. Everything runs in its own environment, built from requirements.lock.
#   PYTHON=python3.12   the Python to build it with (3.11 to 3.13)
#   ARGS="..."          passed on to pytest, the demo or the benchmarks
#   JOBS=1              files of tests that run at once; 2 unless said

PYTHON ?= python3
VENV := .venv
BIN ?= $(VENV)/bin
ARGS ?=
JOBS ?= 2
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# Named after the Python, so that another one rebuilds the environment instead of running in the old one.
STAMP ?= $(VENV)/installed-$(PYTHON_VERSION)

PROTOS := $(wildcard protos/recommender/api/v1/*.proto)
API := recommender/api/v1
BENCHMARKS := $(sort $(patsubst tests/benchmarks/%.py,%,$(wildcard tests/benchmarks/bench_*.py)))

# Sample logs, where they lie beside the checkout; tests that need them say so and skip elsewhere.
ifneq ($(wildcard ../shared/data/.),)
export WINDOWSHOP_DATA ?= $(abspath ../shared/data)
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env demo test check format-check lint types imports protos-check buf protos docs format crash bench lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

env: $(STAMP) ## Build the environment .venv from requirements.lock (done by the others when needed)

$(STAMP): requirements.lock pyproject.toml
	@case "$(PYTHON_VERSION)" in 3.11|3.12|3.13) ;; \
	  *) echo "$(PYTHON) is Python '$(PYTHON_VERSION)', wanted 3.11 to 3.13; try: make PYTHON=python3.12" >&2; exit 2;; esac
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## Train on a real purchase log, serve it, print feeds before and after a purchase (ARGS=--once ends then)
	$(BIN)/windowshop demo $(ARGS)

test: $(STAMP) ## Run every test and docstring example
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: format-check lint types imports protos-check buf ## Check format, lint, types, layers and generated code

format-check: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports --no-logo

buf: $(STAMP)
	$(BIN)/buf lint protos

# The plug-ins of protoc are found beside the environment's python.
define generate
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(1) --grpc_python_out=$(1) \
	  --mypy_out=quiet:$(1) --mypy_grpc_out=quiet,only_sync:$(1) $(PROTOS)
endef

protos: $(STAMP) ## Generate recommender/api/v1 from protos/
	rm -f $(API)/*_pb2*.py $(API)/*_pb2*.pyi
	$(call generate,.)

protos-check: $(STAMP)
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call generate,"$$fresh") && \
	  diff -ru --exclude=__init__.py --exclude=__pycache__ $(API) "$$fresh/$(API)" || \
	  { echo "$(API) is not what protos/ gives; run: make protos" >&2; exit 1; }

docs: $(STAMP) ## Write the settings table of recommender/README.md
	$(BIN)/python -m tests.contracts.settings_table

format: $(STAMP) ## Format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

crash: $(STAMP) ## Kill servers at 200 random moments and count what was lost (ARGS="--rounds 10 --seed 1")
	$(BIN)/python -m tests.crash $(ARGS)

bench: $(STAMP) ## Run tests/benchmarks (one of them: make bench BENCHMARKS=bench_reading)
	@for name in $(BENCHMARKS); do $(BIN)/python -m tests.benchmarks.$$name $(ARGS) || exit 1; done

lock: $(STAMP) ## Resolve requirements.lock anew, for every supported Python
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --all-extras \
	  --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --output-file requirements.lock

clean: ## Remove the environment, caches and build output
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find recommender training tests -name __pycache__ -prune -exec rm -rf {} +
