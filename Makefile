# All that a clone needs is make and Python 3.11 to 3.14. `make` alone lists the targets.

PYTHON ?= python3
PORT ?= 3000
S3_PORT ?= 5555
PAYLOAD ?= 1.0
OUT ?= demo/
MINUTES ?= 10
CORPUS ?= demo/fuzz
# The defaults of the template's parameters Architecture and ModelName.
ARCHITECTURE ?= x86_64
MODEL_NAME ?= erase-s
ARGS ?=

# File names and other free texts go to the programs in the environment, as they were given. In a
# recipe make would expand each $ in them, and the shell whatever has a meaning there. (ARGS and CARD
# are several words, which the shell takes apart.)
PATHS := IN OUT EVENT FILE CATALOG CORPUS
TEXTS := $(PATHS) URL KEY NAME SHA256 LICENCE
$(foreach text,$(TEXTS),$(if $(value $(text)),$(eval override $(text) := $$(value $(text)))$(eval \
  export $(text))))

# zsh, the shell of Macs, hands the ~ of IN=~/photos on as it is, and OUT=~/cutouts/ would become a
# folder with the name ~ here. (<start> marks the beginning: no other ~ of the path changes, nor does a
# lone one.)
$(foreach path,$(PATHS),$(if $(and $(HOME),$(filter <start>~/%,<start>$(value $(path)))),$(eval \
  override $(path) := $$(subst <start>~/,$$(value HOME)/,<start>$$(value $(path))))))

# Where numpy is imported before cutout, which asks for the same, its OpenBLAS would let a thread for
# each core wait in a busy loop.
export OPENBLAS_NUM_THREADS ?= 1
# Where onnxruntime is imported first, it would report to its maker.
export ORT_DISABLE_TELEMETRY ?= 1

# They are set for another Python, or for pip outside of a virtual environment. Here they would change
# what is imported, end pip by a warning of its own, or put the packages into another folder.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONWARNINGS PIP_PREFIX PIP_ROOT PIP_TARGET PIP_USER

VENV := .venv
RUN := $(VENV)/bin/python
REQUIREMENTS := layers/deps/requirements.txt layers/deps/requirements-heif.txt tests/requirements.txt
# Every package is in the lists. With the dependencies that packages name, pip would look for newer
# ones where a name has an extra, such as coverage[toml], and then refuse them for want of a hash.
INSTALL := -m pip install --no-user --quiet --disable-pip-version-check --no-deps --require-hashes
CACHES := .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

# The stamp's name says what is installed: the contents of the requirements, not their dates, which
# every checkout changes. A stamp under another name means an older set of packages.
key = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
STAMP := $(VENV)/.made-$(call key,$(REQUIREMENTS))

# Its versions are not those of the others, so it has an environment of its own.
CHECKOV := $(VENV)/checkov/.made-$(call key,tests/template/requirements.txt)
INT8 := $(VENV)/int8/.made-$(call key,models/quantize-requirements.txt)

.DEFAULT_GOAL := help
.PHONY: help demo cutout test serve serve-s3 invoke e2e build deploy smoke buildable same-parameters model bench bench-edges mutants fuzz load fleet lint checkov clean FORCE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## Cut out real photographs: a table here, the pictures in demo/
	@exec $(RUN) tests/demo.py $(ARGS)

cutout: $(STAMP) ## Cut out your photos: IN=photos/ OUT=cutouts/ ARGS="--format webp --jobs 2"
	@PYTHONPATH=function exec $(RUN) -m cutout $(ARGS) $(if $(IN),"$$IN") "$$OUT"

# Four at most: each process takes up to 1 GB.
# Some of the tests may need no checkov; the one that does installs it.
ALL_TESTS := --cov --numprocesses logical --maxprocesses 4 --dist worksteal
test: $(STAMP) ## Run the tests on up to four cores and measure their coverage; ARGS="-k color" for some of them
	@$(if $(ARGS),,$(MAKE) -s --no-print-directory checkov)
	@exec $(RUN) -m pytest $(or $(ARGS),$(ALL_TESTS))

serve: $(STAMP) ## Run the API on http://127.0.0.1:3000 with the key "local"; PORT= PAYLOAD=1.0|2.0; RIE=1 runs the built function
	@exec $(RUN) events/local/serve.py --port $(PORT) --payload $(PAYLOAD) \
	  $(if $(filter-out 0,$(RIE)),--emulated) $(ARGS)

serve-s3: $(STAMP) ## Run the API, and an S3 whose uploads are cut out; PORT= S3_PORT= PAYLOAD=
	@exec $(RUN) events/local/serve_s3.py --port $(PORT) --s3-port $(S3_PORT) --payload $(PAYLOAD) $(ARGS)

invoke: $(STAMP) ## Send one event to the function: EVENT=events/rest-multipart.json OUT=demo
	@exec $(RUN) events/local/invoke.py --out "$$OUT" $(ARGS) $(if $(EVENT),"$$EVENT")

CHROMIUM := $(shell command -v chromium || command -v chromium-browser)
e2e: $(STAMP) ## Run the built function in AWS's runtime emulator, and the page in Chromium
	@$(if $(CHROMIUM),$(RUN) $(INSTALL) -r tests/e2e/requirements-browser.txt)
	@exec $(RUN) -m pytest tests/e2e $(ARGS)

# SAM hands the variables on to the layers' Makefiles. Where there is no SAM, it is installed beside.
# (Functions such as abspath would take a path with a space in it for two paths.)
# (The 2> makes a make before 4.3 run the line in a shell, which is what knows the word `command`.)
SAM := $(or $(wildcard $(VENV)/bin/sam),$(shell command -v sam 2>/dev/null))
OWN_SAM := .aws-sam/cli
OWN_SAM_STAMP := $(OWN_SAM)/.made-$(call key,tests/e2e/requirements.txt)
# In `make deploy` ARGS are for `sam deploy`. `sam build` does not know most of its options.
BUILD_ARGS = $(ARGS)
deploy: BUILD_ARGS =

# SAM would ask its questions, or build, before anything failed.
CARDS = $(wildcard models/*/card.toml)
buildable:
	@case "$(ARCHITECTURE)" in x86_64 | arm64) ;; *) \
	  echo "ARCHITECTURE= must be x86_64 or arm64, and not $(ARCHITECTURE)." >&2; exit 1;; esac
	@printf '%s\n' "$(MODEL_NAME)" | tr , '\n' | while IFS= read -r name; do \
	  [ -e "models/$$name/card.toml" ] || { \
	    echo "There is no model $$name in models/. MODEL_NAME= must be one of" \
	      "$(patsubst models/%/card.toml,%,$(CARDS)), or several of them with commas between them;" \
	      "make model NAME=$$name adds a public one." >&2; exit 1; }; done

# MAKEFLAGS is emptied because the PYTHON= of a command line in it would take the place of the PYTHON
# here, and that one need not have pip.
build: buildable $(STAMP) $(if $(SAM),,$(OWN_SAM_STAMP)) ## Build what `sam deploy` takes, without Docker; ARCHITECTURE=arm64
	@MAKEFLAGS= SAM_CLI_TELEMETRY=0 PYTHON="$(CURDIR)/$(RUN)" \
	  ARCHITECTURE=$(ARCHITECTURE) MODEL_NAME=$(MODEL_NAME) \
	  "$(or $(SAM),$(OWN_SAM)/bin/sam)" build \
	  --parameter-overrides Architecture=$(ARCHITECTURE) ModelName=$(MODEL_NAME) $(BUILD_ARGS)

# What is built must be what is deployed. Parameters that samconfig.toml keeps are all that SAM then
# gives to CloudFormation, so they are compared with what is built; where it keeps none, this prints
# them for SAM. Where there is no such file yet, it prints --guided too, with which SAM makes one.
# Default options that the worker would refuse are refused here, and so are numbers of uploads that
# contradict each other.
PARAMETERS = PYTHONPATH=function $(RUN) layers/deps/samconfig.py \
  --built Architecture=$(ARCHITECTURE) ModelName=$(MODEL_NAME) -- $(ARGS)
same-parameters: buildable $(STAMP)
	@$(PARAMETERS) >/dev/null

deploy: same-parameters build ## Build, then `sam deploy`: guided the first time, from samconfig.toml after it
	@SAM_CLI_TELEMETRY=0 "$(or $(SAM),$(OWN_SAM)/bin/sam)" deploy $$($(PARAMETERS)) $(ARGS)
# The answers of a guided deployment are known only now.
	@$(PARAMETERS) >/dev/null

smoke: $(STAMP) ## Check a deployment with thirteen requests: URL=https://.../live KEY=...
	@exec $(RUN) events/local/smoke.py "$$URL"

model: $(STAMP) $(if $(filter-out 0,$(QUANTIZE)),$(INT8)) ## Add a public model: NAME=u2netp QUANTIZE=1; or NAME= LICENCE= and URL= SHA256= or FILE=
	@exec $(RUN) models/add.py --name "$$NAME" $(if $(URL),--url "$$URL") \
	  $(if $(FILE),--file "$$FILE") $(if $(SHA256),--sha256 "$$SHA256") \
	  $(if $(LICENCE),--licence "$$LICENCE") $(if $(CATALOG),--catalog "$$CATALOG") \
	  $(if $(filter-out 0,$(ACCEPT_LICENCE)),--accept-licence) \
	  $(if $(filter-out 0,$(QUANTIZE)),--quantize $(VENV)/int8/bin/python) $(CARD)

bench: $(STAMP) ## Measure the time of each stage on this machine; REMBG=1 measures rembg too
	@if [ -n "$(filter-out 0,$(REMBG))" ]; then \
	  $(RUN) $(INSTALL) -r tests/bench/requirements.txt; fi
	@exec $(RUN) tests/bench/bench.py $(if $(filter-out 0,$(REMBG)),--rembg) $(ARGS)

bench-edges: $(STAMP) ## Measure the edges against true mattes and closed-form matting
	@$(RUN) $(INSTALL) -r tests/bench/requirements.txt
	@exec $(RUN) tests/bench/edges.py $(ARGS)

mutants: $(STAMP) ## Find small changes of the code that no test notices; ARGS="--module http/body.py"
	@$(RUN) $(INSTALL) -r tests/mutants/requirements.txt
	@exec $(RUN) tests/mutants/run.py $(ARGS)

fuzz: $(STAMP) ## Send damaged input to the parsers and the handlers: MINUTES=60; the folder CORPUS= keeps what reached new code
	@$(RUN) $(INSTALL) -r tests/fuzz/requirements.txt \
	  || echo 'atheris cannot be installed here: chance guides the fuzzer instead.' >&2
	@exec $(RUN) tests/fuzz/fuzz.py --minutes $(MINUTES) --corpus "$$CORPUS" $(ARGS)

load: $(STAMP) ## Send good, bad, huge, slow and aborted requests at once: MINUTES=10; RIE=1 sends them to a pool of emulators
	@exec $(RUN) tests/bench/load.py --minutes $(MINUTES) $(if $(filter-out 0,$(RIE)),--emulated) $(ARGS)

fleet: $(STAMP) ## Estimate what whole catalogues take and cost: measured here, then simulated
	@exec $(RUN) tests/bench/fleet.py $(ARGS)

lint: $(STAMP) ## Check style and types: ruff, mypy --strict
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

clean: ## Remove what the targets make
	rm -rf $(VENV) demo .aws-sam $(CACHES)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A folder with .unfinished in it was interrupted, one with another stamp holds other packages, and
# one whose Python is gone or of another version is no use: these are made anew. Any other .venv is
# completed.
# A Python that stopped working under a good stamp counts too, hence FORCE. Of two makes at once the
# second waits for the first, where the system has flock, and then finds the work done.
# The last version is the newest one that every package of the lists is built for. Only what is built
# is installed: to build numpy takes many minutes, and then other packages fail.
FITS = -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'
WORKS = $(RUN) $(FITS) 2>/dev/null
$(STAMP): $(if $(shell $(WORKS) && echo yes),,FORCE)
	@set -e; exec 9<Makefile; if command -v flock >/dev/null; then flock 9; fi; \
	if [ -e $@ ] && $(WORKS); then exit 0; fi; \
	"$(PYTHON)" $(FITS) || { \
	  echo 'Python 3.11, 3.12, 3.13 or 3.14 is needed, and "$(PYTHON)" is not that or does not run.' \
	    'Name another one: make PYTHON=python3.13 ...' >&2; exit 1; }; \
	if [ -e $(VENV)/.unfinished ] || ls $(VENV)/.made-* >/dev/null 2>&1 || ! $(WORKS) \
	  || ! $(RUN) -m pip --version >/dev/null 2>&1; \
	then "$(PYTHON)" -m venv --clear $(VENV); fi; \
	touch $(VENV)/.unfinished; \
	echo 'Installing the packages into $(VENV)/: a minute, once.' >&2; \
	$(RUN) $(INSTALL) --only-binary=:all: $(addprefix -r ,$(REQUIREMENTS)) || { \
	  echo 'The packages were not installed; pip says why above. If it found no version of a package,' \
	    'either its index cannot be reached, or the package is not built for this' \
	    'system: all of them are for Linux with glibc and for Macs with Apple silicon.' >&2; \
	  exit 1; }; \
	[ -n "$$($(RUN) -m pip freeze --disable-pip-version-check)" ] || { \
	  echo 'pip put the packages elsewhere: a pip.conf sets target, prefix or root.' \
	    'Run make with PIP_CONFIG_FILE=/dev/null.' >&2; \
	  exit 1; }; \
	touch $@; rm $(VENV)/.unfinished

# An environment of its own beside the others: $(1) is what it has, $(2) lists the packages. Of two
# makes at once the second waits for the first here, too.
define own_environment
@set -e; exec 9<Makefile; if command -v flock >/dev/null; then flock 9; fi; \
	if [ -e $@ ]; then exit 0; fi; \
	echo 'Installing $(1) into $(@D)/: a minute, once.' >&2; \
	$(RUN) -m venv --clear $(@D); \
	$(@D)/bin/python $(INSTALL) -r $(2); \
	touch $@
endef

checkov: $(CHECKOV)
$(CHECKOV): | $(STAMP)
	$(call own_environment,checkov,tests/template/requirements.txt)

$(INT8): | $(STAMP)
	$(call own_environment,ONNX,models/quantize-requirements.txt)

$(OWN_SAM_STAMP): | $(STAMP)
	$(call own_environment,SAM,tests/e2e/requirements.txt)
