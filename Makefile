# Every target does its own set-up: nothing but Python, its headers, gcc and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CONFIG ?= configs/xmarket.yaml
DAY ?= 2019-01-01
# Two processes; a file's tests stay in one, for they share what they set up.
IN_TWO := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup run demo docs notebooks run-simulated test package test-fast fuzz check lock clean bench-start bench-ingest bench-simulator bench-vocabulary bench-training bench-serving load-serving tune-training peer-fuxictr kill-ingest kill-backfill bench-backfill bench-calendar prove-ecdctr prove-ctnet prove-cctl ctnet-months results results-quick worlds learning-curves references check-airflow check-kubeflow check-beam check-flink check-debian audit

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv from the lock files that fit this Python and machine

# What is built from source is built with the locked setuptools, too. Libraries are compiled here: TFX
# takes 8 s to import then and 28 s otherwise, for ever where PYTHONDONTWRITEBYTECODE is set.
$(READY): $(wildcard requirements/tfx-*.txt) requirements/uv.txt requirements/choose.py setup.py pyproject.toml
	@lock="$$($(PYTHON) requirements/choose.py)" && test=$${lock%.txt}-test.txt && \
	echo "Setting up $(VENV) from $$lock and $$test (about a minute, once)" && \
	$(PYTHON) -m venv --clear $(VENV) && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt && \
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --build-constraints $$lock --python $(BIN)/python requirements/uv.txt $$lock $$test && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY) ## First run: feeds teach a model for ads, on simulated logs (2 min)
	$(BIN)/crossctr simulate configs/first_run.yaml
	$(BIN)/crossctr run configs/first_run.yaml --day 2024-01-29 --compare

demo: $(READY) ## Larger comparison: E-CDCTR and its parts on five shipped marketplaces (3 min)
	$(BIN)/crossctr import $(CONFIG)
	$(BIN)/crossctr run $(CONFIG) --day $(DAY) --compare

run-simulated: $(READY) ## E-CDCTR from feeds to ads on simulated logs, compared with its parts (5 min)
	$(BIN)/crossctr simulate configs/feeds_ads.yaml
	$(BIN)/crossctr run configs/feeds_ads.yaml --day 2024-02-23 -s ecdctr -s ecdctr_no_tpm -s ecdctr_no_cpm -s target_only

check: $(READY) ## Lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: check ## Everything: lint, types, unit tests, TFX runs on small real logs
	$(BIN)/python -m pytest $(IN_TWO) --durations=10

package: $(READY) ## Build sdist and wheel, install each in an empty folder, run the fast tests on the wheel (4 min)
	tests/check_package.sh $(IN_TWO)

test-fast: check ## The part without real runs (4 min)
	$(BIN)/python -m pytest $(IN_TWO) -m "not slow"

fuzz: MINUTES ?= 10
fuzz: $(READY) ## Generate configurations and logs for MINUTES (10): every error must be a readable one
	$(BIN)/python -m tests.fuzz.run --minutes $(MINUTES)

bench-start: $(READY) ## Measure the start-up cost of a command: imports, a plan (2 min)
	$(BIN)/python -m benchmarks.bench_start $(BENCH_FLAGS)

bench-ingest: $(READY) .venv-peer-polars/.ready ## Measure the ingest beside stock TFX and polars: speed, native share, memory (10 min)
	$(BIN)/python -m benchmarks.bench_ingest $(BENCH_FLAGS)

bench-vocabulary: $(READY) ## Measure a day's growth of a vocabulary of a million to a hundred million ids (10 min, 16 GiB)
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -W ignore -m benchmarks.bench_vocabulary $(BENCH_FLAGS)

bench-simulator: $(READY) ## Measure the simulator's speed and how much of its optimum is learned (4 min)
	$(BIN)/python -m benchmarks.bench_simulator $(BENCH_FLAGS)

kill-ingest: $(READY) ## Kill an ingest 20 times, repeat it, compare the results (25 min)
	$(BIN)/python -m benchmarks.kill_ingest $(BENCH_FLAGS)

bench-backfill: $(READY) ## Measure the fixed cost of a further day of a backfill, and impressions read by CTNet (10 min)
	$(BIN)/crossctr simulate configs/feeds_ads.yaml
	$(BIN)/python -m benchmarks.bench_backfill $(BENCH_FLAGS)

kill-backfill: $(READY) ## Kill a backfill of five days 30 times, repeat it, compare the results (an hour; resumes if called again)
	$(BIN)/python -m benchmarks.kill_backfill $(BENCH_FLAGS)

bench-calendar: $(READY) ## Measure the cost that a year of stored days adds to a plan and to a further day (10 min)
	$(BIN)/python -m benchmarks.bench_calendar $(BENCH_FLAGS)

# For real logs: PROOF_CONFIG=configs/amazon.yaml PROOF_DAY=2014-06-01 PREPARE=import
prove-ecdctr: PROOF_CONFIG ?= configs/feeds_ads.yaml
prove-ecdctr: PROOF_DAY ?= 2024-02-23
prove-ecdctr: PREPARE ?= simulate
prove-ecdctr: SEEDS ?= 10
prove-ecdctr: $(READY) ## Check E-CDCTR: folding, point in time, every part left out once, returning users (hours; stored by seed)
	$(BIN)/crossctr $(PREPARE) $(PROOF_CONFIG)
	$(BIN)/python -m benchmarks.prove_ecdctr $(PROOF_CONFIG) --day $(PROOF_DAY) --seeds $(SEEDS)

prove-ctnet: SEEDS ?= 10
prove-ctnet: $(READY) ## Check CTNet on simulated logs: first day, frozen source, reload, 14 days of curves (75 min)
	$(BIN)/python -m benchmarks.prove_ctnet --seeds $(SEEDS)

prove-cctl: SEEDS ?= 10
prove-cctl: $(READY) ## Check CCTL on simulated impressions: noise, a copy, nine conditions, cost, each part left out (an hour)
	$(BIN)/python -m benchmarks.prove_cctl --seeds $(SEEDS) --ablations $(SEEDS)

ctnet-months: SEEDS ?= 10
ctnet-months: $(READY) ## Compare CTNet over twelve months of amazon and xmarket with other strategies (50 min)
	$(BIN)/python -m benchmarks.ctnet_months --seeds $(SEEDS)

results: SEEDS ?= 10
results: $(READY) ## Compare every strategy on every data set; DATASETS=a,b and STRATEGIES=a,b for some, RENEW=1 after a change (a day; it resumes): docs/results.md
	$(BIN)/python -m benchmarks.results --seeds $(SEEDS) --datasets "$(DATASETS)" --strategies "$(STRATEGIES)" $(if $(RENEW),--renew)

results-quick: $(READY) ## Try the way of `results`: 2 seeds, 2 data sets, 4 strategies (20 min): runs/results-quick/results.md
	$(BIN)/python -m benchmarks.results --quick --datasets "$(DATASETS)"

references: $(READY) ## Measure references alone: co-purchases on amazon by months, linear models on xmarket by quarters (40 min)
	$(BIN)/python -m benchmarks.amazon_references
	$(BIN)/python -m benchmarks.xmarket_references

worlds: SEEDS ?= 10
worlds: $(READY) ## Compare every strategy in a grid of adversarial simulated worlds (a night; it resumes)
	$(BIN)/python -m benchmarks.worlds --seeds $(SEEDS)

learning-curves: $(READY) ## Measure from how many target rows on networks and transfer pay (hours; it resumes)
	$(BIN)/python -m benchmarks.learning_curves $(BENCH_FLAGS)

bench-training: $(READY) .venv-peer-deepctr/.ready .venv-peer-torch/.ready benchmarks/peers/tuned.json ## Measure the training: reading, table sizes, PyTorch, DeepCTR, torch-rechub, memory (40 min)
	$(BIN)/python -m benchmarks.bench_training $(BENCH_FLAGS)

tune-training: $(READY) .venv-peer-deepctr/.ready .venv-peer-torch/.ready ## Choose the rates of bench-training's libraries from settings of equal number (45 min)
	$(BIN)/python -m benchmarks.tune_training $(BENCH_FLAGS)

# Only if it is missing: whoever changes an engine or its settings tunes again.
benchmarks/peers/tuned.json: | $(READY) .venv-peer-deepctr/.ready .venv-peer-torch/.ready
	$(BIN)/python -m benchmarks.tune_training

# The logs are ingested up to the last scored day.
peer-fuxictr: PEER_CONFIG ?= configs/feeds_ads.yaml
peer-fuxictr: PEER_FLAGS ?= --day 2024-02-23
peer-fuxictr: PEER_TO ?= 2024-02-29
peer-fuxictr: PREPARE ?= simulate
peer-fuxictr: $(READY) .venv-peer-torch/.ready ## Compare the backbone with FuxiCTR's DCN-v2 on the same impressions, tuned alike (20 min)
	$(BIN)/crossctr $(PREPARE) $(PEER_CONFIG)
	$(BIN)/crossctr ingest $(PEER_CONFIG) --to $(PEER_TO)
	$(BIN)/python -m benchmarks.peer_fuxictr $(PEER_CONFIG) $(PEER_FLAGS)

bench-serving: $(READY) .venv-peer-deepctr/.ready ## Measure the latency of a request: every strategy, rank, gRPC, against DeepCTR (5 min)
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m benchmarks.bench_serving --deepctr-python .venv-peer-deepctr/bin/python $(BENCH_FLAGS)

load-serving: $(READY) ## Load a server for ten minutes while versions change (11 min)
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m benchmarks.load_serving $(BENCH_FLAGS)

# Complete lists, so nothing is resolved, but CUDA's parts of PyTorch: see the note in each.
.venv-peer-%/.ready: benchmarks/peers/%.txt
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet $(if $(filter torch,$*),,--no-deps) -r $<
	@touch $@

# 3.11.2 is the Python of Debian 12: some releases want a later patch of 3.11.
check-airflow: $(READY) .venv-airflow/.ready ## Run three days under a real Airflow and kill one task (15 min)
	$(BIN)/python -m tests.orchestration.check_airflow .venv-airflow/bin

check-beam: $(READY) ## Run a day on a portable runner and in two processes, compare with the run in memory (10 min)
	$(BIN)/python -m tests.orchestration.check_beam

# Java 17 and Maven fetch Flink and Beam's job server into build/flink.
check-flink: $(READY) ## Run a day of 10^6 impressions on a Flink cluster, kill task managers, compare with the run in memory (60 min)
	$(BIN)/python -m tests.orchestration.check_flink $(FLINK_FLAGS)

check-kubeflow: TRIAL = build/check-kubeflow
check-kubeflow: $(READY) .venv-kfp/.ready ## Load the compiled pipelines with Kubeflow's SDK and run their command lines here (3 min)
	@rm -rf $(TRIAL)
	@$(BIN)/python -m tests.orchestration.trial $(TRIAL)
	$(BIN)/crossctr compile $(TRIAL)/config.yaml --runner kubeflow --output $(TRIAL)/specs
	PATH="$(CURDIR)/$(BIN):$$PATH" .venv-kfp/bin/python tests/orchestration/check_kubeflow.py $(TRIAL)/specs/feeds_ads 2022-06-03

.venv-airflow/.ready: requirements/airflow-2.10.txt
.venv-kfp/.ready: requirements/kfp-2.13.txt
.venv-airflow/.ready .venv-kfp/.ready: $(READY)
	@$(PYTHON) -m venv $(@D)
	@$(BIN)/uv pip sync --quiet --python $(@D)/bin/python $(filter requirements/%,$^)
	@touch $@

docs: $(READY) .venv-docs/.ready ## Build the documentation site into build/site; every link is checked (2 min)
	$(BIN)/python -m website.write_reference build/reference
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

notebooks: $(READY) .venv-docs/.ready ## Execute the notebooks of the documentation again and store their outputs (8 min)
	.venv-docs/bin/python -m website.execute_notebooks

.venv-docs/.ready: requirements/docs.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lock: $(READY) ## Resolve the lock files of both lines again, with hashes
	requirements/lock.sh

audit: .venv-audit/.ready ## Query the vulnerability service for every package of the lock files
	.venv-audit/bin/python requirements/audit.py

.venv-audit/.ready: requirements/audit.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

check-debian: RELEASE ?= trixie
check-debian: COMMAND ?= make test-fast run
check-debian: ## Run COMMAND on a clean Debian RELEASE: the other TFX line's fast tests and main job (10 min, root)
	tests/on_debian.sh $(RELEASE) "$(COMMAND)"

clean: ## Remove the files of runs (runs/); .venv stays
	rm -rf runs
