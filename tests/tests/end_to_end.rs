//! End-to-end tests: one real node, driven by the real command line. They check the chain's state afterwards.
//!
//! All tests share the node; each deploys its own contracts and signs with its own account, so they run side by side.

use anyhow::{Context as _, Result, bail, ensure};
use integration_tests::{
    contract::Cli,
    node::Node,
    paths,
    words::{address_word, number_of, number_word},
};
use serde_json::Value;
use std::{fs, sync::OnceLock};
use vm_core::{
    blob::BlobBuilder,
    isa::{Instruction, Isa, Opcode, Reg},
};

const SLOT_0: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

/// Returns the command line for the node that all tests share. The node ends with the process that started it.
fn cli(suri: &str) -> Cli {
    static NODE: OnceLock<Node> = OnceLock::new();
    let node = NODE.get_or_init(|| Node::start().expect("the node starts"));
    stop_at_exit(node);
    Cli::new(&node.url()).signed_by(suri)
}

/// Makes the node end with this process, as statics are not dropped.
fn stop_at_exit(node: &Node) {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| node.stop_with_this_process().expect("a watcher for the node"));
}

fn blob(name: &str) -> String {
    paths::contract(name).expect("scripts/build has run").display().to_string()
}

fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(answer[name].as_str().with_context(|| format!("no {name} in {answer:#}"))?.to_owned())
}

fn free_balance(cli: &Cli) -> Result<u128> {
    Ok(text(&cli.succeed(&["account"])?, "free")?.parse()?)
}

fn fee(answer: &Value) -> Result<u128> {
    Ok(text(answer, "fee")?.parse()?)
}

fn read(cli: &Cli, contract: &str, call: &[&str]) -> Result<u128> {
    let args = [&["dry-run", "call", contract, "--sig"], call].concat();
    let answer = cli.succeed(&args)?;
    number_of(&answer["data"]).with_context(|| format!("no number in {answer:#}"))
}

/// Runs a command that the chain has to refuse with this error.
fn refused(cli: &Cli, args: &[&str], error: &str) -> Result<Value> {
    let answer = cli.run(args)?;
    ensure!(answer.code == 1, "exit code {} for {args:?}: {:#}", answer.code, answer.json);
    ensure!(answer.json["error"]["name"] == error, "{args:?} was not refused with {error}: {:#}", answer.json);
    Ok(answer.json)
}

fn contract_events(answer: &Value) -> Vec<&Value> {
    let events = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter(|event| event["name"] == "ContractEmitted").map(|event| &event["fields"]).collect()
}

#[test]
fn the_flipper_is_uploaded_instantiated_by_hash_and_flipped() -> Result<()> {
    let cli = cli("//Eve//stash");
    let uploaded = cli.succeed(&["upload", &blob("flipper")])?;
    let code_hash = text(&uploaded, "code_hash")?;
    ensure!(cli.succeed(&["info", &code_hash])?["length"] == fs::read(blob("flipper"))?.len());

    let made = cli.succeed(&["instantiate", &code_hash, "--sig", "(bool)", "true"])?;
    let flipper = text(&made, "address")?;
    ensure!(text(&made, "code_hash")? == code_hash);
    ensure!(read(&cli, &flipper, &["get()"])? == 1);
    let stored = cli.succeed(&["storage", &flipper, SLOT_0])?;
    ensure!(stored["value"] == format!("0x{}", number_word(1)), "{stored:#}");

    cli.succeed(&["call", &flipper, "--sig", "flip()"])?;
    ensure!(read(&cli, &flipper, &["get()"])? == 0);
    // A cleared slot is removed, and its deposit refunded.
    ensure!(cli.succeed(&["storage", &flipper, SLOT_0])?["value"].is_null());
    let info = cli.succeed(&["info", &flipper])?;
    ensure!(info["storage_items"] == 0 && info["storage_bytes"] == 0, "{info:#}");
    Ok(())
}

#[test]
fn a_program_is_removed_by_its_uploader_when_no_contract_uses_it() -> Result<()> {
    let cli = cli("//Alice");
    // Programs are shared between tests, so this one gets a hash of its own: bytes after the end marker affect the hash
    // only.
    let mut bytes = fs::read(blob("flipper"))?;
    bytes.push(0);
    let length = (bytes.len() as u64).to_le_bytes();
    bytes[5..13].copy_from_slice(&length);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("flipper");
    fs::write(&path, &bytes)?;
    let path = path.display().to_string();

    let code_hash = text(&cli.succeed(&["upload", &path])?, "code_hash")?;
    refused(&cli.signed_by("//Bob"), &["remove", &code_hash], "DispatchError::BadOrigin")?;
    let held: u128 = text(&cli.succeed(&["account"])?, "held")?.parse()?;
    let removed = cli.succeed(&["remove", &code_hash])?;
    let after: u128 = text(&cli.succeed(&["account"])?, "held")?.parse()?;
    ensure!(after < held, "the deposit is still held: {removed:#}");
    refused(&cli, &["instantiate", &code_hash], "Polkavm::CodeNotFound")?;

    cli.succeed(&["instantiate", &path])?;
    refused(&cli, &["remove", &code_hash], "Polkavm::CodeInUse")?;
    Ok(())
}

/// Tests transfers, allowances, events and refusals of an ERC-20 from any compiler.
fn exercise_token(owner: &Cli, spender: &Cli, blob: &str, supply: u128) -> Result<()> {
    let owner_address = text(&owner.succeed(&["account"])?, "address")?;
    let spender_address = text(&spender.succeed(&["account"])?, "address")?;
    let made = owner.succeed(&["instantiate", blob, "--sig", "(uint256)", &supply.to_string()])?;
    let token = text(&made, "address")?;
    ensure!(read(owner, &token, &["totalSupply()"])? == supply);
    ensure!(read(owner, &token, &["balanceOf(address)", &owner_address])? == supply);

    let call = |cli: &Cli, args: &[&str]| cli.succeed(&[&["call", &token, "--sig"], args].concat());
    let sent = call(owner, &["transfer(address,uint256)", &spender_address, "250"])?;
    let events = contract_events(&sent);
    ensure!(events.len() == 1, "{events:?}");
    ensure!(events[0]["contract"] == token);
    ensure!(events[0]["data"] == format!("0x{}", number_word(250)));
    ensure!(events[0]["topics"][1] == format!("0x{}", address_word(&owner_address)));
    ensure!(events[0]["topics"][2] == format!("0x{}", address_word(&spender_address)));
    ensure!(read(owner, &token, &["balanceOf(address)", &spender_address])? == 250);

    call(owner, &["approve(address,uint256)", &spender_address, "100"])?;
    let moved = call(spender, &["transferFrom(address,address,uint256)", &owner_address, &spender_address, "60"])?;
    // Some tokens also report the changed allowance.
    ensure!(!contract_events(&moved).is_empty());
    ensure!(read(owner, &token, &["allowance(address,address)", &owner_address, &spender_address])? == 40);
    ensure!(read(owner, &token, &["balanceOf(address)", &owner_address])? == supply - 310);

    let too_much = supply.to_string();
    let transfer = ["call", &token, "--sig", "transfer(address,uint256)", &owner_address, &too_much];
    refused(spender, &transfer, "Polkavm::ContractReverted")?;
    ensure!(read(owner, &token, &["balanceOf(address)", &spender_address])? == 310);
    Ok(())
}

#[test]
fn the_token_in_rust_transfers_and_refuses() -> Result<()> {
    exercise_token(&cli("//Bob"), &cli("//Charlie"), &blob("erc20"), 1_000_000)
}

#[test]
fn a_token_that_resolc_made_from_solidity_runs_unchanged() -> Result<()> {
    let Some(token) = paths::solidity_contract("Token") else {
        if std::env::var_os("PVM_REQUIRE_SOLIDITY").is_some() {
            bail!("out/solidity/Token.polkavm is missing");
        }
        eprintln!("SKIPPED: out/solidity/Token.polkavm is missing: scripts/build-solidity makes it where npm is there");
        return Ok(());
    };
    exercise_token(&cli("//Dave"), &cli("//Eve"), &token.display().to_string(), 5_000)
}

#[test]
fn a_call_without_gas_costs_its_fee_and_nothing_else() -> Result<()> {
    let cli = cli("//Ferdie");
    let made = cli.succeed(&["instantiate", &blob("flipper")])?;
    let flipper = text(&made, "address")?;
    let before = free_balance(&cli)?;
    let answer = refused(&cli, &["call", &flipper, "--sig", "flip()", "--gas", "1"], "Polkavm::OutOfGas")?;
    ensure!(before - free_balance(&cli)? == fee(&answer)?, "{answer:#}");
    ensure!(read(&cli, &flipper, &["get()"])? == 0);
    Ok(())
}

#[test]
fn what_fails_leaves_nothing_but_its_fee() -> Result<()> {
    let cli = cli("//Alice//stash");
    let made = cli.succeed(&["instantiate", &blob("misbehave")])?;
    let contract = text(&made, "address")?;
    let untouched = cli.succeed(&["info", &contract])?;

    for (function, error) in [
        ("trap()", "Polkavm::ContractTrapped"),
        ("writeOutOfBounds()", "Polkavm::ContractTrapped"),
        ("readOutOfBounds()", "Polkavm::ContractTrapped"),
        ("jumpOutOfBounds()", "Polkavm::ContractTrapped"),
        ("recurse()", "Polkavm::ContractTrapped"),
        ("storeThenTrap()", "Polkavm::ContractTrapped"),
        ("storeThenRevert()", "Polkavm::ContractReverted"),
        ("loop()", "Polkavm::OutOfGas"),
        ("storeThenLoop()", "Polkavm::OutOfGas"),
    ] {
        let before = free_balance(&cli)?;
        // A value is transferred with it, which must be returned. The limit is ten milliseconds.
        let call = ["call", &contract, "--sig", function, "--value", "1000000000", "--gas", "10000000000"];
        let answer = refused(&cli, &call, error).context(function)?;
        ensure!(answer["sent"] == true, "{function} was not sent");
        ensure!(before - free_balance(&cli)? == fee(&answer)?, "{function} took more than its fee: {answer:#}");
        ensure!(contract_events(&answer).is_empty(), "{function} left an event");
        ensure!(read(&cli, &contract, &["stored()"])? == 0, "{function} left something in storage");
        let after = cli.succeed(&["info", &contract])?;
        ensure!(after == untouched, "{function} changed the contract: {after:#}");
    }

    // The same contract still works.
    cli.succeed(&["call", &contract, "--sig", "store()"])?;
    ensure!(read(&cli, &contract, &["stored()"])? == 42);
    Ok(())
}

#[test]
fn a_constructor_that_fails_leaves_no_contract() -> Result<()> {
    let cli = cli("//Bob//stash");
    let code_hash = text(&cli.succeed(&["upload", &blob("misbehave")])?, "code_hash")?;
    for (mode, error) in
        [("1", "Polkavm::ContractTrapped"), ("2", "Polkavm::ContractReverted"), ("3", "Polkavm::OutOfGas")]
    {
        let before = free_balance(&cli)?;
        let args = ["instantiate", &code_hash, "--sig", "(uint256)", mode, "--gas", "10000000000"];
        let answer = refused(&cli, &args, error)?;
        ensure!(before - free_balance(&cli)? == fee(&answer)?, "mode {mode} took more than its fee: {answer:#}");
        ensure!(answer.get("address").is_none());
    }
    Ok(())
}

#[test]
fn bad_programs_are_refused_by_name_here_and_on_the_chain() -> Result<()> {
    let cli = cli("//Charlie//stash");
    let folder = tempfile::tempdir()?;
    let good = fs::read(blob("flipper"))?;

    let mut wrong_isa = good.clone();
    wrong_isa[4] = 2;
    let unknown_import = replaced(&good, b"get_storage_or_zero", b"get_storage_or_hero");
    let no_call = replaced(&good, b"\x04call", b"\x04kall");
    let no_deploy = replaced(&good, b"\x06deploy", b"\x06duploy");
    for (name, bytes, error) in [
        ("truncated", &good[..good.len() / 2], "Polkavm::InvalidBlob"),
        ("empty", &[], "Polkavm::InvalidBlob"),
        ("latest64", &wrong_isa, "Polkavm::UnsupportedIsa"),
        ("import", &unknown_import, "Polkavm::UnknownImport"),
        ("no-call", &no_call, "Polkavm::NoCallExport"),
        ("no-deploy", &no_deploy, "Polkavm::NoDeployExport"),
        ("oversized", &vec![0; 1024 * 1024 + 1], "Polkavm::BlobTooLarge"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes)?;
        let path = path.display().to_string();
        let answer = refused(&cli, &["dry-run", "upload", &path], error)?;
        ensure!(!text(&answer["error"], "detail")?.is_empty(), "{name}: no particulars in {answer:#}");
        if name == "import" {
            ensure!(text(&answer["error"], "detail")?.contains("get_storage_or_hero"), "{answer:#}");
        }
        // Without the dry run: the extrinsic itself refuses too.
        refused(&cli, &["instantiate", &path, "--no-check", "--gas", "10000000000"], error)?;
    }
    Ok(())
}

/// Returns a copy in which one part is replaced by another of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the piece is there");
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn what_is_not_there_is_said_so() -> Result<()> {
    let cli = cli("//Dave//stash");
    let nowhere = "0x00000000000000000000000000000000000000aa";
    refused(&cli, &["info", nowhere], "NotFound")?;
    refused(&cli, &["storage", nowhere, SLOT_0], "NotFound")?;
    refused(&cli, &["instantiate", SLOT_0], "Polkavm::CodeNotFound")?;
    let unmapped = cli.signed_by("//Nobody");
    refused(&unmapped, &["call", nowhere, "--no-map"], "Unmapped")?;
    let unreachable = Cli::new("ws://127.0.0.1:1").run(&["info"])?;
    ensure!(unreachable.code == 2 && unreachable.json["error"]["name"] == "Connect", "{:#}", unreachable.json);
    Ok(())
}

/// Returns a contract that traps unless it has this much time left, in picoseconds.
fn gate(time: u64) -> Vec<u8> {
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.stack_size(4096);
    builder.import(b"ref_time_left");
    builder.export(b"deploy", 0);
    builder.export(b"call", 1);
    let done = 5;
    builder.instructions(vec![
        Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
        Instruction::i(Opcode::Ecalli, 0),
        Instruction::rx(Opcode::LoadImm64, Reg::A1, time as i64),
        Instruction::rro(Opcode::BranchGreaterOrEqualUnsigned, Reg::A0, Reg::A1, done),
        Instruction::none(Opcode::Trap),
        Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
    ]);
    builder.build().expect("the program can be written")
}

#[test]
fn a_contract_that_looks_at_its_gas_gets_what_it_asks_for_and_no_more_than_a_block_has() -> Result<()> {
    let cli = cli("//Ferdie//stash");
    let folder = tempfile::tempdir()?;
    let make = |time: u64| -> Result<String> {
        let path = folder.path().join(time.to_string());
        fs::write(&path, gate(time))?;
        text(&cli.succeed(&["instantiate", &path.display().to_string()])?, "address")
    };
    let time = 30_000_000_000;
    let called = cli.succeed(&["call", &make(time)?])?;
    let part = |weight: &Value| weight["ref_time"].as_u64().with_context(|| format!("no weight: {weight}"));
    let limit = part(&called["gas_limit"])?;
    ensure!((time..time / 5 * 6).contains(&limit), "{called:#}");
    ensure!(part(&called["gas_used"])? < time, "what is not used is not paid: {called:#}");

    // The maximum that a block has room for, without the tenth of margin.
    let most = part(&cli.succeed(&["info"])?["extrinsic_limit"])?;
    let greedy = make(most / 100 * 95)?;
    let limit = part(&cli.succeed(&["call", &greedy])?["gas_limit"])?;
    ensure!(limit < most && limit > most / 100 * 95, "{limit} of {most}");

    // A larger limit is not sent, and the error states the maximum.
    let answer = refused(&cli, &["call", &greedy, "--gas", &most.to_string()], "NotIncluded")?;
    let detail = text(&answer["error"], "detail")?;
    ensure!(detail.contains("no block has room for") && detail.contains(" ms (ref_time)"), "{detail}");
    Ok(())
}
