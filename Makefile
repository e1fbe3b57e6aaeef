# Turbine. `make demo` shows the main job on this machine, `make test` proves it; both set everything up by themselves.
PYTHON ?= python3
VENV := .venv
TOOLS := .venv-tools
SCANNERS := .venv-scan
BIN := $(VENV)/bin
SOURCES := local_cloud layers/core/turbine functions batch_jobs cli scans tests benchmarks
export PYTHONPATH := $(CURDIR):$(CURDIR)/layers/core:$(CURDIR)/batch_jobs

# Byte-compiled at set-up. Compiling all that is installed takes a minute; the rest is compiled when it is first imported.
IMPORTED := boto3, dvc.repo, dvc_s3, httpx, jinja2, mypy.main, pyarrow.dataset, pyarrow.parquet, pydantic, pytest, rich.live, \
  s3fs, safetensors.torch, samtranslator.translator.transform, sklearn.datasets, starlette.applications, torch, typer, uvicorn, \
  aws_lambda_powertools, moto.server, moto.awslambda.models, moto.batch.models, moto.cloudformation.models, moto.dynamodb.models, \
  moto.ec2.models, moto.events.models, moto.iam.models, moto.s3.models, moto.sagemaker.models, moto.sns.models, moto.sqs.models

.PHONY: help setup demo test browser soak lifecycle rehearsal lint format check-template lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo             four teams' models trained, compared, registered and used, on an embedded AWS"
	@echo "make test             all tests"
	@echo "make soak             the embedded AWS killed 300 times under load (up to 40 minutes; goes on where it was ended)"
	@echo "make lifecycle        10,000 orders of events and 5,000 races of promotions through the machines, stepped in memory"
	@echo "make rehearsal        the real sam builds, deploys, updates and deletes the stack on an embedded AWS; writes docs/sam.md"
	@echo "make browser          the tests in a real browser; installs Debian's Chromium if there is none"
	@echo "make lint             ruff, mypy, the import contracts and the proofs of the machines"
	@echo "make check-template   sam validate, cfn-lint, checkov, cdk-nag, bandit, detect-secrets and our own rules"
	@echo "make lock             resolve requirements*.in again"
	@echo "make clean            remove the environments and the local state"

setup: $(VENV)/.installed $(BIN)/turbine

# A full lock needs no resolution. Where the index's torch wheel wants its CUDA libraries, pip check says so and the
# second install adds them.
$(VENV)/.installed: requirements.lock requirements-solver.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Turbine needs Python 3.11 to 3.13, this is %d.%d. Name another: make setup PYTHON=python3.13" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -r requirements.lock
	@$(BIN)/python -m pip check >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip check
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --upgrade --target $(VENV)/solver -r requirements-solver.lock
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -W ignore -c 'import $(IMPORTED)'
	@touch $@

# The environment holds no code of this project, so that functions and jobs see only what the templates give them.
$(BIN)/turbine: $(VENV)/.installed
	@printf '#!/bin/sh\nPYTHONPATH="%s:%s/layers/core" exec "%s/$(BIN)/python" -m cli "$$@"\n' '$(CURDIR)' '$(CURDIR)' '$(CURDIR)' > $@
	@chmod +x $@

demo: setup
	$(BIN)/turbine demo

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

browser: setup
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends chromium; }
	$(BIN)/python -m pytest tests/browser

soak: setup
	$(BIN)/python -m tests.faults.soak --kills 300

lifecycle: setup
	$(BIN)/python -m tests.lifecycle

# Takes minutes and a python3.13: `sam build` asks the package index for every wheel that Lambda's machine needs.
rehearsal: setup $(TOOLS)/.installed
	$(BIN)/python -m tests.rehearsal --write docs/sam.md

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/python -m cli check

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(TOOLS)/.installed: requirements-tools.lock
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-tools.lock
	$(TOOLS)/bin/python -m pip check
	@touch $@

check-template: setup $(TOOLS)/.installed $(SCANNERS)/.installed
	for template in template.yaml stacks/prediction.yaml; do \
	  AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(TOOLS)/bin/sam validate --lint --template $$template || exit 1; \
	done
	$(BIN)/python -m scans --environment $(SCANNERS) --tools $(TOOLS)

$(SCANNERS)/.installed: requirements-scan.lock
	$(PYTHON) -m venv $(SCANNERS)
	$(SCANNERS)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -r requirements-scan.lock
	@# Its package of schemas brings older files of the same names: aws-cdk-lib's must come last.
	$(SCANNERS)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --force-reinstall \
	  "$$(grep '^aws-cdk-lib==' requirements-scan.lock)"
	$(SCANNERS)/bin/python -m pip check
	@touch $@

lock:
	$(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 requirements.in | sed 's/+[a-z0-9.]*$$//' > requirements.lock
	build/lock/bin/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 requirements-tools.in > requirements-tools.lock
	build/lock/bin/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --constraint requirements.lock requirements-solver.in | grep -vxFf requirements.lock > requirements-solver.lock
	build/lock/bin/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 requirements-scan.in > requirements-scan.lock

clean:
	rm -rf $(VENV) $(TOOLS) $(SCANNERS) build .turbine .pytest_cache .mypy_cache .ruff_cache report.html
