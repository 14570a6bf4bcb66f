# Everything a contributor runs, on a machine with Rust, Python 3.10 or newer, a C compiler
# and make. No AWS account. Virtual environments come from the pinned lists in
# local/requirements/ and are made again only when a list changes.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Targets that share the build directory must not run side by side.
.NOTPARALLEL:

PYTHON ?= python3
STACK ?= landfall
REGION ?= us-east-1

VENVS := .venv/cloud/.stamp .venv/sam/.stamp .venv/tools/.stamp
# Spark runs the Glue job where there is Java for it.
SPARK_VENV := $(if $(shell command -v java),.venv/spark/.stamp)
TOOLS := .venv/tools/bin
TEST_STACK := landfall-test
# Integration tests by name, except those with a target of their own.
TEST_DIRECTORIES := tests/tests $(wildcard functions/*/tests shared/*/tests cli/tests)
INTEGRATION_TESTS := $(filter-out e2e faults,$(sort \
	$(basename $(notdir $(wildcard $(addsuffix /*.rs,$(TEST_DIRECTORIES))))) \
	$(notdir $(patsubst %/main.rs,%,$(wildcard $(addsuffix /*/main.rs,$(TEST_DIRECTORIES)))))))

# Runs another target and says how long it took.
timed = @started=$$SECONDS; $(MAKE) $(1); echo "== $(1): $$((SECONDS - started)) s"

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  STACK=name REGION=region choose the stack of up and down; ARCH=arm64 builds for AWS"

.venv/%/.stamp: local/requirements/%.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "Python 3.10 or newer is needed: make PYTHON=<path>")'
	@echo "== make the virtual environment .venv/$*"
	@rm -rf .venv/$*
	@$(PYTHON) -m venv .venv/$*
	@.venv/$*/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --requirement $<
	@touch $@

.PRECIOUS: .venv/%/.stamp

.PHONY: venvs
venvs: $(VENVS) ## Make the virtual environments

.PHONY: build
build: $(VENVS) ## Build the deployment artifacts with sam build, for this machine or ARCH
	@$(TOOLS)/python -m local.build $(if $(ARCH),--architecture $(ARCH))

.PHONY: demo
demo: $(VENVS) $(SPARK_VENV) ## Land real files on a local cloud of their own and show what happens to them
	@$(TOOLS)/python -m local.demo

.PHONY: up
up: $(VENVS) $(SPARK_VENV) ## Start the local cloud with the template deployed, and leave it running
	@$(TOOLS)/python -m local.cloud up --stack $(STACK) --region $(REGION)

.PHONY: down
down: .venv/tools/.stamp ## Stop what `make up` started
	@$(TOOLS)/python -m local.cloud down --stack $(STACK)

.PHONY: test
test: ## Run lints, unit and component tests, checks of the artifacts, and end-to-end tests
	$(call timed,lint)
	$(call timed,unit)
	$(call timed,model)
	$(call timed,faults)
	$(call timed,engines)
	$(call timed,artifacts)
	$(call timed,e2e)
	$(call timed,storm STORM="--files 400 --kills 5 --window 2 --retry-seconds 30 --minutes 3 --ready-built")

.PHONY: lint
lint: $(VENVS) ## Check format and lints of Rust, Python, the state machines and the template
	@echo "== cargo fmt"
	@cargo fmt --all --check
	@echo "== cargo clippy"
	@cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	@cargo metadata --manifest-path fuzz/Cargo.toml --locked --format-version 1 > /dev/null
	@echo "== ruff"
	@$(TOOLS)/ruff check --quiet local jobs
	@$(TOOLS)/ruff format --quiet --check local jobs
	@echo "== state machines"
	@$(TOOLS)/python -m local.asl_lint
	@echo "== sam validate"
	@SAM_CLI_TELEMETRY=0 .venv/sam/bin/sam validate --lint --region $(REGION)

.PHONY: unit
unit: .venv/tools/.stamp ## Run unit and component tests; nothing is started
	@echo "== unit and component tests"
	@cargo test --workspace --locked --quiet --lib --bins $(addprefix --test ,$(INTEGRATION_TESTS))
	@echo "== documentation tests"
	@cargo test --workspace --locked --quiet --doc
	@echo "== Python tests"
	@$(TOOLS)/python -m pytest --quiet jobs local --ignore jobs/tests/spark

# All packages are selected, as for the unit tests, so that cargo compiles nothing twice.
.PHONY: model
model: ## Explore every state that the commit protocol can get into, and what each rule is for
	@cargo test --workspace --locked --quiet --test mutations --test protocol --test replacement \
		-- --nocapture

# What the sweep leaves behind is read back by PyIceberg, another implementation.
FAULTS_LEFT := $(CURDIR)/target/faults
.PHONY: faults
faults: .venv/tools/.stamp ## Strike every call of an append with every fault, and judge what is left
	@rm -rf $(FAULTS_LEFT)
	@LANDFALL_FAULTS_DIR=$(FAULTS_LEFT) \
		cargo test --workspace --locked --quiet --test faults -- --nocapture
	@$(TOOLS)/python -m local.read_faults $(FAULTS_LEFT)

.PHONY: artifacts
artifacts: build ## Check that the built functions start on Amazon Linux 2023, and their size
	@$(TOOLS)/python -m local.artifacts

# End-to-end tests in which Spark runs the job.
GLUE_TESTS := glue:: abort:: engine::what_outgrows

# The tests wait more than they work, hence more threads than cores. The stack comes down
# whatever the tests say, and when they are interrupted.
.PHONY: e2e
e2e: $(VENVS) $(SPARK_VENV) ## Run the end-to-end tests on a local cloud of their own
	@trap '$(TOOLS)/python -m local.cloud down --stack $(TEST_STACK)' EXIT; \
	$(TOOLS)/python -m local.cloud up --stack $(TEST_STACK) --region $(REGION); \
	lacking=$$($(TOOLS)/python -m local.spark.jars --lacking); \
	if [ -n "$$lacking" ]; then echo "== not run: end-to-end tests of the Glue path: $$lacking"; fi; \
	echo "== end-to-end tests"; \
	LANDFALL_STACK=$(CURDIR)/.local/$(TEST_STACK)/stack.json \
		cargo test --workspace --locked --test e2e -- --test-threads=12 \
		$${lacking:+$(addprefix --skip ,$(GLUE_TESTS))}

# All packages are selected, as for the unit tests, so that cargo compiles nothing twice.
.PHONY: engines
engines: .venv/tools/.stamp $(SPARK_VENV) ## Run the Glue job's tests on Spark, then both engines on the same files (needs Java 17)
	@lacking=$$($(TOOLS)/python -m local.spark.jars --lacking); \
	if [ -n "$$lacking" ]; then \
		echo "== not run: the tests of the Glue job on Spark, and both engines on the same files: $$lacking"; \
		exit 0; \
	fi; \
	$(TOOLS)/python -m local.spark.jars; \
	echo "== the Glue job on Spark"; \
	.venv/spark/bin/python -m pytest --quiet -W ignore:distutils jobs; \
	echo "== both engines"; \
	cargo build --workspace --locked --quiet --example lambda_engine; \
	.venv/spark/bin/python -m local.spark.differential

# The end-to-end tests of the Glue path are among those of `make e2e` too.
.PHONY: spark
spark: $(VENVS) .venv/spark/.stamp ## Run the Glue job on Spark (needs Java 17): `make engines`, then its end-to-end tests
	@$(TOOLS)/python -m local.spark.jars
	$(call timed,engines)
	@trap '$(TOOLS)/python -m local.cloud down --stack $(TEST_STACK)' EXIT; \
	$(TOOLS)/python -m local.cloud up --stack $(TEST_STACK) --region $(REGION); \
	echo "== end-to-end tests of the Glue path"; \
	LANDFALL_STACK=$(CURDIR)/.local/$(TEST_STACK)/stack.json \
		cargo test --workspace --locked --test e2e -- $(GLUE_TESTS) --test-threads=12

# STORM="--files 400 --kills 5 --ready-built" is a small one.
.PHONY: storm
storm: $(VENVS) ## Load 10,000 files on a local cloud, some announced twice, and kill processes meanwhile
	@$(TOOLS)/python -m local.storm $(STORM)

.PHONY: bench
bench: $(VENVS) ## Measure durations, cold starts, sizes and memory
	@$(TOOLS)/python -m local.bench

# GROWTH="--sizes 10 100" is a small one, GROWTH=--write-docs writes the tables of docs/growth.md.
.PHONY: bench-growth
bench-growth: .venv/tools/.stamp ## Measure a commit on tables with 10, 1,000 and 10,000 commits
	@$(TOOLS)/python -m local.growth $(GROWTH)

# Spark is measured where Java 17 is. ENGINES="--stack landfall" measures on a stack that is up,
# ENGINES=--write-docs writes the section of docs/benchmarks.md.
.PHONY: bench-engines
bench-engines: $(VENVS) $(SPARK_VENV) ## Measure the engines on the same files, and print what the choice between them rests on
	@$(TOOLS)/python -m local.bench_engines $(ENGINES)
	@cargo run --quiet --locked -p landfall-engine --example engines_tables

# The harness itself needs the standard library alone; its peers need Python 3.11. For instance
# ARGUMENTS="--binary target/release/landfall --write-docs".
.PHONY: bench-check
bench-check: .venv/peers/.stamp ## Measure landfall check against other checkers, same files
	@.venv/peers/bin/python -m local.bench_check $(ARGUMENTS)

# libFuzzer on the stable compiler: the flags are those that cargo-fuzz passes, without a
# sanitizer, which only the nightly compiler has. Coverage guides the search; panics, failed
# assertions, timeouts and too much memory end it. With --target, the flags do not reach build
# scripts and macros.
FUZZ_SECONDS ?= 30
FUZZ_TARGETS := csv json avro parquet decompress contract
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares

# What a run finds is kept in target/fuzz, and read again by the next one. An input that
# breaks something is named in the output and kept in target/fuzz/<target>/broken.
.PHONY: fuzz
fuzz: ## Fuzz every format for FUZZ_SECONDS each (30)
	@RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --manifest-path fuzz/Cargo.toml --release --locked \
		--target $(FUZZ_HOST) --target-dir target/fuzz/build
	@failed=; for name in $(FUZZ_TARGETS); do \
		echo "== fuzz $$name for $(FUZZ_SECONDS) s"; \
		mkdir -p target/fuzz/$$name/found target/fuzz/$$name/broken; \
		target/fuzz/build/$(FUZZ_HOST)/release/$$name target/fuzz/$$name/found fuzz/corpus/$$name \
			-artifact_prefix=target/fuzz/$$name/broken/ -max_total_time=$(FUZZ_SECONDS) \
			-timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 || failed="$$failed $$name"; \
	done; \
	if [ -n "$$failed" ]; then echo "== broken:$$failed"; exit 1; fi
