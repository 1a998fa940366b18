# A machine with Python 3.11 or newer, make and git is enough: `make book` shows it, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UNFINISHED := $(VENV)/.unfinished
PROFILE ?= quick

# Trainings run side by side, one thread each: more threads would only stand in each other's way.
export OMP_NUM_THREADS ?= 1
# Without bytecode each process compiles every module anew: importing torch takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

# A stamped environment whose interpreter has gone is installed again.
$(shell test -x $(BIN)/python || rm -f $(STAMP))

.DEFAULT_GOAL := help
.PHONY: help env book run pdf check fix lint test notebooks clean

help:  ## list the targets
	@echo "usage: make TARGET [PYTHON=python3.12] [OMP_NUM_THREADS=2]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP)  ## make the environment in .venv and install the pinned packages

# An environment without pip, or whose installation was interrupted, is made anew.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("rvae_lite needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	@{ test ! -e $(UNFINISHED) && $(BIN)/python -m pip --version; } >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $@ && touch $(UNFINISHED)
	$(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --force-reinstall uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@rm -f $(UNFINISHED) && touch $@

# Only pages that changed are read again.  After a failure, or an interrupt, all are: a page that
# was read without its warnings being mended would not repeat them.
RENDERED := _build/.rendered
define render
@test -e $(RENDERED) || rm -rf _build/.doctrees
@rm -f $(RENDERED)
$(BIN)/jupyter-book build _build/src --path-output . -W -n --keep-going
@touch $(RENDERED)
@echo "The book is at $(CURDIR)/_build/html/index.html"
endef

book: env  ## render the book from the committed notebooks to _build/html; nothing is executed
	@$(BIN)/python tools/book.py
	$(render)

run: env  ## execute notebooks and render them: make run [NB=23_multi_rate] [PROFILE=quick|cpu|paper]
	$(BIN)/python tools/notebooks.py run $(NB) --profile $(PROFILE)
	@$(BIN)/python tools/book.py $(NB) --executed _build/run/$(PROFILE)
	$(render)

pdf: book  ## print the book with Chromium to _build/rvae_lite.pdf
	$(BIN)/python tools/pdf.py

lint: env
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

fix: env  ## mend what ruff can mend: order of imports, layout, small lint
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

check: lint  ## the loop of a day: lint, the rules of the house and the core's quick tests
	$(BIN)/python -m pytest -q -n 2 -m "not slow" tests/test_rooms.py tests/core tests/models

test: lint  ## lint, run the tests, then execute the committed notebooks and compare what they print
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --nbval notebooks

notebooks: env  ## rebuild the committed notebooks from their .py sources (quick profile)
	$(BIN)/python tools/notebooks.py build

clean:  ## remove everything built; the environment in .venv stays
	rm -rf _build dist .pytest_cache
	find rvae_lite tests tools notebooks book -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
