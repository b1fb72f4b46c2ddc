//! Clients that send anything: each request is answered, whatever its arguments are.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_debugger::dap::{Launch, Launched, serve};
use pvm_debugger::machine::{Live, Machine};
use pvm_debugger::symbols::Symbols;
use pvm_test_support::{RandomProgram, Rng};
use serde_json::{Map, Value, json};
use std::io::Cursor;
use std::sync::Arc;
use vm_core::blob::Blob;
use vm_core::isa::Isa;
use vm_core::program::{Program, ProgramConfig};

const COMMANDS: [&str; 26] = [
    "initialize",
    "setBreakpoints",
    "setFunctionBreakpoints",
    "setInstructionBreakpoints",
    "setDataBreakpoints",
    "setExceptionBreakpoints",
    "dataBreakpointInfo",
    "configurationDone",
    "threads",
    "continue",
    "reverseContinue",
    "next",
    "stepIn",
    "stepOut",
    "stepBack",
    "pause",
    "stackTrace",
    "scopes",
    "variables",
    "readMemory",
    "disassemble",
    "exceptionInfo",
    "evaluate",
    "launch",
    "attach",
    "unknown",
];

const NAMES: [&str; 22] = [
    "line",
    "condition",
    "name",
    "path",
    "instructionReference",
    "offset",
    "variablesReference",
    "frameId",
    "bytes",
    "dataId",
    "accessType",
    "startFrame",
    "levels",
    "memoryReference",
    "count",
    "instructionOffset",
    "instructionCount",
    "expression",
    "context",
    "granularity",
    "linesStartAt1",
    "threadId",
];

const TEXTS: [&str; 20] = [
    "0x0",
    "0x10000",
    "0xffffffff",
    "-1",
    "a0",
    "u64[sp]",
    "i8[a0 - 1] * 9223372036854775807",
    "0x10000:8",
    "0xffffffff:1048576",
    "repl",
    "instruction",
    "line",
    "readWrite",
    "goto end",
    "goto 3",
    "who 0x20000, 8",
    "mem sp 4096",
    "break gas 5",
    "pc == pc",
    "\u{fe}{}\n\"",
];

fn value(rng: &mut Rng) -> Value {
    match rng.below(8) {
        0 | 1 => rng.value().into(),
        2 => (rng.value() as i64).into(),
        3 => rng.below(20).into(),
        4 => Value::Bool(rng.chance(50)),
        5 => i64::MIN.into(),
        _ => rng.pick(&TEXTS).into(),
    }
}

fn object(rng: &mut Rng) -> Map<String, Value> {
    // All of them, so that most requests have what they need.
    let mut object: Map<String, Value> = NAMES.iter().map(|name| ((*name).to_owned(), value(rng))).collect();
    object.retain(|_, _| !rng.chance(4));
    object
}

/// Arguments whose fields have the types that they should have, most of them.
fn arguments(rng: &mut Rng) -> Value {
    let mut arguments = object(rng);
    let number = |rng: &mut Rng| if rng.chance(70) { rng.below(40).into() } else { Value::from(rng.value()) };
    for name in ["line", "variablesReference", "frameId", "levels", "startFrame", "count", "instructionCount"] {
        if rng.chance(90) {
            arguments.insert(name.to_owned(), number(rng));
        }
    }
    for name in ["offset", "instructionOffset"] {
        if rng.chance(90) {
            arguments.insert(name.to_owned(), (rng.value() as i64).into());
        }
    }
    for name in
        ["instructionReference", "memoryReference", "expression", "name", "condition", "path", "context", "dataId"]
    {
        if rng.chance(90) {
            arguments.insert(name.to_owned(), rng.pick(&TEXTS).into());
        }
    }
    for (name, kinds) in [("granularity", ["instruction", "line"]), ("accessType", ["read", "readWrite"])] {
        if rng.chance(90) {
            arguments.insert(name.to_owned(), rng.pick(&kinds).into());
        }
    }
    arguments.insert("linesStartAt1".to_owned(), rng.chance(50).into());
    if rng.chance(90) {
        let list: Vec<Value> = (0..rng.below(4)).map(|_| arguments.clone().into()).collect();
        arguments.insert("breakpoints".to_owned(), list.into());
        arguments.insert("source".to_owned(), json!({ "path": rng.pick(&TEXTS) }));
    }
    if rng.chance(2) { Value::Null } else { arguments.into() }
}

fn message(out: &mut Vec<u8>, body: &str) {
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

/// The messages of a server.
fn messages(mut bytes: &[u8]) -> Vec<Value> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
        let length: usize = str::from_utf8(&bytes[b"Content-Length: ".len()..end]).unwrap().parse().unwrap();
        list.push(serde_json::from_slice(&bytes[end + 4..end + 4 + length]).unwrap());
        bytes = &bytes[end + 4 + length..];
    }
    list
}

#[test]
fn every_request_is_answered_whatever_its_arguments_are() {
    let (mut succeeded, mut refused) = (0, 0);
    for seed in 0..60 {
        let rng = &mut Rng::new(seed ^ 0xdab << 32);
        let isa = rng.pick(&Isa::ALL);
        let bytes = RandomProgram::any(isa, rng).blob();
        let blob = Blob::parse(&bytes).unwrap();
        let Ok(program) = Program::new(&blob, &ProgramConfig::default()) else { continue };
        let program = Arc::new(program);
        let symbols = Symbols::new(&blob);
        let live = Live { gas: 3000, arguments: vec![rng.value(), rng.value()], ..Live::default() };
        let launch = |_: &Launch| {
            let machine = Machine::live(program.clone(), live.clone()).map_err(|error| error.to_string())?;
            Ok(Launched { machine, symbols: symbols.clone(), folders: Vec::new() })
        };
        let mut sent = Vec::new();
        let requests = 120;
        message(&mut sent, &json!({ "seq": 1, "type": "request", "command": "launch", "arguments": {} }).to_string());
        for seq in 2..=requests {
            let request =
                json!({ "seq": seq, "type": "request", "command": rng.pick(&COMMANDS), "arguments": arguments(rng) });
            message(&mut sent, &request.to_string());
        }
        let mut received = Vec::new();
        serve(Cursor::new(sent), &mut received, launch).unwrap();
        let answers: Vec<Value> =
            messages(&received).into_iter().filter(|message| message["type"] == "response").collect();
        let numbers: Vec<u64> = answers.iter().map(|answer| answer["request_seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=requests).collect::<Vec<_>>(), "seed {seed}");
        for answer in answers {
            match answer["success"].as_bool().unwrap() {
                true => succeeded += 1,
                false => {
                    assert!(!answer["message"].as_str().unwrap().is_empty());
                    refused += 1;
                }
            }
        }
    }
    println!("{succeeded} {refused}");
    assert!(succeeded > 1000 && refused > 1000, "{succeeded} {refused}");
}

#[test]
fn bytes_that_are_no_messages_end_the_session_with_an_error() {
    for seed in 0..300 {
        let rng = &mut Rng::new(seed);
        let mut sent = Vec::new();
        message(&mut sent, "{\"seq\":1,\"type\":\"request\",\"command\":\"threads\"}");
        let length = rng.below(200) as usize;
        let mut noise = rng.bytes(length);
        if rng.chance(50) {
            noise.splice(0..0, b"Content-Length: 7\r\n".iter().copied());
        }
        sent.extend_from_slice(&noise);
        let mut received = Vec::new();
        let result = serve(Cursor::new(sent), &mut received, |_: &Launch| Err("nothing".to_owned()));
        let answers = messages(&received);
        assert_eq!(answers[0]["success"], true);
        assert_eq!(result.is_err(), !noise.is_empty(), "seed {seed}");
        assert!(answers[1..].iter().all(|answer| answer["success"] == false));
    }
}
