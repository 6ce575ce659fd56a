# Words for people. Each makes what it needs; only Python 3.9 or newer and make are asked for.
# PYTHON=python3.12 after a word names the Python that makes .venv.

BIN := .venv/bin
# What a demo needs, what developing needs, what benchmarks measure against, what the site is built with.
RUNS := .venv/runs
INSTALLED := .venv/installed
FLOORS := .venv/floors
SITE := .venv/site

.PHONY: help demo test test-all check soak fuzz bench docs pictures snapshots build release clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 12

demo: $(RUNS)  ## watch a simulated heater for half a minute, a day of its own time
	$(BIN)/navien-nwp500 monitor --simulate --speed 3000 --count 288 --csv demo.csv

# Compiled modules are kept where the environment says otherwise too: the tests start hundreds of processes.
test: $(INSTALLED)  ## run every test, several at a time
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

test-all: $(INSTALLED)  ## run every test on each Python found, and on the oldest of all it needs
	$(BIN)/nox

check: $(INSTALLED)  ## format, import order, lint, types, spelling
	$(BIN)/black --check .
	$(BIN)/isort --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell

soak: $(INSTALLED)  ## live a month of the heater's time with faults at random, in 4 minutes
	$(BIN)/python tests/stress/soak.py

fuzz: $(INSTALLED)  ## seek for a minute what breaks a decoder, with atheris where it installs
	-@$(BIN)/pip install --quiet --disable-pip-version-check atheris 2>/dev/null
	$(BIN)/python tests/stress/fuzz.py

bench: $(FLOORS)  ## measure against floors, print the table, write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

docs: $(SITE)  ## build the documents as a site; see it with python3 -m http.server -d site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(INSTALLED)  ## draw the README's pictures anew, with chromium where it is installed
	$(BIN)/python scripts/pictures.py

snapshots: $(INSTALLED)  ## write anew what every word prints (tests/snapshots); look at the difference
	RENEW_SNAPSHOTS=1 $(BIN)/python -m pytest -q tests/apps/cli/test_snapshots.py

build: $(INSTALLED)  ## make sdist and wheel, look into them, try the wheel on each Python found
	$(BIN)/nox --session build wheel

release: build  ## and ask for every platform whether the wheel installs; the simulator over each broker
	$(BIN)/nox --session platforms brokers

clean:  ## remove what the other words made
	rm -rf .venv install.log build dist site demo.csv .pytest_cache .mypy_cache .hypothesis *.egg-info

# Whether there is something to install, the script knows: .venv may have lost its Python.
$(RUNS): FORCE
	@sh scripts/install.sh $@ --editable '.[simulator,cli]'

$(INSTALLED): $(RUNS)
	@sh scripts/install.sh $@ --editable '.[dev]'

$(FLOORS): $(RUNS) benchmarks/requirements.txt
	@rm -f $@
	@sh scripts/install.sh $@ --requirement benchmarks/requirements.txt

$(SITE): $(RUNS)
	@sh scripts/install.sh $@ --editable '.[docs]'

FORCE:
