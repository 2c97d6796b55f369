# `make demo` and `make test` do all their set-up themselves; `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin

# The first interpreter that runs and is 3.11 or newer; `make PYTHON=/path/to/python3` chooses another.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))

# torch is not in the lock: each machine takes the build (CPU, CUDA, macOS) that its pip is configured for, of one version.
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)",$$/\1/p' pyproject.toml)

# What torch asks for on Linux with CUDA, left to torch's own exact pins.
CUDA := cuda-bindings cuda-toolkit nvidia-cudnn-cu13 nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 triton

# Set-up runs once per content of the lock and of pyproject.toml.
INSTALLED := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')

PACKAGES := opswm schemas/opswm_schemas connectors/opswm_connectors api/opswm_api

.PHONY: help install demo test test-slow check format lock schemas clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make the environment in .venv

$(INSTALLED): | requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "opswm needs Python 3.11 or newer; none was found on PATH. Install it, or run: make PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --require-hashes --no-deps --only-binary :all: -r requirements.lock
	grep -E '^[A-Za-z0-9]' requirements.lock | sed 's/ \\$$//' > $(VENV)/constraints.txt
	$(BIN)/python -m pip install --only-binary :all: -c $(VENV)/constraints.txt "$(TORCH)"
	$(BIN)/python -m pip install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q $(PACKAGES)
	$(BIN)/python -c "import opswm_api.demo.show, deltalake, lightgbm" # what these compile at their first start is written now
	rm -f $(VENV)/.installed-*
	touch $@

demo: $(INSTALLED) ## rank interventions for a simulated incident and serve the API; ARGS="--once --seed 3" is passed on
	@$(BIN)/opswm demo $(ARGS) || test $$? -eq 3 # 3 says that the ranking was inconclusive, which is an answer

test: $(INSTALLED) ## all tests but the slow tier; installs Debian's servers for them where it may
	@tests/servers.sh
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

test-slow: $(INSTALLED) ## the slow tier only
	@tests/servers.sh
	$(BIN)/python -m pytest -m slow $(ARGS)

check: $(INSTALLED) ## style, types, import contracts, drift of the exported schemas
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m opswm_schemas.export --check schemas/json
	$(BIN)/python -m opswm_api.openapi --check api/openapi.json

format: $(INSTALLED) ## let ruff sort imports and lay out the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## resolve every dependency anew into requirements.lock, with hashes
	test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install uv; }
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --upgrade \
		--generate-hashes --only-binary :all: --no-emit-package torch --excludes <(printf '%s\n' $(CUDA)) \
		--custom-compile-command "make lock" --output-file requirements.lock --quiet

schemas: $(INSTALLED) ## export JSON Schemas and OpenAPI from the code
	$(BIN)/python -m opswm_schemas.export schemas/json
	$(BIN)/python -m opswm_api.openapi api/openapi.json

clean: ## remove the environment, builds and caches
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
