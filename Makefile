# Two commands set up and run everything on a fresh machine:
#   make demo   install what is missing, build, start a dev chain, deploy and call contracts, check the result
#   make test   install what is missing, run all the tests
.PHONY: help demo dev test build setup contracts runtime-riscv solidity ethereum ink weights zombienet compare-backends fuzz mutants miri bench bench-interpreter bench-compiled bench-linker bench-gas gas-search gas-fit gas-compile-time bench-chain bench-programs corpora prove night fmt lint clean
SHELL := /bin/bash
target := $(or $(CARGO_TARGET_DIR),target)

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: build  ## Start a dev chain, deploy and call contracts, check the result, stop
	@$(target)/debug/demo

dev: build  ## The same as demo, but leave the chain running in the foreground, and print what Ethereum's tools need
	@$(target)/debug/demo --keep-running

test:  ## Run all the tests
	@scripts/test

setup:  ## Find or install the dependencies of the build
	@scripts/setup

build: setup  ## Build the node, the command line tools and the example contracts
	@scripts/build

runtime-riscv: build  ## Build the runtime as a RISC-V blob into out/runtime (some minutes the first time)
	@scripts/build-runtime

contracts: build  ## Build the example contracts into out/contracts

solidity: build  ## Compile Solidity contracts (OpenZeppelin's and others) and drive them on a node; SCENARIOS="token pair" runs some
	@scripts/build-solidity
	@$(target)/debug/solidity $(SCENARIOS)

ethereum: build  ## Drive a node with ethers, viem, cast and Hardhat over OpenZeppelin's ERC-20, and count the methods they call; CLIENTS="viem" runs some
	@scripts/ethereum $(CLIENTS)

zombienet: build  ## Run networks of nodes that run contracts in different ways; SCENARIOS="c_ d_" runs some of them
	@scripts/zombienet $(SCENARIOS)

compare-backends: build  ## Run the demo with both backends and compare gas, fees, events and results
	@scripts/compare-backends

ink: build  ## Compile a contract in ink! and drive it on a node (compiles ink! for some minutes the first time)
	@scripts/build-ink
	@$(target)/debug/ink

weights:  ## Measure the pallet's weights on this machine, compiled and interpreted (builds for half an hour the first time); WAYS=compiled measures some
	@WAYS="$(WAYS)" scripts/weights

fuzz:  ## Compare all engines on random programs, gas limits and sequences of operations until stopped
	@scripts/fuzz

corpora: setup  ## Link and run the output of other compilers and libraries: gcc's torture tests, picolibc, polkavm-derive; CORPORA="torture gcc" runs some
	@scripts/corpora $(CORPORA)

prove: setup  ## Prove every rule of the compiler with two solvers, and print a line for each class; RULES="add mul" proves some
	@. scripts/env; cargo run --quiet --locked -p pvm-prove --bin prove -- $(RULES)

night: build  ## Run the checks that take hours: all mutants, all proofs, long searches, long networks, corpora
	@scripts/night

mutants:  ## Put known bugs into vm-core and the compiler one by one, and require that the tests find each
	@scripts/mutants

miri:  ## Run vm-core's unit tests under Miri, where it is installed
	@scripts/miri

# The benchmarks are a workspace of their own, with the peers as dependencies.
bench := CARGO_TARGET_DIR=$(target)/benches cargo bench --quiet --locked --manifest-path benches/Cargo.toml --bench

bench: bench-programs  ## Measure everything beside polkavm, wasmtime, wasmi and sbpf; TABLES="running memory" measures some of it
	@CARGO_TARGET_DIR=$(target)/benches cargo run --quiet --locked --manifest-path benches/Cargo.toml --profile peers -p pvm-bench-peers -- $(TABLES)

bench-interpreter: bench-programs  ## Measure the interpreter beside polkavm's and wasmi: running, and one call of a large contract
	@$(bench) interpreter
	@echo
	@$(bench) one_shot

bench-compiled: bench-programs  ## Measure compiled programs beside polkavm's recompiler
	@$(bench) compiled

bench-linker: bench-programs contracts  ## Measure our linker beside polkavm's: sizes, link times, speed of the linked programs
	@$(bench) linker

# The benchmarks of gas need none of the peers.
bench_gas := CARGO_TARGET_DIR=$(target)/benches cargo run --quiet --locked --manifest-path benches/Cargo.toml --profile peers -p pvm-bench-gas --bin

bench-gas: bench-programs  ## Measure the accuracy of gas as a prediction of time, and draw it into docs/gas.svg
	@$(bench_gas) gas_accuracy -- --svg docs/gas.svg

gas-search: setup  ## Search for the programs that gas prices worst; SEARCH="--seconds 600 --backend compiled --model calibrated"
	@$(bench_gas) gas_search -- $(SEARCH)

gas-fit: setup  ## Measure the instruction times to which the calibrated cost model's constants are fitted
	@$(bench_gas) gas_fit

gas-compile-time: bench-programs  ## Measure the compile time that cost models add
	@$(bench_gas) compile_time

# The runtimes use the benchmark's lock file, which adds pallet-revive to the versions of the main one.
bench-chain: build  ## Measure contract calls in block building beside pallet-revive (builds for half an hour the first time)
	@. scripts/env; CARGO_TARGET_DIR=$(abspath $(target))/chain WASM_BUILD_WORKSPACE_HINT=$(CURDIR)/benches/chain \
		cargo run --quiet --release --locked --manifest-path benches/chain/Cargo.toml

bench-programs: setup
	@scripts/build-bench

fmt:  ## Format the code
	@cargo fmt --all
	@for part in guest/contracts guest/examples guest/bench guest/ink benches benches/chain; do cargo fmt --all --manifest-path $$part/Cargo.toml; done

lint:  ## Run the checks of CI besides the tests
	@scripts/lint

clean:  ## Remove everything built, the private toolchain included
	@cargo clean
	@rm -rf out .toolchain
