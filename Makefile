# Two commands: `make demo` and `make test`. Both need Python 3.11 or later and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VERSION ?= 3.3.2
LATEST := 3.3.2
TASKS ?= 200
TESTS ?= tests
VENV := .venv-$(VERSION)
BIN := $(VENV)/bin
# Without compiled files each `import airflow` costs two seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast test-airflow test-lowest test-cluster lint types layers format readme bench clean

demo: .demo-installed
	@.venv/bin/python -m tests.demo.main

test: lint types layers
	$(BIN)/python -m pytest

# The quick part: no browser, no Airflow components, nothing that waits for minutes.
test-fast: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not slow"

# What meets Airflow itself, on another version: make test-airflow VERSION=3.0.6, all of it or TESTS="tests/cli …"
test-airflow: $(VENV)/.installed
	$(BIN)/python -m pytest -m airflow --ignore=tests/browser $(TESTS)

# The oldest of everything that the package says it works with.
test-lowest: .venv-lowest/.installed
	.venv-lowest/bin/python -m pytest -m airflow --ignore=tests/browser

# A distributed run with two Celery workers: make test-cluster TASKS=200
test-cluster: .venv-cluster/.installed
	.venv-cluster/bin/python -m tests.cluster.main $(TASKS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

layers: $(VENV)/.installed
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Write the README's tables anew from the tables in the code.
readme: $(VENV)/.installed
	$(BIN)/python -m tests.readme

bench: $(VENV)/.installed
	for script in calls async_calls triggers tokens imports storm authorizations page; do $(BIN)/python -m benchmarks.$$script || exit 1; done

clean:
	rm -rf .venv* .demo-installed build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml .ci/constraints/airflow-$(VERSION).txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c .ci/constraints/airflow-$(VERSION).txt -e ".[dev]"
	@touch $@

.venv-lowest/.installed: pyproject.toml .ci/constraints/lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install -q uv
	.venv-lowest/bin/uv pip install -q --python .venv-lowest/bin/python --resolution lowest-direct \
		-c .ci/constraints/lowest.txt -e . --group lowest
	@touch $@

.venv-cluster/.installed: pyproject.toml .ci/constraints/airflow-$(LATEST).txt
	$(PYTHON) -m venv .venv-cluster
	.venv-cluster/bin/python -m pip install -q uv
	.venv-cluster/bin/uv pip install -q --python .venv-cluster/bin/python \
		-c .ci/constraints/airflow-$(LATEST).txt -e . --group cluster
	@touch $@

.demo-installed: pyproject.toml .ci/constraints/airflow-$(LATEST).txt
	@echo "Installing Airflow $(LATEST) and this provider into .venv (a minute or two) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install -q --disable-pip-version-check -c .ci/constraints/airflow-$(LATEST).txt -e ".[demo]"
	@touch $@
