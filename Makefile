# Two commands matter: `make demo` shows the whole tool on real data, `make test` checks it.
PYTHON ?= python3
VENV := .venv
GENREC := $(VENV)/bin/genrec
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-slow lint format results clean

demo: $(VENV)/.installed
	$(GENREC) prepare movielens-100k -o .demo/data --force
	$(GENREC) train .demo/data -o .demo/run --preset tiny --force
	$(GENREC) eval .demo/run --against popularity
	$(GENREC) export .demo/run -o exports/demo --force
	$(GENREC) recommend exports/demo 196

test: lint
	$(VENV)/bin/python -m mypy
	$(VENV)/bin/python -m pytest -n logical --maxprocesses 4 --dist loadfile

test-slow: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -m slow

lint: $(VENV)/.installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/.installed-test
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e '.[test]'
	touch $@ $(VENV)/.installed

results: $(VENV)/.installed
	$(VENV)/bin/python benchmarks/results.py

clean:
	rm -rf $(VENV) .demo build *.egg-info
