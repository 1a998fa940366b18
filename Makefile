# Two commands do everything on a machine with Python 3.11 or newer, make and git: `make book` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Trainings run side by side, one thread each: more threads would only stand in each other's way.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help env book check fix lint test notebooks clean

help:  ## list the targets
	@echo "usage: make TARGET [PYTHON=python3.12] [OMP_NUM_THREADS=2]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP)  ## make the environment in .venv and install the pinned packages

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("rvae_lite needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

book: env  ## execute the notebooks (quick profile) and render the book to _build/html
	$(BIN)/python tools/notebooks.py execute --out _build/notebooks
	@rm -rf _build/src && mkdir -p _build/src
	@cp -Rp book _config.yml _toc.yml _build/src/
	@cp -Rp _build/notebooks _build/src/notebooks
	@# After a failure the cached pages go, or the next run would not repeat their warnings.
	$(BIN)/jupyter-book build _build/src --path-output . -W -n --keep-going || { rm -rf _build/.doctrees; exit 1; }
	@echo "The book is at $(CURDIR)/_build/html/index.html"

lint: env
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

fix: env  ## mend what ruff can mend: order of imports, layout, small lint
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

check: lint  ## the loop of a day: lint, the rules of the house and the core's quick tests
	$(BIN)/python -m pytest -q -n 2 -m "not slow" tests/test_rooms.py tests/core tests/models

test: lint  ## lint, run the tests, then check every number of the committed notebooks
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --nbval notebooks

notebooks: env  ## rebuild the committed notebooks from their .py sources (quick profile)
	$(BIN)/python tools/notebooks.py build

clean:  ## remove everything built; the environment in .venv stays
	rm -rf _build dist .pytest_cache
	find rvae_lite tests tools notebooks book -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
