# What people and the pipeline run. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
TOOLS := $(CURDIR)/target/tools/bin
export PATH := $(TOOLS):$(PATH)

.PHONY: help build test lint demo bench tools clean

help: ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

build: ## the program, optimised: target/release/iamship
	cargo build --release --locked

tools: ## what the tests and the bench compare with (root on Debian; nothing is upgraded)
	ci/tools.sh

test: tools ## all the tests; says which did not run, and fails for that when CI=true
	cargo test --locked --no-run
	ci/with-services.sh cargo test --locked

lint: ## format, clippy, syntax of the scripts
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	bash -n ci/*.sh .ci/run

demo: ## the main job from start to end, with nothing else installed
	cargo build --release --locked
	ci/demo.sh target/release/iamship

bench: build tools ## against the peers that are installed, interleaved, as ratios
	ci/with-services.sh ci/bench.sh target/release/iamship

clean: ## what builds left
	cargo clean
