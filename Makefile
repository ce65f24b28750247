# Two commands do all the set-up on a machine that has Python 3.11 or newer and make: `make demo` and `make test`.

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
BIN = $(VENV)/bin

.PHONY: help demo test test-sdks test-mcp conformance test-vllm train-small train-gpu check format ready ready-demo soak kill \
	mutation coverage bench build clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: ready-demo ## See Lookahead at work: offline, no key, under a minute
	@$(BIN)/python -m lookahead demo $(ARGS)

test: ready ## All that must hold: lint, format, types, floors, tests (what .ci/run runs)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q $(ARGS)

check: test ## The same as `make test`

format: ready ## Put the code into its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ready-demo:
	@$(if $(PYTHON),$(PYTHON) scripts/prepare.py demo --venv $(VENV),$(no-python))

ready:
	@$(if $(PYTHON),$(PYTHON) scripts/prepare.py test --venv $(VENV),$(no-python))

no-python = echo "Lookahead needs Python 3.11 or newer: install it, or name it with  make PYTHON=/path/to/python3" >&2; exit 1

test-vllm: ## The tests against a real vLLM on this machine's CPU (4 GB of disk, 3 GB of memory, some minutes)
	@$(if $(PYTHON),$(PYTHON) scripts/test_vllm.py $(ARGS),$(no-python))

test-sdks: ## The tests with every agent framework, each in an environment of its own (ARGS="strands inspect" for some)
	@$(if $(PYTHON),$(PYTHON) scripts/test_sdks.py $(ARGS),$(no-python))

test-mcp: ready ## The MCP proxy in front of real servers, which it installs (Node and npm; 900 MB in .servers/, minutes)
	@$(BIN)/python scripts/mcp_servers.py --test $(ARGS)

conformance: ready ## The official MCP conformance suite through the proxy (ARGS="--server-source PATH": the Python SDK)
	@$(BIN)/python scripts/conformance.py $(ARGS)

train-small: ready ## The small world model that ships, from nothing: data, training, export (two cores, 90 minutes)
	$(BIN)/lookahead train small --out small $(ARGS)

train-gpu: ready ## A larger one, where a GPU is at hand (then: lookahead train promote small-gpu/weights --into DIR)
	$(BIN)/lookahead train small --out small-gpu --size 30M --share 20 --minutes 20 --device cuda $(ARGS)

soak: ready ## The long leg of the stateful tests
	$(BIN)/python benchmarks/soak.py $(ARGS)

kill: ready ## kill -9 at random moments: nothing runs twice, nothing runs unrecorded
	$(BIN)/python benchmarks/kill.py $(ARGS)

coverage: ready ## Branch coverage of decision, journal and approval
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage report

mutation: ready ## Mutation score of decision, journal and approval
	$(BIN)/python benchmarks/mutation.py $(ARGS)

bench: ready ## The tables of benchmarks/README.md that take minutes, not hours
	for name in startup overhead approvals fork_directory fork_database escape critics journal_integrity redaction; do \
		$(BIN)/python benchmarks/$$name.py || exit 1; done

build: ready ## The wheel and the source distribution
	$(BIN)/uv build

clean: ## Remove what make made
	rm -rf $(VENV) .venvs .venv-vllm dist build .pytest_cache .ruff_cache .hypothesis .coverage .import_linter_cache
