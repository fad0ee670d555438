# Everything a person does with a checkout; `make` lists it.
# Recipes end in `exec`, so that a signal to make reaches what runs.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help up down status test lint format faults bench bench-gateway bench-streams bench-policy bench-analysis bench-swap bench-host bench-crowd bench-brain bench-page trace ui pictures soak lock docs compose-up compose-down clean

MODELIUM := .venv/bin/modelium
DETACH ?=
SAMPLE ?= 1
ARGS ?=
MINUTES ?= 30

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

up: ## install what is missing, start everything, chat with a sample model (DETACH=1 returns, SAMPLE=0 without it)
	@exec scripts/bootstrap -- $(MODELIUM) up $(if $(filter-out 0,$(DETACH)),--detach) $(if $(filter 0,$(SAMPLE)),--no-sample)

down: ## stop everything and leave no process behind
	@if [ -x $(MODELIUM) ]; then exec $(MODELIUM) down; else echo "nothing is installed, so nothing runs"; fi

status: ## what runs, which models there are
	@if [ -x $(MODELIUM) ]; then exec $(MODELIUM) status; else echo "nothing is installed, so nothing runs"; fi

test: ## lint, types, and every test against real NATS, Redis, vLLM and Docker
	@exec scripts/bootstrap --dev -- scripts/test

lint: ## ruff and mypy
	@exec scripts/bootstrap --dev --no-engine -- scripts/test lint types

format: ## let ruff order the code
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/ruff format

faults: ## kill every process in turn under a steady stream of requests
	@exec scripts/bootstrap --dev -- .venv/bin/python -m tests.faults.run

bench: ## measure what the control plane costs
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m benchmarks.spine

bench-gateway: ## the gateway beside nginx, sglang-router, vllm-router, LiteLLM (ARGS="--quick --only ours,nginx")
	@exec scripts/bootstrap --dev --no-engine -- scripts/bench-peers -- .venv/bin/python -m benchmarks.gateway $(ARGS)

bench-streams: ## 5,000 streams held open through the gateway: none lost, memory of each (ARGS="--streams 1000")
	@exec scripts/bootstrap --dev --no-engine -- scripts/bench-peers -- .venv/bin/python -m benchmarks.streams $(ARGS)

bench-policy: ## which models to keep: `decide` beside LRU and a clairvoyant, on traces (TRACES=folder, ARGS="--hours 6")
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m benchmarks.policy $(ARGS)

bench-analysis: ## what reading a 3 GB safetensors and a GGUF of 150,000 words takes
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m benchmarks.analysis

bench-swap: ## four models take turns in memory for two, with real vLLM on the CPU (ARGS="--requests 16 --minutes 2")
	@exec scripts/bootstrap --dev -- .venv/bin/python -m benchmarks.swap $(ARGS)

bench-host: ## the model host beside FastAPI and Ray Serve with the same model (ARGS="--reps 1 --seconds 2")
	@exec scripts/bootstrap --dev -- scripts/bench-peers -- .venv/bin/python -m benchmarks.host --only ours,ours-ray,fastapi,ray-serve $(ARGS)

trace: ## draw docs/trace.svg: the trace of a cold request (ARGS="--python .modelium/engines/…/bin/python" with vLLM)
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m benchmarks.cold_trace $(ARGS)
bench-crowd: ## 100 models on 8 slots, 200 requests a second, an agent dies and an engine hangs (ARGS="--models 20")
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m benchmarks.crowd $(ARGS)

bench-brain: ## requests while the brain's language model answers, hangs and is killed, on real vLLM (ARGS="--rounds 1 --seconds 24")
	@exec scripts/bootstrap --dev -- .venv/bin/python -m benchmarks.brain_killed $(ARGS)

bench-page: ## the page at /ui: its weight, when it shows something, its memory (ARGS="--minutes 2")
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m benchmarks.page $(ARGS)

soak: ## mixed load on the whole system: nothing may grow (MINUTES=30)
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m benchmarks.soak --minutes $(MINUTES)

ui: ## build the page at /ui again, if its sources in ui/ have changed
	@exec scripts/build-ui

pictures: ## write docs/pictures again, from the page as it is now
	@exec scripts/bootstrap --dev --no-engine -- .venv/bin/python -m tests.browser.pictures

lock: ## write requirements/*.txt again from pyproject.toml
	@exec scripts/lock

docs: ## write the generated pages again
	@exec scripts/bootstrap --dev --no-engine -- scripts/docs

compose-up: ## the same system in containers
	@exec scripts/compose up -d

compose-down: ## stop the containers, and the engines that they started
	@exec scripts/compose down

clean: ## stop everything; remove .venv, .modelium (data, logs, engines) and caches, but no model (YES=1: do not ask)
	@exec scripts/clean
