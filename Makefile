# Two commands: `make demo` and `make test`. Both need Python 3.11 or later and make, nothing else.
export PYTHON ?= $(shell command -v python3.11 || command -v python3)
VERSION ?= 3.3.2
LATEST := 3.3.2
TASKS ?= 200
TESTS ?= tests
MARKED ?= airflow and not browser
EPOCH := $(shell sed -n "s/^source-date-epoch = //p" pyproject.toml)
# Processes that run tests. Many tests wait for something, so that two cores serve three of them.
WORKERS ?= 3
# Another Python than the first that is found: make test-airflow PYTHON=/usr/bin/python3.13 OF=-3.13
OF ?=
VENV := .venv-$(VERSION)$(OF)
BIN := $(VENV)/bin
# The tests of a file stay together and in order; files and groups that take longest begin.
PYTEST := python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=20 $(ARGS)
# Tests whose rows come from a set are listed in one order by all processes.
export PYTHONHASHSEED := 1
# uv trusts a company's own CA as pip does: where the system keeps certificates.
export UV_SYSTEM_CERTS ?= true
# Without compiled files each `import airflow` costs two seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo dist sbom screenshots docs test pytest test-fast test-airflow test-lowest test-consumers test-cluster lint types layers format readme interop interop-page bench clean

demo: .demo-installed
	@.venv/bin/python -m tests.demo.main

test: lint types layers pytest

# All tests, without the checks of the code: make pytest ARGS="-k proxy"
pytest: $(VENV)/.installed
	$(BIN)/$(PYTEST)

# The quick part: no browser, no Airflow components, nothing that waits for minutes.
test-fast: $(VENV)/.installed
	$(BIN)/$(PYTEST) -m "not slow"

# What meets Airflow itself, on another version: make test-airflow VERSION=3.0.6, all of it or TESTS="tests/cli …".
# In a browser what is named only: MARKED="airflow or browser" TESTS=tests/system/browser/test_page.py
test-airflow: $(VENV)/.installed
	$(BIN)/$(PYTEST) -m "$(MARKED)" $(TESTS)

# The oldest of everything that the package says it works with.
test-lowest: .venv-lowest/.installed
	.venv-lowest/bin/$(PYTEST) -m "airflow and not browser"

# Tests of adapters and recipes, with the libraries that they are for; none may be skipped. On another version
# those that meet Airflow, with its stock hooks: make test-consumers VERSION=3.0.6
CONSUMERS := tests/adapters tests/recipes tests/tasks/test_lineage.py tests/contract/test_lent_connections.py tests/contract/test_libraries.py tests/contract/test_adapters.py
ifeq ($(VERSION),$(LATEST))
test-consumers: .venv-consumers/.installed
	CONSUMERS=true .venv-consumers/bin/$(PYTEST) $(CONSUMERS)
else
test-consumers: .venv-consumers-$(VERSION)/.installed
	CONSUMERS=true .venv-consumers-$(VERSION)/bin/$(PYTEST) -m airflow $(CONSUMERS)
endif

# A distributed run with two Celery workers: make test-cluster TASKS=200
test-cluster: .venv-cluster/.installed
	.venv-cluster/bin/python -m tests.system.cluster.main $(TASKS)

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

# Write the tables of README and docs anew from the tables in the code.
readme: $(VENV)/.installed
	$(BIN)/python -m tests.readme

# The manual, into docs/_build/html: offline once its tools are installed. A warning is an error.
docs: .venv-docs/.installed
	AIRFLOW_HOME=$(CURDIR)/docs/_build/airflow .venv-docs/bin/python -m sphinx -W --keep-going -n -q -b html docs docs/_build/html
	@echo "The manual begins at docs/_build/html/index.html"

# The pictures of form and page in the manual, from a real Airflow in Chromium.
screenshots: $(VENV)/.installed
	$(BIN)/python -m tests.manual.screenshots

# Wheel and source distribution: the same bytes whenever and wherever they are built.
dist: .venv-release/.installed
	rm -rf dist
	SOURCE_DATE_EPOCH=$(EPOCH) .venv-release/bin/python -m build --no-isolation --outdir dist . >/dev/null
	@ls -l dist

# What the wheel brings along, as CycloneDX: from an environment that holds it and nothing else.
sbom: dist
	rm -rf .venv-sbom && $(PYTHON) -m venv --without-pip .venv-sbom
	.venv-release/bin/uv pip install -q --python .venv-sbom/bin/python -c .ci/constraints/airflow-$(LATEST).txt "$$(ls $(CURDIR)/dist/*.whl)[redis]"
	rm .venv-sbom/lib/python*/site-packages/airflow_oauth_provider-*.dist-info/direct_url.json
	sed "s/^dynamic = .*/version = \"$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' airflow_oauth_provider/__init__.py)\"/" pyproject.toml >.venv-sbom/pyproject.toml
	SOURCE_DATE_EPOCH=$(EPOCH) .venv-release/bin/cyclonedx-py environment --output-reproducible --mc-type library --pyproject .venv-sbom/pyproject.toml -o dist/sbom.cdx.json .venv-sbom
	@ls -l dist

# Every server that we did not write, by every method and feature: a table of what works.
interop: $(VENV)/.installed
	$(BIN)/python -m pytest -q -p tests.system.interop.printing tests/system/interop

# Write the tables into docs/interoperability.md, where all cells are green.
interop-page: $(VENV)/.installed
	INTEROP_WRITE=1 $(BIN)/python -m pytest -q -p tests.system.interop.printing tests/system/interop

# Every script that docs/figures.md names, the others after one that misses a limit, too.
FIGURES := calls async_calls dpop mtls intermediate_responses triggers tokens revocations new_token imports storm authorizations page api_rate_limit history used_by
bench: $(VENV)/.installed .venv-consumers/.installed
	missed=0; for script in $(FIGURES); do $(BIN)/python -m benchmarks.$$script || missed=1; done; .venv-consumers/bin/python -m benchmarks.adapters || missed=1; exit $$missed

clean:
	rm -rf .venv* .demo-installed build dist docs/_build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml .ci/install .ci/constraints/airflow-$(VERSION).txt
	.ci/install $(VENV) .ci/constraints/airflow-$(VERSION).txt -e ".[dev]"
	@touch $@

.venv-lowest/.installed: pyproject.toml .ci/install .ci/constraints/lowest.txt
	.ci/install .venv-lowest .ci/constraints/lowest.txt --resolution lowest-direct -e . --group lowest
	@touch $@

.venv-release/.installed: pyproject.toml .ci/install .ci/constraints/release.txt
	.ci/install .venv-release .ci/constraints/release.txt --group release
	@touch $@

.venv-docs/.installed: pyproject.toml .ci/install .ci/constraints/docs.txt .ci/constraints/airflow-$(LATEST).txt
	.ci/install .venv-docs .ci/constraints/docs.txt -e . --group docs
	@touch $@

.venv-cluster/.installed: pyproject.toml .ci/install .ci/constraints/airflow-$(LATEST).txt
	.ci/install .venv-cluster .ci/constraints/airflow-$(LATEST).txt -e . --group cluster
	@touch $@

.venv-consumers/.installed: pyproject.toml .ci/install .ci/constraints/consumers.txt
	.ci/install .venv-consumers .ci/constraints/consumers.txt -e . --group consumers
	@touch $@

.venv-consumers-$(VERSION)/.installed: pyproject.toml .ci/install .ci/constraints/consumers-$(VERSION).txt
	.ci/install .venv-consumers-$(VERSION) .ci/constraints/consumers-$(VERSION).txt -e . --group stock
	@touch $@

.demo-installed: pyproject.toml .ci/install .ci/constraints/airflow-$(LATEST).txt
	@echo "Installing Airflow $(LATEST) and this provider into .venv ..."
	@.ci/install .venv .ci/constraints/airflow-$(LATEST).txt -e ".[demo]"
	@touch $@
