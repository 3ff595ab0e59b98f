# make demo and make test set up what they need; a second run finds it done.
# PYTHON=/path/to/python3.12 chooses the interpreter of .venv; IPVSCOPE_SKIP_APT=1 leaves system packages alone.

.DEFAULT_GOAL := help
.PHONY: help demo test truth setup lint bench performance docs fuzz hostile foreign clean
.DELETE_ON_ERROR:

PY := .venv/bin/python
STAMPS := .venv/.stamps
SAMPLE := samples/clb-reuse.tar.gz
DEMO := out/demo
FUZZ_SECONDS ?= 10

help:
	@echo 'make demo    analyse $(SAMPLE) and write $(DEMO)/report.html, .pdf and .json'
	@echo 'make test    lint, type check, check the import layers and run all tests'
	@echo 'make setup   only the set-up: .venv, system libraries and fonts'
	@echo 'make lint    ruff, mypy and import-linter'
	@echo 'make truth   score the walk against recorded connections'
	@echo 'make bench   the benchmarks'
	@echo 'make docs    the documentation as a site in out/site'
	@echo 'make performance  the benchmarks as docs/performance.md'
	@echo 'make fuzz    fuzz each parser and the archive reader for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'make hostile what each hostile bundle is answered, its peak memory and time'
	@echo 'make foreign what bundles of other collectors let the walk say of recorded connections'
	@echo 'make clean   remove what the others made'

$(STAMPS)/venv: scripts/setup.sh
	@scripts/setup.sh venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/system: scripts/setup.sh | $(STAMPS)/venv
	@scripts/setup.sh system
	@touch $@

$(STAMPS)/tools: scripts/setup.sh | $(STAMPS)/venv
	@scripts/setup.sh tools
	@touch $@

$(STAMPS)/browser: scripts/setup.sh | $(STAMPS)/venv
	@scripts/setup.sh browser
	@touch $@

$(STAMPS)/demo: pyproject.toml scripts/setup.sh scripts/installed.py | $(STAMPS)/venv
	@scripts/setup.sh python pdf
	@touch $@

$(STAMPS)/dev: pyproject.toml scripts/setup.sh scripts/installed.py | $(STAMPS)/venv
	@scripts/setup.sh python dev,pdf,remote,sql,xlsx,dask
	@touch $@

setup: $(STAMPS)/system $(STAMPS)/tools $(STAMPS)/dev

# Exit code 1 means "findings", which is what a demo is for.
demo: $(STAMPS)/system $(STAMPS)/demo
	@rm -rf $(DEMO)
	@.venv/bin/ipvscope analyze $(SAMPLE) -o $(CURDIR)/$(DEMO) || [ $$? -eq 1 ]
	@for kind in html pdf json; do \
	    [ -f $(DEMO)/report.$$kind ] || { echo "missing: $(DEMO)/report.$$kind" >&2; exit 1; }; \
	done

lint: $(STAMPS)/dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

test: $(STAMPS)/system $(STAMPS)/tools $(STAMPS)/browser $(STAMPS)/dev lint
	$(PY) -m pytest -n auto --dist loadfile

# How often the walk agrees with what was measured, per destination kind and per mechanism.
truth: $(STAMPS)/dev
	$(PY) -m pytest tests/forwarding/test_lab_truth.py

$(STAMPS)/docs: pyproject.toml scripts/setup.sh scripts/installed.py | $(STAMPS)/venv
	@scripts/setup.sh python dev,pdf,docs
	@touch $@

# The site with its generated pages, pictures and the output of its examples.
docs: $(STAMPS)/docs
	$(PY) scripts/make_docs.py
	$(PY) scripts/make_pictures.py
	$(PY) scripts/run_examples.py
	NO_MKDOCS_2_WARNING=1 $(PY) -W ignore -m mkdocs build --quiet
	@echo $(CURDIR)/out/site/index.html

bench: $(STAMPS)/dev
	$(PY) -m bench

# All subjects and how cost grows, as docs/performance.md.
performance: $(STAMPS)/dev
	@mkdir -p out && rm -f out/performance.jsonl
	$(PY) -m bench --sizes --growth --large --json out/performance.jsonl --doc docs/performance.md

# Atheris guides it where it can be installed.
$(STAMPS)/fuzz: pyproject.toml scripts/setup.sh scripts/installed.py | $(STAMPS)/venv
	@scripts/setup.sh python dev,fuzz || echo 'make fuzz: without Atheris, by plain mutation' >&2
	@touch $@

fuzz: $(STAMPS)/dev $(STAMPS)/fuzz
	$(PY) -m tests.fuzz --seconds $(FUZZ_SECONDS)

hostile: $(STAMPS)/dev
	$(PY) -m tests.hostile

foreign: $(STAMPS)/dev
	$(PY) -m tests.bundle.foreign

clean:
	rm -rf .venv out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
