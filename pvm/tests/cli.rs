//! Tests of the binary `pvm` as scripts use it: output and exit codes.

#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::isa::{Instruction, Isa, Opcode};
use vm_core::text::assemble;

/// Exit code and output of a run of the binary.
struct Ran {
    code: i32,
    out: Vec<u8>,
    err: String,
}

impl Ran {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.text(), self.err))
    }
}

/// Runs `pvm` with these arguments, separated by blanks, and this standard input.
fn pvm(args: &str, input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pvm"))
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may end without reading.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran { code: output.status.code().unwrap(), out: output.stdout, err: String::from_utf8(output.stderr).unwrap() }
}

/// A file of this test run.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Entry points for each way to end.
fn program() -> Vec<u8> {
    assemble(
        r#"
        .isa ReviveV1
        .rw_size 16
        .stack_size 4096
        .import "seal_return"
        .export "sum" sum
        .export "trap" wrong
        .export "store" store
        .export "call" call
        .export "all" all
        sum:    load_imm a1, 0          ; 1 + 2 + ... + a0
                fallthrough
        again:  add_64 a1, a1, a0
                add_imm_64 a0, a0, -1
                branch_not_eq_imm a0, 0, again
                move_reg a0, a1
                jump_indirect ra, 0
        wrong:  load_u8 a0, 0
                fallthrough
        store:  store_imm_indirect_u32 sp, -4, 7
                load_indirect_u16 a2, sp, -4
                jump_indirect ra, 0
        call:   ecalli 0
                jump_indirect ra, 0
        all:    add_64 a0, a0, a5
                add_64 a0, a0, t2
                jump_indirect ra, 0
        "#,
    )
    .unwrap()
}

#[test]
fn a_run_that_finishes_says_what_it_returned_and_what_it_cost() {
    let ran = pvm("run - --entry sum --arg 10 --gas 100", &program());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.text(), "outcome   finished\na0        55 (0x37)\ngas used  34\ngas left  66\n");

    let json = pvm("run - --entry sum --arg 10 --gas 100 --json --backend interpreter", &program()).json();
    assert_eq!(json["outcome"], "finished");
    assert_eq!((&json["a0"], &json["gas_used"], &json["gas_left"]), (&55.into(), &34.into(), &66.into()));
    assert_eq!((&json["pc"], &json["registers"]["ra"]), (&Value::Null, &0xffff_0000u32.into()));
}

#[test]
fn every_backend_prints_the_same() {
    // If programs cannot be compiled on this machine, there is an error with its own exit code.
    let jit = pvm("run - --entry sum --arg 10 --gas 100 --json --backend jit", &program());
    let config = pvm_engine::Config::new().set_backend(pvm_engine::Backend::Jit).clone();
    let is_possible = pvm_engine::Engine::new(&config).is_ok();
    assert_eq!(jit.code, if is_possible { 0 } else { 4 }, "{}", jit.err);
    let backends = if jit.code == 0 { &["jit", "auto", "interpreter"][..] } else { &["auto", "interpreter"][..] };
    for call in ["--entry sum --arg 10 --gas 100", "--entry sum --arg 10 --gas 20", "--entry all --arg 3"] {
        let of = |backend: &str| pvm(&format!("run - {call} --json --backend {backend}"), &program()).out;
        for backend in backends {
            assert_eq!(of(backend), of("interpreter"), "{call} on {backend}");
        }
    }
}

#[test]
fn arguments_of_every_form_reach_their_registers() {
    let args = "--arg -1 --arg 0 --arg 0 --arg 0 --arg 0 --arg 0x10 --arg 0 --arg 0 --arg 100";
    let json = pvm(&format!("run - --entry all --json {args}"), &program()).json();
    assert_eq!(json["a0"], 115);
    let ran = pvm(&format!("run - --entry all {args} --arg 0"), &program());
    assert_eq!((ran.code, ran.err.as_str()), (2, "error: 10 arguments, a call can have 9\n"));
    let ran = pvm("run - --entry all --arg ten", &program());
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("`ten` is not a number of 64 bits"), "{}", ran.err);
}

#[test]
fn every_outcome_has_its_name_and_its_exit_code() {
    let trap = pvm("run - --entry trap --json", &program());
    assert_eq!(trap.code, 10);
    let json = trap.json();
    assert_eq!((&json["outcome"], &json["instruction"]), (&"trap".into(), &"load_u8 a0, 0".into()));
    assert!(json["pc"].as_u64().unwrap() > 0);

    let short = pvm("run - --entry sum --arg 10 --gas 9 --json", &program());
    assert_eq!(short.code, 11);
    let json = short.json();
    assert_eq!((&json["outcome"], &json["gas_left"]), (&"out-of-gas".into(), &1.into()));
    assert_eq!(json["gas_used"], 8);

    let call = pvm("run - --entry call --json", &program());
    assert_eq!(call.code, 13);
    let json = call.json();
    assert_eq!(json["outcome"], "host-call");
    assert_eq!((&json["host_call"]["number"], &json["host_call"]["name"]), (&0.into(), &"seal_return".into()));
    let text = pvm("run - --entry call", &program());
    assert!(text.text().contains("import    0: seal_return\n"), "{}", text.text());
}

#[test]
fn a_jump_to_where_no_block_begins_is_told_apart_from_other_traps() {
    let blob = assemble(".isa ReviveV1\n.export \"go\" 0\nload_imm a0, 1\nnext: jump next").unwrap();
    let ran = pvm("run - --entry go", &blob);
    assert_eq!(ran.code, 10);
    assert!(ran.text().contains("pc        3: jump @3\nnote      no block begins at 3\n"), "{}", ran.text());
    assert!(!pvm("run - --entry trap", &program()).text().contains("note"));
    let blob = assemble(".isa ReviveV1\n.export \"go\" 0\njump 9").unwrap();
    assert!(!pvm("run - --entry go --gas 0", &blob).text().contains("note"), "it did not jump");
}

#[test]
fn the_cost_model_changes_what_a_run_costs_and_nothing_else() {
    let costs: Vec<(Value, Value)> = ["naive", "pipeline-l1", "pipeline", "pipeline-l3"]
        .iter()
        .map(|model| pvm(&format!("run - --entry store --json --cost-model {model}"), &program()).json())
        .map(|json| (json["gas_used"].clone(), json["outcome"].clone()))
        .collect();
    assert_eq!(costs[0], (3.into(), "finished".into()));
    for pair in costs.windows(2) {
        assert!(pair[0].0.as_u64() <= pair[1].0.as_u64() && pair[0].1 == pair[1].1, "{costs:?}");
    }
    assert!(costs[0].0.as_u64() < costs[1].0.as_u64() && costs[2].0.as_u64() < costs[3].0.as_u64(), "{costs:?}");
}

#[test]
fn what_is_disassembled_assembles_to_the_same_blob() {
    let blob = program();
    for options in ["", "--gas", "--comments --gas --cost-model pipeline"] {
        let text = pvm(&format!("disassemble - {options}"), &blob);
        assert_eq!(text.code, 0, "{}", text.err);
        let back = pvm("assemble - -o -", &text.out);
        assert_eq!((back.code, back.err.as_str()), (0, ""));
        assert!(back.out == blob, "{}", text.text());
    }
    let (listing, assembled) = (file("listing.txt"), file("assembled.polkavm"));
    assert_eq!(pvm(&format!("disassemble - -o {}", listing.display()), &blob).code, 0);
    assert_eq!(pvm(&format!("assemble {} -o {}", listing.display(), assembled.display()), &[]).code, 0);
    assert!(fs::read(assembled).unwrap() == blob);
}

#[test]
fn a_gas_listing_shows_the_cost_of_each_block() {
    let text = pvm("disassemble - --gas", &program());
    let costs: Vec<&str> = text.text().lines().filter_map(|line| line.split("gas ").nth(1)).collect();
    assert_eq!(costs, ["2", "3", "2", "2", "3", "2", "3"]);
}

#[test]
fn wrong_text_is_refused_with_its_place_and_writes_no_blob() {
    let output = file("never.polkavm");
    let ran = pvm(&format!("assemble - -o {}", output.display()), b".isa ReviveV1\n  mov a0, a1\n");
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "error: standard input: line 2, column 3: unknown instruction `mov`\n");
    assert!(!output.exists());
    let ran = pvm("assemble - -o -", b".isa ReviveV1\n\xff");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "error: standard input is not UTF-8: the byte at offset 14 is wrong\n")
    );
}

#[test]
fn stats_count_sections_instructions_and_blocks() {
    let json = pvm("stats - --json", &program()).json();
    assert_eq!((&json["isa"], &json["bytes"]), (&"ReviveV1".into(), &program().len().into()));
    assert_eq!((&json["instructions"], &json["basic_blocks"]), (&17.into(), &7.into()));
    assert_eq!((&json["largest_basic_block"], &json["invalid_instructions"]), (&3.into(), &0.into()));
    assert_eq!(json["imports"], Value::from(vec!["seal_return"]));
    assert_eq!(json["exports"][4]["name"], "all");
    assert_eq!(json["by_name"]["jump_indirect"], 4);
    let names: Vec<&str> =
        json["sections"].as_array().unwrap().iter().filter_map(|section| section["name"].as_str()).collect();
    assert_eq!(names, ["memory config", "imports", "exports", "code"]);

    let text = pvm("stats -", &program());
    for line in
        ["instruction set      ReviveV1\n", "imports              seal_return\n", "      4  23.5 %  jump_indirect\n"]
    {
        assert!(text.text().contains(line), "{}", text.text());
    }
}

#[test]
fn validation_tells_which_check_refused_what() {
    let good = pvm("validate - --json", &program());
    assert_eq!((good.code, &good.json()["valid"], &good.json()["instructions"]), (0, &true.into(), &17.into()));
    assert_eq!(pvm("validate -", &program()).code, 0);

    type Refusal<'a> = (Vec<u8>, &'a [(&'a str, &'a str)]);
    let cases: &[Refusal<'_>] = &[
        (b"no blob".to_vec(), &[("blob", "not a program blob")]),
        (
            assemble(".isa ReviveV1\n.bytes *ff").unwrap(),
            &[("limits", "no valid instruction at code offset 0 (byte 255)")],
        ),
        (
            assemble(".isa JamV1\n.bytes *ff").unwrap(),
            &[
                ("limits", "no valid instruction at code offset 0 (byte 255)"),
                ("program", "no valid instruction at code offset 0"),
            ],
        ),
        (assemble(".isa ReviveV1\n.stack_size 100000000\ntrap").unwrap(), &[("limits", "static memory in bytes")]),
    ];
    for (blob, errors) in cases {
        let ran = pvm("validate - --json", blob);
        assert_eq!(ran.code, 1);
        let json = ran.json();
        assert_eq!(json["valid"], false);
        let found = json["errors"].as_array().unwrap();
        assert_eq!(found.len(), errors.len(), "{json}");
        let text = pvm("validate -", blob);
        for ((check, detail), error) in errors.iter().zip(found) {
            assert_eq!(error["check"], *check);
            assert!(error["detail"].as_str().unwrap().contains(detail), "{error}");
            assert!(
                text.code == 1 && text.text().contains(&format!("refused by the {check} check: ")),
                "{}",
                text.text()
            );
        }
    }
}

#[test]
fn a_trace_shows_what_each_instruction_wrote_and_touched() {
    let ran = pvm("trace - --entry store", &program());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<Vec<&str>> = ran.text().lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    assert_eq!(lines[0], ["store_imm_indirect_u32", "sp,", "-4,", "7", "write", "0xfffdfffc+4"]);
    assert_eq!(lines[1], ["load_indirect_u16", "a2,", "sp,", "-4", "a2=0x7", "read", "0xfffdfffc+2"]);
    assert_eq!(lines[2], ["jump_indirect", "ra,", "0"]);
    assert!(
        ran.text().ends_with("outcome   finished\na0        0 (0x0)\ngas used  3\ngas left  9223372036854775804\n")
    );
}

#[test]
fn a_trace_costs_and_ends_as_the_run_does() {
    for args in ["--entry sum --arg 5", "--entry sum --arg 50 --gas 30", "--entry trap", "--entry call"] {
        let (run, trace) =
            (pvm(&format!("run - {args} --json"), &program()), pvm(&format!("trace - {args} --json"), &program()));
        assert_eq!(run.code, trace.code, "{args}");
        let objects: Vec<Value> = trace.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.last(), Some(&run.json()), "{args}");
        assert!(objects.len() > 1 && objects[0]["instruction"].is_string());
    }
    let json = pvm("trace - --entry store --json", &program());
    let second: Value = serde_json::from_str(json.text().lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["registers"]["a2"], 7);
    assert_eq!((&second["memory"]["address"], &second["memory"]["write"]), (&0xfffd_fffcu32.into(), &false.into()));
    assert_eq!(second["source"], Value::Null);
}

#[test]
fn the_last_instructions_of_a_trace_can_be_asked_for_alone() {
    let all = pvm("trace - --entry sum --arg 9", &program());
    let last = pvm("trace - --entry sum --arg 9 --last 2", &program());
    assert!(all.text().ends_with(last.text()));
    assert_eq!((all.text().lines().count(), last.text().lines().count()), (31 + 5, 2 + 5));
}

#[test]
fn a_trace_without_end_ends_when_nobody_reads_it() {
    let blob = file("endless.polkavm");
    fs::write(&blob, assemble(".isa ReviveV1\n.export \"go\" 0\nagain: jump again").unwrap()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pvm"))
        .args(["trace", "--entry", "go"])
        .arg(&blob)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    assert!(start.starts_with(b"      0  jump @0\n"));
    for _ in 0..1000 {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it still runs");
}

#[test]
fn a_trace_names_the_source_line_where_the_blob_knows_it() {
    let debug: [(u8, &[u8]); 3] = [
        (128, b"\0\x04a.rs\x04b.rs\x04leaf\x04main"),
        // Two bytes of a.rs:7:3 in main::leaf, inlined at b.rs:9 in main, then nothing.
        (129, &[1, 10, 2, 6, 16, 7, 6, 8, 9, 1, 1, 5, 16, 6, 11, 7, 1, 8, 7, 9, 3, 15, 2, 0]),
        (130, &[0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]),
    ];
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.export(b"go", 0).instructions(vec![
        Instruction::none(Opcode::Fallthrough),
        Instruction::none(Opcode::Fallthrough),
        Instruction::none(Opcode::Trap),
    ]);
    for (id, content) in debug {
        builder.optional_section(id, content);
    }
    let blob = builder.build().unwrap();
    let json = pvm("trace - --entry go --json", &blob);
    let sources: Vec<Value> =
        json.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["source"].clone()).collect();
    assert_eq!(sources[..3], ["a.rs:7:3".into(), "a.rs:7:3".into(), Value::Null]);
    assert!(pvm("trace - --entry go", &blob).text().lines().next().unwrap().ends_with(" main::leaf a.rs:7:3"));
    let first: Value = serde_json::from_str(json.text().lines().next().unwrap()).unwrap();
    assert_eq!(first["function"], "main::leaf");

    // An error in debug information is shown, and does not end the trace.
    let mut bytes = blob.clone();
    let version = blob.windows(4).position(|bytes| bytes == [1, 10, 2, 6]).unwrap();
    bytes[version] = 2;
    assert!(Blob::parse(&bytes).is_ok());
    let ran = pvm("trace - --entry go", &bytes);
    assert_eq!(ran.code, 10);
    assert!(ran.text().contains("debug line programs of version 2, only 1 is known"), "{}", ran.text());
}

#[test]
fn errors_have_a_code_and_a_name_for_programs() {
    let cases: &[(&str, &[u8], i32, &str)] = &[
        ("run - --entry sum --json", b"", 1, "blob"),
        ("stats - --json", b"PVM\0\x02", 1, "blob"),
        ("run - --entry nothing --json", &program(), 2, "no-entry"),
        ("trace /does/not/exist --entry sum --json", b"", 3, "read"),
        ("run - --json", &program(), 2, "usage"),
        ("run - --entry sum --gas -1 --json", &program(), 2, "usage"),
    ];
    for (args, input, code, name) in cases {
        let ran = pvm(args, input);
        assert_eq!((ran.code, ran.json()["error"]["name"].as_str()), (*code, Some(*name)), "{args}");
        let people = pvm(&args.replace(" --json", ""), input);
        assert_eq!((people.code, people.text()), (*code, ""), "{args}");
        assert!(people.err.starts_with("error: "), "{}", people.err);
    }
    let ran = pvm("run - --entry nothing", &program());
    assert_eq!(ran.err, "error: there is no export `nothing`; there are: `sum`, `trap`, `store`, `call`, `all`\n");
    assert_eq!(
        pvm("stats -", b"PVM\0\x02").err,
        "error: standard input is no program: unsupported instruction set Latest64 (blob version 2)\n"
    );
    let ran = pvm(&format!("assemble - -o {}", file("no/such/folder").display()), b".isa JamV1");
    assert_eq!(ran.code, 3, "{}", ran.err);
}

#[test]
fn the_help_of_each_command_explains_it_and_the_exit_codes() {
    let help = pvm("--help", b"");
    for command in ["run", "trace", "disassemble", "assemble", "stats", "validate"] {
        assert!(help.text().contains(&format!("\n  {command} ")), "{}", help.text());
        let one = pvm(&format!("{command} --help"), b"");
        assert_eq!(one.code, 0);
        assert!(
            one.text().contains("Usage: pvm ") && one.text().contains("11  the run is out of gas"),
            "{}",
            one.text()
        );
    }
}

#[test]
fn names_in_blobs_send_no_commands_to_the_terminal() {
    let blob = assemble(".isa ReviveV1\n.import \"\\x1b[2J\\xff\"\n.export \"\\x07\" 0\necalli 0\n").unwrap();
    for args in ["stats -", "run - --entry x", "disassemble -", "disassemble - --comments"] {
        let ran = pvm(args, &blob);
        let all = [ran.out, ran.err.into_bytes()].concat();
        assert!(!all.iter().any(|byte| *byte < b' ' && *byte != b'\n'), "{args}");
        assert!(all.is_ascii(), "{args}");
    }
}

#[test]
fn the_short_help_has_a_line_for_each_option_and_the_long_one_examples() {
    let commands =
        ["build", "link", "run", "trace", "disassemble", "assemble", "stats", "validate", "completions", "man"];
    for command in [""].iter().chain(&commands) {
        let (short, long) = (pvm(&format!("{command} -h"), b""), pvm(&format!("{command} --help"), b""));
        assert_eq!((short.code, long.code), (0, 0), "{command}");
        assert!(!short.text().contains("Exit codes:") && !short.text().contains("Examples:"), "{}", short.text());
        assert!(long.text().contains("Exit codes:\n") && long.text().contains("Examples:\n"), "{}", long.text());
        assert!(short.text().len() < long.text().len());
    }
    let help = pvm("-h", b"");
    for command in commands {
        let line = help.text().lines().find(|line| line.starts_with(&format!("  {command} "))).unwrap();
        assert!(!line.ends_with('.'), "{line}");
    }
}

#[test]
fn completion_scripts_name_the_commands_and_their_options() {
    for (shell, marker) in [("bash", "complete -F _pvm"), ("zsh", "#compdef pvm"), ("fish", "complete -c pvm")] {
        let script = pvm(&format!("completions {shell}"), b"");
        assert_eq!(script.code, 0, "{}", script.err);
        for name in [marker, "disassemble", "validate", "cost-model", "min-stack-size"] {
            assert!(script.text().contains(name), "{shell}: {name}");
        }
    }
    let unknown = pvm("completions tcsh", b"");
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("zsh"), "{}", unknown.err);
}

#[test]
fn man_pages_say_what_the_help_says() {
    let page = pvm("man", b"");
    assert_eq!(page.code, 0, "{}", page.err);
    for part in [".TH pvm 1", ".SH SYNOPSIS", "pvm\\-validate(1)", "Exit codes:"] {
        assert!(page.text().contains(part), "{part}\n{}", page.text());
    }
    let page = pvm("man run", b"");
    assert_eq!(page.code, 0, "{}", page.err);
    for part in [".TH pvm-run 1", "\\-\\-time\\-limit", "Refuse to interpret"] {
        assert!(page.text().contains(part), "{part}\n{}", page.text());
    }
    let unknown = pvm("man walk", b"");
    assert_eq!((unknown.code, unknown.err.as_str()), (2, "error: there is no command `walk`: see pvm --help\n"));
}
