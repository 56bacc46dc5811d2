# One command per chore; each sets up what it needs first. `make help` lists them.
# .venv is made with the machine's own Python; a change of the requirements installs again.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
INDEX  ?=
CORPUS ?=
TITLES ?=
WORK   ?= my-models
FROM   ?= starter
OUT    ?= my-index
PORT   ?= 8501

.PHONY: help run test lint screenshots bench scale train named index serve clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/	/'

$(VENV)/run.stamp: requirements.txt pyproject.toml
	@echo "Wayfinder: setting up Python packages in $(VENV) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements-models.txt $(VENV)/run.stamp
	@echo "Wayfinder: setting up what tests and linters need"
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

run: $(VENV)/run.stamp  ## set up everything and start the web app on the starter corpus
	@$(BIN)/wayfinder serve --port $(PORT)

serve: $(VENV)/run.stamp  ## start the web app; INDEX=dir names an index, PORT=8501 the port
	@$(BIN)/wayfinder serve --port $(PORT) $(if $(INDEX),--index $(INDEX))

index: $(VENV)/run.stamp  ## make an index: FROM=papers.jsonl OUT=my-index
	@$(BIN)/wayfinder index build --from "$(FROM)" --out "$(OUT)"

test: $(VENV)/dev.stamp  ## set up everything and run the tests
	@./.ci/debian chromium chromium fonts-dejavu-core
	@./.ci/debian caddy caddy
	@echo "Wayfinder: running the tests"
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/dev.stamp  ## ruff (lint, format) and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

screenshots: $(VENV)/dev.stamp  ## make the pictures of docs/tour.md anew
	@./.ci/debian chromium chromium fonts-dejavu-core
	@$(BIN)/python -m tests.tour

bench: $(VENV)/dev.stamp  ## measure speed and memory: INDEX=my-index CORPUS=papers.jsonl.gz
	@$(BIN)/python -m eval.bench $(if $(INDEX),--index $(INDEX)) $(if $(CORPUS),--corpus $(CORPUS))

train: named $(VENV)/dev.stamp  ## train the models that ship: CORPUS=papers.jsonl.gz WORK=folder for steps and models
	@$(BIN)/python -m training "$(CORPUS)" --work "$(WORK)"

named:
	@test -n "$(CORPUS)" || { echo "Wayfinder: name the papers to train on: make train CORPUS=papers.jsonl.gz" >&2; exit 2; }

scale: $(VENV)/dev.stamp  ## measure how an index grows: TITLES=titles.jsonl.gz
	@$(BIN)/python -m eval.scale --titles "$(TITLES)"

clean:  ## remove the environment, caches and build leftovers of this folder
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
