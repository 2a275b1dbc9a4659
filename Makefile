# Every command of the project. PYTHON=python3.12 make run chooses another interpreter (3.11 or later) for .venv.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PIP_OPTIONS := --quiet --disable-pip-version-check --no-input
MAKEFLAGS += --no-print-directory
# Images like to forbid bytecode. Here dozens of processes start, and each would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv run ohif demo test prove check bench migrate verify-audit docs

help: ## what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## .venv with everything installed (again only when the requirements changed)
	@:

# A Debian without python3-venv has no ensurepip: then the system's own pip fills the environment.
$(STAMP): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV) ..."
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		$(PYTHON) -m venv $(VENV) && \
		$(PY) -m pip install $(PIP_OPTIONS) -r requirements.txt -r requirements-dev.txt; \
	else \
		$(PYTHON) -m venv --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(PY) install $(PIP_OPTIONS) -r requirements.txt -r requirements-dev.txt; \
	fi
	@touch $@

run: $(STAMP) ## start everything on this machine: pages on http://127.0.0.1:$PORT (8000); Ctrl-C stops
	@$(PY) -m deploy.run

ohif: $(STAMP) ## fetch OHIF, the viewer for doctors, into var/; `make run` serves it from then on
	@$(PY) -m deploy.ohif

demo: $(STAMP) ## play the whole story against the running platform ($BASE_URL, http://127.0.0.1:8000)
	@$(PY) -m simulator.demo

# Sets in the same order every time, as the tests themselves (pyproject.toml).
test: export PYTHONHASHSEED := 0
test: $(STAMP) ## all tests, on servers of their own; ARGS="-k card" chooses
	@$(PY) -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

prove: $(STAMP) ## what takes many minutes: far more cases of the same proofs, and each guard taken out once
	@$(PY) -m pytest -m prove -o faulthandler_timeout=0 $(ARGS)

check: $(STAMP) ## format, lint, types, and who may import whom
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary .
	@$(VENV)/bin/lint-imports

bench: $(STAMP) ## measure beside the ceilings (docs/bench.md); ARGS="desk_scan --rounds 3" chooses
	@$(PY) -m bench $(ARGS)

migrate: $(STAMP) ## bring the database at $DATABASE_URL to the newest schema, make missing signing keys
	@$(PY) -m flask --app app prepare

verify-audit: $(STAMP) ## whether the audit log is what was sealed: $DATABASE_URL and $AUDIT_COPY_DIR, or those of `make run`
	@$(PY) -m deploy.verify_audit $(ARGS)

docs: $(STAMP) ## write docs/errors.md again from the code
	@$(PY) -m deploy.reference
