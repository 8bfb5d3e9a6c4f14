# Everything happens in .venv; plain python3 with venv and pip is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# What the demo needs, and what the tests need on top.
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: demo test check clean

demo: $(STAMP)
	$(BIN)/srpo demo --resume

test: $(DEV)
	scripts/test

check: $(DEV)
	scripts/check

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) -e ".[train]"
	touch $(STAMP)

$(DEV): $(STAMP)
	$(PIP) -e ".[dev]"
	touch $(DEV)

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache
