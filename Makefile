# OVIM's everyday commands. `make` alone lists them.
PYTHON ?= python3
export PYTHON
PY := .venv/bin/python
# Django starts only with a complete environment: this gives a command one, with throw-away services behind it.
WITH_SERVICES := $(PY) -m ovim_site.supervisor run --
VAR ?= var
T ?=
SEEDS ?= 1 2 3

.DEFAULT_GOAL := help
.PHONY: help install install-run demo dev status restart test check check-django bench chaos schema migrations lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: install-run .venv/.test node_modules/.tests ## set up everything for development, in .venv and node_modules

install-run: .venv/.run node_modules/.installed ## set up only what running takes

.venv/.run: requirements.txt pyproject.toml
	@bin/install run

.venv/.test: requirements.txt requirements-test.txt .venv/.run
	@bin/install test

node_modules/.installed: $(wildcard package.json package-lock.json) bin/sprite core/ui/icons.py | .venv/.run
	@bin/install assets

# What only tests need of npm: it stands beside what the portal loads.
node_modules/.tests: node_modules/.installed
	@bin/install test-assets

demo: install-run ## start everything here and make a virtual machine (EXIT=1: end once it runs; VAR=folder)
	@$(PY) -m ovim_site.supervisor demo --var "$(VAR)" $(if $(filter-out 0,$(EXIT)),--exit)

dev: install-run ## start everything here with all logs on the screen; changed code is restarted
	@$(PY) -m ovim_site.supervisor dev --var "$(VAR)"

status: ## each part of what runs: since when, restarts, last line of its log
	@$(PY) -m ovim_site.supervisor status --var "$(VAR)"

restart: ## restart parts of what runs (P="worker live")
	@$(PY) -m ovim_site.supervisor restart $(P) --var "$(VAR)"

test: install ## all tests (T=path or T="-k words": some of them)
	$(PY) -m pytest -n 3 --dist worksteal $(T)

check: install ## style, types, layers, migrations, API schema
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports
	$(PY) -m djlint --quiet --lint templates
	@$(WITH_SERVICES) $(MAKE) --no-print-directory check-django

# What has to import the settings. Called by `check`, which gives it an environment.
check-django:
	$(PY) -m mypy .
	$(PY) manage.py check --fail-level WARNING
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py spectacular --validate | diff -u schema.yaml - || { echo "schema.yaml is out of date: make schema" >&2; exit 1; }

schema: install ## write schema.yaml anew from the code
	@$(WITH_SERVICES) $(PY) manage.py spectacular --validate --file schema.yaml

migrations: install ## write migrations for changed models
	@$(WITH_SERVICES) $(PY) manage.py makemigrations

bench: install ## measure speed and memory; the table also goes to var/bench.json
	$(PY) -m tests.bench

chaos: install ## everything breaks while a crowd uses it (SEEDS="1 2 3" OPERATIONS=1000 USERS=20 LOGS=folder)
	@$(PY) -m tests.chaos $(SEEDS) $(if $(OPERATIONS),--operations $(OPERATIONS)) $(if $(USERS),--users $(USERS)) $(if $(LOGS),--logs "$(LOGS)")

lock: install ## pin requirements*.in anew
	$(PY) -m uv pip compile --quiet --universal --no-header --python-version 3.11 requirements.in -o requirements.txt
	$(PY) -m uv pip compile --quiet --universal --no-header --python-version 3.11 requirements-test.in -o requirements-test.txt

clean: ## remove the data of demo and dev (.venv stays)
	@if [ -x $(PY) ]; then $(PY) -m ovim_site.supervisor clean --var "$(VAR)"; else rm -rf "$(VAR)"; fi
