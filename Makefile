# Holdfast. `make help` lists what there is.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
RUNS ?= 1
EXAMPLES ?= 5000
KILLS ?= 250
JOBS ?= 1
ROWS ?= 10
PREBUILD_NETWORK ?= auto
TESTS_DOCKER_DIR ?= /var/tmp/holdfast-docker
DOCKER_SOCKET ?= $(or $(HOLDFAST_DOCKER_SOCKET),$(TESTS_DOCKER_DIR)/docker.sock)
export TESTS_DOCKER_DIR

BIN := .venv/bin
INSTALLED := .venv/.installed
COMPILE := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup packages serve dockerd dockerd-stop test check bench bench-data attack engines openapi fuzz lock vendor clean bench-tasks kills pictures wheels

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up ---------------------------------------------------------------------------------------------------------

# $(call lacks,probe,package): the package, unless the probe succeeds
lacks = $(if $(shell { $(1); } >/dev/null 2>&1 && echo yes),,$(2))

needed = $(strip \
	$(call lacks,command -v $(PYTHON),$(notdir $(PYTHON))) \
	$(call lacks,$(PYTHON) -c 'import ensurepip',$(notdir $(PYTHON))-venv) \
	$(call lacks,$(PYTHON) -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")',libseccomp2))

useful = $(strip \
	$(call lacks,command -v git,git) \
	$(call lacks,command -v curl,curl) \
	$(call lacks,command -v cc,gcc libc6-dev) \
	$(if $(filter 0,$(shell id -u)),,$(call lacks,command -v newuidmap,uidmap)))

old_python = $(call lacks,! command -v $(PYTHON) || $(PYTHON) -c 'import sys; assert sys.version_info[1] >= 11',yes)

packages:
	@$(if $(useful),echo "Useful but missing: $(useful). To add: sudo apt install $(useful)";)
	@$(if $(needed),echo "Missing: $(needed). Run: sudo apt install $(needed)"; exit 1)
	@$(if $(old_python),echo "$(PYTHON) is older than 3.11; choose another: make setup PYTHON=python3.12"; exit 1)

$(INSTALLED): requirements-dev.lock pyproject.toml | packages
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: packages $(INSTALLED) ## Install everything into .venv and the state directory
	@$(BIN)/holdfast setup

# --- use ------------------------------------------------------------------------------------------------------------

serve: setup ## Start the service on HOST (127.0.0.1) and PORT (8000)
	@echo "Try it from another terminal:"
	@echo "  curl -s http://$(HOST):$(PORT)/run -H 'Content-Type: application/json' -d '{\"code\": \"print(6 * 7)\"}'"
	@HOLDFAST_PREBUILD_NETWORK=$(PREBUILD_NETWORK) exec $(BIN)/holdfast serve --host $(HOST) --port $(PORT)

wheels: $(INSTALLED) ## Fetch the packages of the service's image, for a build without a network
	@$(BIN)/pip download --quiet --dest deploy/wheels --only-binary :all: --require-hashes --requirement requirements.lock
	@$(BIN)/pip download --quiet --dest deploy/wheels --only-binary :all: pip hatchling

attack: setup ## Attack the local engine on this machine
	@$(BIN)/holdfast doctor --attack

# --- develop --------------------------------------------------------------------------------------------------------

dockerd: setup ## Start a Docker daemon for the tests, with images made here (needs docker.io and debootstrap)
	@$(BIN)/python -m tests.dockerd up

dockerd-stop: ## Stop it
	@$(BIN)/python -m tests.dockerd down

test: setup ## Run the tests, in JOBS (1) sessions side by side; each skip is printed with its reason
	@HOLDFAST_DOCKER_SOCKET=$(DOCKER_SOCKET) $(BIN)/python -m $(if $(filter 1,$(JOBS)),pytest,tests.parts $(JOBS))

check: $(INSTALLED) ## Format, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

openapi: $(INSTALLED) ## Write docs/openapi.json anew
	@$(BIN)/python -m holdfast.api > docs/openapi.json

fuzz: setup ## Send EXAMPLES (5000) requests of every kind to a server, and compare with the description
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest tests/api/test_schemathesis.py

kills: setup ## Kill servers and runners that do tasks KILLS (250) times each, and see that nothing is lost
	@TESTS_KILLS=$(KILLS) $(BIN)/pytest tests/faults/test_killed_tasks.py tests/faults/test_killed_runners.py

bench: setup ## Measure this machine RUNS (1) times and write docs/benchmarks.md
	@$(BIN)/python -m tests.bench --runs $(RUNS)
	@$(BIN)/python -m tests.bench.languages

engines: setup ## Try and measure every engine of this host, and write docs/guide/engines.md
	@$(BIN)/python -m tests.bench.engines

pictures: setup ## Take the pictures of the page in docs/screenshots anew (needs chromium)
	@$(BIN)/python -m tests.e2e.pictures

bench-tasks: setup ## Measure how soon events of tasks are seen
	@$(BIN)/python -m tests.bench.tasks

bench-data: setup ## Measure data runs on ROWS (10) million rows and write docs/benchmarks.md
	@$(BIN)/python -m tests.bench.data $(ROWS)

lock: ## Pin the newest versions of everything (needs uv)
	$(COMPILE) --upgrade pyproject.toml -o requirements.lock
	$(COMPILE) --upgrade --group dev pyproject.toml -o requirements-dev.lock
	cd src/holdfast && $(COMPILE) --upgrade guest-requirements.txt -o guest-requirements.lock
	cd src/holdfast && for name in deno go node; do \
	  $(COMPILE) --upgrade toolchains/$$name.txt -o toolchains/$$name.lock; done
	cd src/holdfast/toolchains && folder=$$(mktemp -d) && echo '{"name": "holdfast-bun", "private": true}' > $$folder/package.json \
	  && npm install --prefix $$folder --package-lock-only --omit-lockfile-registry-resolved --save-exact bun \
	  && cp $$folder/package.json bun.package.json && cp $$folder/package-lock.json bun.package-lock.json

vendor: ## Make what the web page is given of others anew, from the versions pinned in scripts/vendor (needs Node.js)
	cd scripts/vendor && npm ci --no-audit --no-fund && node build.mjs && rm -rf node_modules

clean: ## Remove what set-up, builds and tests left in this folder
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
