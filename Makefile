# All that a clone needs is make and Python 3.11 or newer. `make` alone lists the targets.

PYTHON ?= python3
PORT ?= 3000
PAYLOAD ?= 1.0
OUT ?= demo
ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python
REQUIREMENTS := layers/deps/requirements.txt layers/deps/requirements-heif.txt tests/requirements.txt
BENCH_REQUIREMENTS := $(wildcard tests/bench/requirements.txt)
CACHES := .hypothesis .mypy_cache .pytest_cache .ruff_cache

# The stamp's name says what is installed: the contents of the requirements, not their dates, which
# every checkout changes. A stamp under another name means an older set of packages.
key = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
STAMP := $(VENV)/.made-$(call key,$(REQUIREMENTS))

.DEFAULT_GOAL := help
.PHONY: help demo test serve invoke bench lint clean FORCE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## Cut out real photographs: a table here, the pictures in demo/
	@exec $(RUN) tests/demo.py $(ARGS)

test: $(STAMP) ## Run the tests; ARGS="-k color" for some of them
	@exec $(RUN) -m pytest $(ARGS)

serve: $(STAMP) ## The API on http://127.0.0.1:3000 with the key "local"; PORT= PAYLOAD=1.0|2.0
	@exec $(RUN) events/serve.py --port $(PORT) --payload $(PAYLOAD) $(ARGS)

invoke: $(STAMP) ## Send one event to the function: EVENT=events/http-multipart.json OUT=demo
	@exec $(RUN) events/invoke.py --out "$(OUT)" $(ARGS) $(if $(EVENT),"$(EVENT)")

bench: $(STAMP) ## Measure time and memory on this machine
ifdef BENCH_REQUIREMENTS
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(BENCH_REQUIREMENTS)
endif
	@exec $(RUN) tests/bench/bench.py $(ARGS)

lint: $(STAMP) ## Check style and types: ruff, mypy --strict
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

clean: ## Remove what the targets make
	rm -rf $(VENV) demo .aws-sam $(CACHES)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A folder with .unfinished in it was interrupted, one with another stamp holds other packages, and
# one whose Python is gone or too old is no use: these are made anew. Any other .venv is completed.
# A Python that stopped working under a good stamp counts too, hence FORCE. Of two makes at once the
# second waits for the first, where the system has flock, and then finds the work done.
WORKS = $(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
$(STAMP): $(if $(shell $(WORKS) && echo yes),,FORCE)
	@set -e; exec 9<Makefile; if command -v flock >/dev/null; then flock 9; fi; \
	if [ -e $@ ] && $(WORKS); then exit 0; fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Python 3.11 or newer is needed, and "$(PYTHON)" is not that or does not run.' \
	    'Name another one: make PYTHON=python3.13 ...' >&2; exit 1; }; \
	if [ -e $(VENV)/.unfinished ] || ls $(VENV)/.made-* >/dev/null 2>&1 || ! $(WORKS) \
	  || ! $(RUN) -m pip --version >/dev/null 2>&1; \
	then $(PYTHON) -m venv --clear $(VENV); fi; \
	touch $(VENV)/.unfinished; \
	echo 'Installing the packages into $(VENV)/: a minute, once.' >&2; \
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes \
	  $(addprefix -r ,$(REQUIREMENTS)); \
	touch $@; rm $(VENV)/.unfinished
