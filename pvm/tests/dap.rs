//! `pvm debug --dap`: a client that speaks the debug adapter protocol, as an editor does.
//!
//! The program is that of the tests of gdb: the client runs to its trap, and goes back to the line that is to blame.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "debug/support.rs"]
mod support;

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use support::{bank, folder, line_of, pvm};

/// An editor.
struct Client {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    seq: u64,
    events: VecDeque<Value>,
}

impl Client {
    fn start(folder: &Path) -> Client {
        let mut server = Command::new(env!("CARGO_BIN_EXE_pvm"))
            .args(["debug", "--dap"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (server.stdin.take(), BufReader::new(server.stdout.take().unwrap()));
        Client { server, input, output, seq: 0, events: VecDeque::new() }
    }

    fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
        self.input.as_mut().unwrap().flush().unwrap();
    }

    fn send_text(&mut self, text: &str) {
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    /// The next message.
    fn receive(&mut self) -> Value {
        let mut length = None;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the adapter went away");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = Some(value.parse().unwrap()),
                _ => break,
            }
        }
        let mut body = vec![0; length.unwrap()];
        self.output.read_exact(&mut body).unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        println!("{message}");
        message
    }

    /// Sends a request; returns the response. Events before it are kept.
    fn request(&mut self, command: &str, arguments: Value) -> Value {
        self.seq += 1;
        let request = json!({ "seq": self.seq, "type": "request", "command": command, "arguments": arguments });
        println!("{request}");
        self.send_text(&request.to_string());
        self.response()
    }

    fn response(&mut self) -> Value {
        loop {
            let message = self.receive();
            if message["type"] == "response" {
                return message;
            }
            self.events.push_back(message);
        }
    }

    /// The body of the response to a request that has to succeed.
    #[track_caller]
    fn done(&mut self, command: &str, arguments: Value) -> Value {
        let response = self.request(command, arguments);
        assert_eq!(response["success"], true, "{response}");
        assert_eq!(response["command"], command);
        assert_eq!(response["request_seq"], self.seq);
        response["body"].clone()
    }

    /// Sends a request that has to be refused; returns the reason.
    #[track_caller]
    fn refused(&mut self, command: &str, arguments: Value) -> String {
        let response = self.request(command, arguments);
        assert_eq!(response["success"], false, "{response}");
        response["message"].as_str().unwrap().to_owned()
    }

    /// The next event of a kind; those before it are dropped.
    fn event(&mut self, name: &str) -> Value {
        loop {
            let event = self.events.pop_front().unwrap_or_else(|| self.receive());
            if event["event"] == name {
                return event["body"].clone();
            }
        }
    }

    /// Makes a motion; returns why it ended.
    #[track_caller]
    fn go(&mut self, command: &str) -> Value {
        self.done(command, json!({ "threadId": 1 }));
        self.event("stopped")
    }

    /// Names and lines of the call stack, the innermost function first.
    fn stack(&mut self) -> Vec<(String, u64)> {
        let body = self.done("stackTrace", json!({ "threadId": 1 }));
        let frames = body["stackFrames"].as_array().unwrap();
        assert_eq!(body["totalFrames"], frames.len());
        frames
            .iter()
            .map(|frame| (frame["name"].as_str().unwrap().to_owned(), frame["line"].as_u64().unwrap()))
            .collect()
    }

    fn line(&mut self) -> u64 {
        self.stack()[0].1
    }

    fn evaluate(&mut self, expression: &str) -> String {
        let body = self.done("evaluate", json!({ "expression": expression, "context": "watch", "frameId": 1 }));
        body["result"].as_str().unwrap().to_owned()
    }

    /// The variables of a scope of a frame, by name.
    fn scope(&mut self, frame: u64, name: &str) -> Vec<(String, String)> {
        let scopes = self.done("scopes", json!({ "frameId": frame }));
        let scope = scopes["scopes"].as_array().unwrap().iter().find(|scope| scope["name"] == name).unwrap().clone();
        let list = self.done("variables", json!({ "variablesReference": scope["variablesReference"] }));
        let pair = |variable: &Value| {
            (variable["name"].as_str().unwrap().to_owned(), variable["value"].as_str().unwrap().to_owned())
        };
        list["variables"].as_array().unwrap().iter().map(pair).collect()
    }

    /// Begins a session up to where breakpoints are set.
    fn launch(&mut self, arguments: Value) {
        let capabilities = self.done("initialize", json!({ "adapterID": "pvm", "linesStartAt1": true }));
        assert_eq!(capabilities["supportsStepBack"], true);
        self.done("launch", arguments);
        self.event("initialized");
    }

    /// Ends the session; the adapter has to end as well.
    fn disconnect(mut self) {
        self.done("disconnect", json!({}));
        self.input = None;
        let status = self.server.wait().unwrap();
        let mut errors = String::new();
        self.server.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(status.success(), "{errors}");
        assert_eq!(errors, "");
    }
}

fn call(days: u64) -> Value {
    json!({ "program": "bank.polkavm", "entry": "run", "args": [days], "answers": { "amount_of": "40" }, "gas": 1_000_000 })
}

/// A call with a switch turned on.
fn call_with(days: u64, switch: &str) -> Value {
    let mut arguments = call(days);
    arguments[switch] = true.into();
    arguments
}

fn line(text: &str) -> u64 {
    line_of(text) as u64
}

fn started(name: &str) -> (Client, PathBuf) {
    let folder = folder(name);
    bank(&folder, 64);
    (Client::start(&folder), folder)
}

#[test]
fn an_editor_goes_from_a_trap_back_to_the_line_that_is_to_blame() {
    for bits in [64, 32] {
        let folder = folder(&format!("dap{bits}"));
        bank(&folder, bits);
        let mut client = Client::start(&folder);
        client.launch(call(9));
        client.done("configurationDone", json!({}));
        let stopped = client.event("stopped");
        assert_eq!(stopped["reason"], "exception");
        assert!(stopped["text"].as_str().unwrap().contains("trap at"), "{stopped}");
        assert_eq!(client.done("exceptionInfo", json!({ "threadId": 1 }))["exceptionId"], "trap");
        let names: Vec<String> = client.stack().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["fail", "audit", "run"]);
        assert_eq!(client.stack()[2].1, line("    audit();"));

        // The culprit is in a0.
        let info = client.done("dataBreakpointInfo", json!({ "name": "u64[a0 + 8]", "frameId": 1 }));
        let data = info["dataId"].as_str().unwrap().to_owned();
        assert!(data.ends_with(":8"), "{info}");
        let set =
            client.done("setDataBreakpoints", json!({ "breakpoints": [{ "dataId": data, "accessType": "write" }] }));
        assert_eq!(set["breakpoints"][0]["verified"], true);
        let stopped = client.go("reverseContinue");
        assert_eq!(stopped["reason"], "data breakpoint", "{stopped}");
        assert_eq!(stopped["hitBreakpointIds"][0], set["breakpoints"][0]["id"]);
        let text = stopped["text"].as_str().unwrap();
        if bits == 64 {
            assert!(text.contains("changed from 20 to 18446744073709551596 at"), "{text}");
        }
        let blame = line("account->balance = balance");
        assert!(text.ends_with(&format!("in set_balance, ./bank.c:{blame}")), "{text}");
        let stack = client.stack();
        assert_eq!(stack[0], ("set_balance".to_owned(), blame));
        assert_eq!(stack[1], ("withdraw".to_owned(), line("set_balance(account, left")));
        assert_eq!(stack[2].0, "run");
        let registers = client.scope(1, "Registers");
        if bits == 64 {
            assert!(registers.contains(&("a1".to_owned(), "0xffffffffffffffec (-20)".to_owned())), "{registers:?}");
        }
        // Of a caller only what it keeps is known.
        assert!(client.scope(2, "Registers").iter().all(|(name, _)| name != "a1"));

        client.done("setDataBreakpoints", json!({ "breakpoints": [] }));
        assert_eq!(client.go("reverseContinue")["reason"], "entry");
        assert_eq!(client.evaluate("position"), "0x0 (0)");
        client.disconnect();
    }
}

#[test]
fn an_editor_breaks_and_steps_by_lines_forwards_and_backwards() {
    let (mut client, folder) = started("dap-lines");
    client.launch(call_with(2, "stopOnEntry"));
    let path = folder.join("bank.c");
    let source = json!({ "path": path });
    // A line without code is taken for the next one that has some.
    let wanted = [line("set_balance(account, left"), line("struct account accounts[4]"), 10_000];
    let breakpoints: Vec<Value> = wanted.iter().map(|line| json!({ "line": line })).collect();
    let set = client.done("setBreakpoints", json!({ "source": source, "breakpoints": breakpoints }));
    let told = set["breakpoints"].as_array().unwrap();
    assert_eq!(told[0]["line"], wanted[0]);
    assert!(told[1]["line"].as_u64().unwrap() > wanted[1], "{set}");
    assert_eq!(told[2]["verified"], false);
    let other = json!({ "source": { "path": "/other.c" }, "breakpoints": [{ "line": 1 }] });
    assert_eq!(client.done("setBreakpoints", other)["breakpoints"][0]["verified"], false);
    let set = client.done("setBreakpoints", json!({ "source": source, "breakpoints": [{ "line": wanted[0] }] }));
    let id = set["breakpoints"][0]["id"].clone();
    client.done("configurationDone", json!({}));
    assert_eq!(client.event("stopped")["reason"], "entry");
    let frames = client.done("stackTrace", json!({ "threadId": 1, "levels": 1 }));
    assert_eq!(frames["stackFrames"][0]["source"]["path"], path.to_str().unwrap());

    let stopped = client.go("continue");
    assert_eq!(stopped["reason"], "breakpoint");
    assert_eq!(stopped["hitBreakpointIds"], json!([id]));
    // What is inlined there belongs to the line.
    let stack = client.stack();
    assert!(stack.contains(&("withdraw".to_owned(), wanted[0])), "{stack:?}");
    client.done("setBreakpoints", json!({ "source": source, "breakpoints": [] }));
    for _ in 0..20 {
        if client.stack()[0].0 == "set_balance" {
            break;
        }
        assert_eq!(client.go("stepIn")["reason"], "step");
    }
    assert_eq!(client.stack()[1].0, "withdraw");
    assert_eq!(client.go("stepOut")["reason"], "step");
    assert_eq!(client.stack()[0].0, "withdraw");
    assert_eq!(client.go("stepOut")["reason"], "step");
    assert_eq!(client.stack().len(), 1);
    let here = client.evaluate("position");
    // Over a call, and back over it.
    for _ in 0..50 {
        if client.line() == line("    audit();") {
            break;
        }
        client.go("next");
    }
    let before = client.evaluate("position");
    client.go("next");
    assert_eq!(client.stack(), [("run".to_owned(), line("return accounts[0].balance"))]);
    client.go("stepBack");
    assert_eq!(client.stack(), [("run".to_owned(), line("    audit();"))]);
    assert_eq!(client.evaluate("position"), before);
    for _ in 0..100 {
        if client.evaluate("position") == here {
            break;
        }
        client.done("stepBack", json!({ "threadId": 1, "granularity": "instruction" }));
        client.event("stopped");
    }
    assert_eq!(client.evaluate("position"), here);
    assert_eq!(client.stack().len(), 1);

    // The run ends in its host, and then it is over.
    let stopped = client.go("continue");
    assert_eq!(stopped["reason"], "end");
    assert!(stopped["text"].as_str().unwrap().starts_with("returned to its host: a0 = 60 "), "{stopped}");
    assert_eq!(client.stack(), [("(host)".to_owned(), 0)]);
    assert!(client.scope(1, "Registers").contains(&("a0".to_owned(), "0x3c (60)".to_owned())));
    assert!(client.refused("exceptionInfo", json!({ "threadId": 1 })).contains("did not fail"));
    client.go("stepBack");
    assert_eq!(client.stack()[0].0, "run");
    client.go("continue");
    client.done("continue", json!({ "threadId": 1 }));
    assert_eq!(client.event("exited")["exitCode"], 0);
    client.event("terminated");
    client.disconnect();
}

#[test]
fn an_editor_breaks_at_functions_host_functions_instructions_and_gas() {
    let (mut client, _) = started("dap-functions");
    client.launch(call(3));
    let set = client.done(
        "setFunctionBreakpoints",
        json!({ "breakpoints": [
            { "name": "withdraw", "condition": "a0 == 1" }, { "name": "amount_of" }, { "name": "nothing" },
            { "name": "audit", "condition": "a0 ==" },
        ] }),
    );
    let verified: Vec<bool> =
        set["breakpoints"].as_array().unwrap().iter().map(|told| told["verified"].as_bool().unwrap()).collect();
    assert_eq!(verified, [true, true, false, false]);
    client.done("configurationDone", json!({}));
    let mut places = Vec::new();
    for _ in 0..4 {
        let stopped = client.event("stopped");
        assert_eq!(stopped["reason"], "function breakpoint");
        places.push(client.stack()[0].0.clone());
        client.done("continue", json!({ "threadId": 1 }));
    }
    assert_eq!(places, ["amount_of", "amount_of", "withdraw", "amount_of"]);
    assert_eq!(client.event("stopped")["reason"], "end");

    client.done("setFunctionBreakpoints", json!({ "breakpoints": [] }));
    let code = client.done("disassemble", json!({ "memoryReference": "0x0", "instructionCount": 1000 }));
    let store = code["instructions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|told| told["instruction"].as_str().unwrap().starts_with("store_indirect_u64 a1, a0"));
    let address = store.unwrap()["address"].as_str().unwrap();
    let set = client.done(
        "setInstructionBreakpoints",
        json!({ "breakpoints": [{ "instructionReference": address }, { "instructionReference": address, "offset": 1 }] }),
    );
    assert_eq!(set["breakpoints"][0]["verified"], true);
    assert_eq!(set["breakpoints"][1]["verified"], false);
    let stopped = client.go("reverseContinue");
    assert_eq!(stopped["reason"], "instruction breakpoint");
    assert_eq!(client.evaluate("pc").split(' ').next(), Some(address));
    client.done("setInstructionBreakpoints", json!({ "breakpoints": [] }));

    client.done("evaluate", json!({ "expression": "goto start", "context": "repl" }));
    assert_eq!(client.event("stopped")["reason"], "goto");
    client.done("evaluate", json!({ "expression": "break gas 999950", "context": "repl" }));
    assert_eq!(client.go("continue")["reason"], "gas");
    assert_eq!(client.evaluate("gas < 999950"), "0x1 (1)");
    client.done("evaluate", json!({ "expression": "delete gas", "context": "repl" }));
    client.disconnect();
}

#[test]
fn an_editor_looks_at_memory_and_instructions() {
    let (mut client, _) = started("dap-memory");
    client.launch(call_with(9, "stopAtEnd"));
    client.done("configurationDone", json!({}));
    assert_eq!(client.event("stopped")["reason"], "exception");
    let a0 = client.evaluate("a0");
    let address = a0.split(' ').next().unwrap().to_owned();
    assert_eq!(client.evaluate("u64[a0 + 8]"), "0xffffffffffffffec (-20)");
    let memory = client.done("readMemory", json!({ "memoryReference": address, "offset": 8, "count": 8 }));
    assert_eq!(memory["data"], "7P////////8=");
    let dumped = client.evaluate("mem a0 + 8 8");
    assert!(dumped.contains("ec ff ff ff ff ff ff ff"), "{dumped}");
    // The memory before the read-only data can be read by nobody.
    let memory = client.done("readMemory", json!({ "memoryReference": "0x0", "count": 16 }));
    assert_eq!((&memory["data"], &memory["unreadableBytes"]), (&json!(""), &json!(16)));
    let memory = client.done("readMemory", json!({ "memoryReference": "0xffffffff", "count": u64::MAX }));
    assert_eq!(memory["unreadableBytes"], 1);
    assert!(client.refused("readMemory", json!({ "memoryReference": "a0", "count": 1 })).contains("no address"));

    // So many instructions as were asked for, those that do not exist marked.
    let code =
        client.done("disassemble", json!({ "memoryReference": "0x0", "instructionOffset": -5, "instructionCount": 8 }));
    let list = code["instructions"].as_array().unwrap();
    assert_eq!(list.len(), 8);
    assert!(list[..5].iter().all(|told| told["presentationHint"] == "invalid"), "{code}");
    assert_eq!((&list[5]["address"], &list[5]["symbol"]), (&json!("0x0"), &json!("run")));
    let last = list[7]["address"].clone();
    let code =
        client.done("disassemble", json!({ "memoryReference": last, "instructionOffset": -2, "instructionCount": 3 }));
    assert_eq!(code["instructions"].as_array().unwrap()[..], list[5..]);

    assert_eq!(client.scope(1, "Run")[0].0, "gas");
    assert!(client.scope(1, "Memory").iter().any(|(name, _)| name == "stack"));
    assert!(client.scope(1, "Stack").iter().any(|(name, _)| name == "u64[sp + 0]"));
    let info = client.done("dataBreakpointInfo", json!({ "name": "a0", "variablesReference": 1 }));
    assert_eq!(info["dataId"], Value::Null, "{info}");
    assert!(client.refused("evaluate", json!({ "expression": "nothing" })).contains("no register and no function"));

    // Who wrote the balance.
    client.done("evaluate", json!({ "expression": "who a0 + 8", "context": "repl" }));
    client.disconnect();
}

#[test]
fn a_record_is_debugged_without_its_program() {
    let (mut client, folder) = started("dap-record");
    let arguments =
        ["run", "bank.polkavm", "--entry", "run", "--arg", "9", "--answer", "amount_of=40", "--record", "r"];
    assert_eq!(pvm(&arguments, &folder).0, 10);
    fs::remove_file(folder.join("bank.polkavm")).unwrap();
    client.launch(json!({ "record": "r", "stopAtEnd": true }));
    client.done("configurationDone", json!({}));
    assert_eq!(client.event("stopped")["reason"], "exception");
    assert_eq!(client.stack()[0].0, "fail");
    client.done("evaluate", json!({ "expression": "who a0 + 8, 8", "context": "repl" }));
    assert_eq!(client.event("stopped")["reason"], "data breakpoint");
    assert_eq!(client.stack()[0], ("set_balance".to_owned(), line("account->balance = balance")));
    client.disconnect();
}

#[test]
fn a_run_without_end_is_paused() {
    let folder = folder("dap-pause");
    let text = ".isa ReviveV1\n.stack_size 4096\n.export \"spin\" spin\n\nspin:   jump spin\n";
    fs::write(folder.join("spin.txt"), text).unwrap();
    assert_eq!(pvm(&["assemble", "spin.txt", "-o", "spin.polkavm"], &folder).0, 0);
    let mut client = Client::start(&folder);
    client.launch(json!({ "program": "spin.polkavm", "entry": "spin" }));
    client.done("configurationDone", json!({}));
    assert!(client.refused("stackTrace", json!({ "threadId": 1 })).contains("the run goes on"));
    client.done("pause", json!({ "threadId": 1 }));
    assert_eq!(client.event("stopped")["reason"], "pause");
    assert_eq!(client.stack()[0].0, "spin");
    client.go("next");
    client.done("continue", json!({ "threadId": 1 }));
    client.disconnect();
}

#[test]
fn what_is_no_request_is_refused_and_ends_nothing_but_broken_headers() {
    let (mut client, folder) = started("dap-malformed");
    for (text, seq) in [("{", 0), ("[]", 0), ("{\"seq\":5,\"type\":\"event\",\"event\":\"x\"}", 5)] {
        client.send_text(text);
        let response = client.response();
        assert_eq!((&response["success"], &response["request_seq"]), (&json!(false), &json!(seq)), "{response}");
    }
    assert!(client.refused("next", json!({})).contains("before `launch`"));
    assert!(client.refused("fly", json!({})).contains("no request `fly`"));
    client.done("initialize", json!({ "adapterID": "pvm" }));
    for (arguments, why) in [
        (json!({}), "`program`"),
        (json!({ "program": "nothing.polkavm", "entry": "run" }), "cannot read nothing.polkavm"),
        (json!({ "program": "bank.polkavm" }), "there are: "),
        (json!({ "program": "bank.polkavm", "entry": "run", "args": ["ten"] }), "`args` cannot be `ten`"),
        (json!({ "program": "bank.polkavm", "entry": "run", "gas": -1 }), "`gas` cannot be `-1`"),
        (json!({ "program": "bank.polkavm", "entry": "run", "costModel": "dear" }), "`costModel` cannot be `dear`"),
        (json!({ "program": "bank.polkavm", "entry": 7 }), "malformed"),
        (json!({ "program": "-", "entry": "run" }), "`program` cannot be `-`"),
        (json!({ "record": "bank.polkavm" }), "record bank.polkavm"),
    ] {
        let message = client.refused("launch", arguments.clone());
        assert!(message.contains(why), "{arguments}: {message}");
    }
    client.done("launch", call(1));
    for (command, arguments) in [
        ("setBreakpoints", json!({})),
        ("setBreakpoints", json!({ "source": {}, "breakpoints": [] })),
        ("scopes", json!({ "frameId": 0 })),
        ("scopes", json!({ "frameId": u64::MAX })),
        ("variables", json!({ "variablesReference": 0 })),
        ("variables", json!({ "variablesReference": u64::MAX })),
        ("readMemory", json!({ "memoryReference": "0x10000", "offset": i64::MIN, "count": 1 })),
        ("disassemble", json!({ "memoryReference": "x", "instructionCount": 1 })),
        ("stackTrace", json!({ "levels": -1 })),
        ("next", json!({ "granularity": "leap" })),
        ("evaluate", json!({ "expression": "(".repeat(500) })),
    ] {
        client.refused(command, arguments);
    }
    for arguments in [
        json!({ "memoryReference": "0x0", "instructionOffset": i64::MIN, "instructionCount": 3 }),
        json!({ "memoryReference": "0x0", "instructionOffset": i64::MAX, "instructionCount": 3 }),
        json!({ "memoryReference": "0x7fffffffffffffff", "instructionCount": 3 }),
    ] {
        let body = client.done("disassemble", arguments);
        assert_eq!(body["instructions"].as_array().unwrap().len(), 3);
    }
    client.disconnect();

    // Where a message begins is not known after this.
    for header in ["Content-Length: 99999999999\r\n\r\n", "Content-Length: x\r\n\r\n", "\r\n", "no header at all"] {
        let mut client = Client::start(&folder);
        client.send_bytes(header.as_bytes());
        client.input = None;
        assert_eq!(client.response()["success"], false);
        let status = client.server.wait().unwrap();
        assert_eq!(status.code(), Some(3), "{header}");
    }
    // An editor that goes away ends the adapter.
    let mut client = Client::start(&folder);
    client.input = None;
    assert!(client.server.wait().unwrap().success());
}
