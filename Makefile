# Targets for people. Each installs what it needs; only Python 3.9 or newer and make are required.
# PYTHON=python3.12 after a target selects the Python of .venv.

BIN := .venv/bin
# Stamps of what is installed: for the demo, for development, for the benchmarks, for the site.
RUNS := .venv/runs
INSTALLED := .venv/installed
FLOORS := .venv/floors
SITE := .venv/site

.PHONY: help demo test test-all check soak fuzz bench bench-fleet docs pictures snapshots build release clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 12

demo: $(RUNS)  ## show a simulated heater in the browser; ARGS=--text: a day in the terminal, in half a minute
	@$(BIN)/python scripts/demo.py $(ARGS)

# Compiled modules are always kept: the tests start hundreds of processes. Four of them run at a time,
# also on two cores, because tests often wait.
test: $(INSTALLED)  ## run all tests, in parallel
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses=4 --dist=worksteal

test-all: $(INSTALLED)  ## run all tests on each Python found, and with the oldest allowed packages
	$(BIN)/nox

check: $(INSTALLED)  ## check format, import order, lint, types and spelling
	$(BIN)/black --check .
	$(BIN)/isort --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell

soak: $(INSTALLED)  ## simulate a month with random faults, in 4 minutes
	$(BIN)/python tests/stress/soak.py

fuzz: $(INSTALLED)  ## fuzz the decoders for a minute, with atheris where it installs
	-@$(BIN)/pip install --quiet --disable-pip-version-check atheris 2>/dev/null
	$(BIN)/python tests/stress/fuzz.py

bench: $(FLOORS)  ## measure against the limits, print a table, write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-fleet: $(INSTALLED)  ## measure a fleet of 3 processes and 3,000 accounts, in 20 minutes
	$(BIN)/python -m benchmarks.fleet

docs: $(SITE)  ## build the documentation site; view it with python3 -m http.server -d site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(INSTALLED)  ## draw the pictures of the README again, with chromium where it is installed
	$(BIN)/python scripts/pictures.py

snapshots: $(INSTALLED)  ## write the output of all commands again (tests/apps/cli/snapshots); check the diff
	RENEW_SNAPSHOTS=1 $(BIN)/python -m pytest -q tests/apps/cli/test_snapshots.py

build: $(INSTALLED)  ## build sdist and wheel, check them, try the wheel on each Python found
	$(BIN)/nox --session build wheel

release: build  ## build, check that the wheel installs on every platform, test each broker
	$(BIN)/nox --session platforms brokers

clean:  ## remove everything that the other targets made
	rm -rf .venv install.log build dist site demo.csv .pytest_cache .mypy_cache .hypothesis *.egg-info

# The script decides whether to install: the Python of .venv may have been removed.
$(RUNS): FORCE
	@sh scripts/install.sh $@ --editable '.[simulator,cli,dashboard]'

$(INSTALLED): $(RUNS)
	@sh scripts/install.sh $@ --editable '.[dev]'

$(FLOORS): $(RUNS) benchmarks/requirements.txt
	@rm -f $@
	@sh scripts/install.sh $@ --requirement benchmarks/requirements.txt

$(SITE): $(RUNS)
	@sh scripts/install.sh $@ --editable '.[docs]'

FORCE:
