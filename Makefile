# The commands of Calltally. They need only Python 3.11 or newer, unless a comment names more.

PYTHON ?= python3
VENV := .venv
IN_VENV := $(VENV)/bin/python
# The environment that only `make bench` needs.
BENCH := .venv-bench
PIP := $(IN_VENV) -m pip install --quiet --disable-pip-version-check --require-hashes
TEMPLATES = $(shell find templates -name '*.html')
# The environment that only `make flaws` and `make bom` need.
PACKAGES := .venv-packages
# Arguments for one run: make test ARGS="-k embedded"
ARGS ?=

# Programs in Node that receive what is sent to other systems.
NODE := tests/live/formats/node

.PHONY: run demo receivers test test-all test-faults test-deploy bench bench-pages bench-access bench-exports bench-contacts bench-live bench-dispatch bench-rest bench-tasks lint flaws bom format screenshots pictures

run: $(VENV)/installed
	@$(IN_VENV) manage.py quickstart

demo: $(VENV)/installed
	@$(IN_VENV) manage.py quickstart --demo

# Without slow tests, unless ARGS selects them.
test: $(VENV)/installed-dev
	@$(IN_VENV) -m pytest -n 2 $(or $(ARGS),-m "not slow")

test-all: $(VENV)/installed-dev
	@$(IN_VENV) -m pytest -n 2 $(ARGS)

# Kills processes, freezes them and fills disks of a separate Calltally; with CALLTALLY_TEST_FULL=1 this takes hours.
# Needs Linux, and root to fill disks.
test-faults: $(VENV)/installed-dev
	@$(IN_VENV) -m pytest -o addopts="--strict-markers --strict-config -ra" $(or $(ARGS),tests/faults)

# Sends posts over HTTPS through nginx with deploy/nginx/calltally.conf. Needs nginx and openssl.
test-deploy: $(VENV)/installed-dev
	@$(IN_VENV) -m pytest -o addopts="--strict-markers --strict-config -ra" $(or $(ARGS),tests/deploy)

# Libraries in Node with which tests receive what is sent to other systems. Needs Node and npm; without them, and without
# this, these tests are skipped.
receivers: $(NODE)/node_modules/.package-lock.json

# The figures of docs/performance.md: compares the intake with other servers that run the same statement. Takes about
# six minutes.
bench: $(VENV)/installed $(BENCH)/installed
	@$(IN_VENV) -m tests.benchmarks $(ARGS)

# How long pages of twelve months take, with one million calls and with ten million. Takes about ten minutes.
bench-pages: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.pages $(ARGS)

# How much slower pages are for people with rows of access than for a superuser. Takes about four minutes.
bench-access: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.access $(ARGS)

# How long downloads of a million calls take, and how much memory they need. Needs Linux; takes about ten minutes.
bench-exports: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.exports $(ARGS)

# How long it takes to find a caller among a hundred thousand contacts, and to import them. Takes about two minutes.
bench-contacts: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.contacts $(ARGS)

# How soon calls that ring are with browsers, what streams cost posts, and how many fit. Needs Linux and 12,000 open
# files (ulimit -n); takes about nine minutes.
bench-live: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.live $(ARGS)

# What three endpoints and 500 streams cost posts, and how soon other systems are told. Needs Linux and 2,000 open files
# (ulimit -n); takes about nine minutes.
bench-dispatch: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.dispatch $(ARGS)

# How much memory and processor time all of `make run` needs while nothing happens. Needs Linux; takes about five minutes.
bench-rest: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.rest $(ARGS)

# What a person has to do for an answer: clicks, seconds and heights of pages, with the traffic of `make demo`. Needs
# Chromium; takes about four minutes.
bench-tasks: $(VENV)/installed-dev
	@$(IN_VENV) -m tests.benchmarks.tasks $(ARGS)

# Pictures of every page in four window sizes, written to var/screenshots, which is not committed. Needs Chromium.
screenshots: $(VENV)/installed-dev
	@CALLTALLY_SCREENSHOTS=var/screenshots CALLTALLY_REQUIRE_BROWSER=1 $(IN_VENV) -m pytest -q tests/browser/test_screenshots.py

# The pictures that README and docs/ show, each under 100 kB, written to docs/screenshots. Needs Chromium.
pictures: $(VENV)/installed-dev
	@CALLTALLY_PICTURES=docs/screenshots CALLTALLY_REQUIRE_BROWSER=1 $(IN_VENV) -m pytest -q tests/browser/test_screenshots.py

# The settings cannot be read without secrets; these two give access to nothing.
lint: export SECRET_KEY = only to read the settings while the code is being checked
lint: export ACCESS_KEY_PEPPER = only to read the settings while checking
lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	@$(VENV)/bin/djade --check $(TEMPLATES)
	@$(VENV)/bin/djhtml --tabwidth 2 --check $(TEMPLATES)
	$(VENV)/bin/mypy .
	@# Without a database, Django warns that it cannot check which migrations were applied; only the files matter here.
	$(IN_VENV) -W "ignore:Got an error checking:RuntimeWarning" manage.py makemigrations --check --dry-run

# Asks PyPI for known flaws of the locked packages, those of tests (whose file has all) and of these tools too. Needs the
# internet; packages that PyPI does not answer for are an error. Another service: make flaws ARGS="-s osv"
flaws: $(PACKAGES)/installed
	@for file in requirements-dev.txt tests/packages/requirements.txt; do \
		echo "$$file:"; \
		$(PACKAGES)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off $(ARGS) -r $$file || exit 1; \
	done

# The bill of materials of an installation, as CycloneDX: each locked package with its version and hashes.
bom: $(PACKAGES)/installed
	@mkdir -p var
	@# It warns that our own dependencies are not told from theirs, which a lock file does not say.
	@PYTHONWARNINGS=ignore $(PACKAGES)/bin/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml -o var/bom.json requirements.txt
	@echo "var/bom.json"

format: $(VENV)/installed-dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/djade $(TEMPLATES)
	$(VENV)/bin/djhtml --tabwidth 2 $(TEMPLATES)

$(VENV)/installed: requirements.txt | $(IN_VENV)
	@# An environment whose creation was interrupted has no pip.
	@$(IN_VENV) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	@echo "Installing what Calltally needs into $(VENV), which may take a minute or two …"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "Installing what its tests need …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(NODE)/node_modules/.package-lock.json: $(NODE)/package-lock.json
	@echo "Installing libraries that receive what is sent to other systems …"
	@npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(BENCH)/installed: tests/benchmarks/requirements.txt | $(IN_VENV)
	@echo "Installing what Calltally is measured against into $(BENCH) …"
	@$(IN_VENV) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(PACKAGES)/installed: tests/packages/requirements.txt | $(IN_VENV)
	@echo "Installing what looks after the locked packages into $(PACKAGES) …"
	@$(IN_VENV) -m venv --clear $(PACKAGES)
	@$(PACKAGES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(IN_VENV):
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Calltally needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" -V 2>&1). Choose another: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments here. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
