//! Examples that `--help` and the man pages end with.

use crate::exit;

/// Examples of `pvm` itself.
pub const PVM: &str = "\
Examples:
  Compile a guest crate, link it and call one of its functions:
    pvm build --manifest-path guest/examples/counter/Cargo.toml -o counter.polkavm
    pvm run counter.polkavm --entry add --arg 5

  Read a blob, change it and make it a blob again:
    pvm disassemble counter.polkavm -o counter.txt
    pvm assemble counter.txt -o counter.polkavm

  Check what a chain would check before it stores the code:
    pvm validate counter.polkavm

  Install completions and the man page:
    pvm completions bash > ~/.local/share/bash-completion/completions/pvm
    pvm man > ~/.local/share/man/man1/pvm.1";

/// Examples of `pvm build`.
pub const BUILD: &str = "\
Examples:
  Build the crate of this folder for a chain:
    pvm build --strip -o contract.polkavm

  Build one binary of a crate for RV32E, with a feature of the crate:
    pvm build --manifest-path guest/Cargo.toml --bin sum --rv32 -- --features fast

  Build a crate for speed rather than for size:
    pvm build --unroll --strip -o contract.polkavm";

/// Examples of `pvm link`.
pub const LINK: &str = "\
Examples:
  Link an object file of clang:
    clang --target=riscv64-unknown-elf -march=rv64emac_zbb -mabi=lp64e -O2 -c guest.c -o guest.o
    pvm link guest.o -o guest.polkavm

  Export a function that the file does not mark, and leave names out:
    pvm link --strip --export main guest.o -o guest.polkavm";

/// Examples of `pvm run`.
pub const RUN: &str = "\
Examples:
  Call `sum` with an argument and a gas limit:
    pvm run sum.polkavm --entry sum --arg 10 --gas 100

  Assemble and run in one go, with the result as JSON:
    pvm assemble sum.txt -o - | pvm run - --entry sum --arg 10 --json

  Refuse to interpret, and stop after ten seconds:
    pvm run sum.polkavm --entry sum --backend jit --time-limit 10s";

/// Examples of `pvm trace`.
pub const TRACE: &str = "\
Examples:
  See the instructions that led to a trap:
    pvm trace sum.polkavm --entry sum --arg 10 --last 20

  Count the instructions that access memory:
    pvm trace sum.polkavm --entry sum --json | jq -s 'map(select(.memory)) | length'";

/// Examples of `pvm debug`.
pub const DEBUG: &str = "\
Examples:
  Debug a call; the line that is printed starts the debugger in another terminal:
    pvm debug sum.polkavm --entry sum --arg 10

  Record a run, and look back from where it trapped:
    pvm run sum.polkavm --entry sum --record sum.record
    pvm debug --record sum.record

  Look at the record in a browser:
    pvm debug --record sum.record --web

  What a debug adapter client starts, as the extension in debugger/vscode does:
    pvm debug --dap";

/// Examples of `pvm profile`.
pub const PROFILE: &str = "\
Examples:
  See which functions and lines spend the gas:
    pvm profile sum.polkavm --entry sum --arg 10

  Draw a flame graph of a recorded run under the cost model of chains:
    pvm profile --record sum.record --profile-model pipeline --flame-graph sum.svg";

/// Examples of `pvm disassemble`.
pub const DISASSEMBLE: &str = "\
Examples:
  See what each basic block costs by the cost model of chains:
    pvm disassemble --gas --cost-model pipeline sum.polkavm

  See offsets and meanings:
    pvm disassemble --comments sum.polkavm";

/// Examples of `pvm assemble`.
pub const ASSEMBLE: &str = "\
Examples:
  Assemble a file:
    pvm assemble sum.txt -o sum.polkavm

  Change an instruction of a blob:
    pvm disassemble sum.polkavm | sed 's/add_64/sub_64/' | pvm assemble - -o other.polkavm";

/// Examples of `pvm stats`.
pub const STATS: &str = "\
Examples:
  See exports, sections and the largest functions:
    pvm stats sum.polkavm

  List the imports, one a line:
    pvm stats sum.polkavm --json | jq -r '.imports[]'";

/// Examples of `pvm validate`.
pub const VALIDATE: &str = "\
Examples:
  Check several blobs:
    for blob in out/*.polkavm; do pvm validate \"$blob\" || exit; done";

/// Examples of `pvm completions`.
pub const COMPLETIONS: &str = "\
Examples:
    pvm completions bash > ~/.local/share/bash-completion/completions/pvm
    pvm completions zsh > ~/.zfunc/_pvm
    pvm completions fish > ~/.config/fish/completions/pvm.fish";

/// Examples of `pvm man`.
pub const MAN: &str = "\
Examples:
  Read the pages of pvm and of `pvm run`:
    pvm man | man -l -
    pvm man run | man -l -

  Install the page of pvm:
    pvm man > ~/.local/share/man/man1/pvm.1";

/// Examples with the exit codes below them.
pub fn with_exit_codes(examples: &str) -> String {
    format!("{examples}\n\n{}", exit::HELP)
}
