//! `pvm debug --web`: the API of the page, who is refused, and the page in a real browser.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "debug/support.rs"]
mod support;

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use support::{bank, folder, has_tool, line_of, pvm, start};

/// A server, and what it prints.
struct Server {
    process: Child,
    _output: BufReader<ChildStdout>,
    host: String,
    token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(folder: &Path, subject: &[&str]) -> Server {
        let (process, mut output) = start(&[&["debug", "--web"], subject].concat(), folder);
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "no address was printed");
        }
        let (host, token) = line.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
        let token = token.trim_end_matches('/').to_owned();
        assert_eq!(token.len(), 32);
        Server { process, _output: output, host: host.to_owned(), token }
    }

    /// Sends a text; returns the status, the header and the body.
    fn send(&self, text: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (header, body) = answer.split_once("\r\n\r\n").unwrap();
        (header.split(' ').nth(1).unwrap().parse().unwrap(), header.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host))
    }

    fn post(&self, name: &str, body: &str, fields: &str) -> (u16, Value) {
        let (token, host) = (&self.token, &self.host);
        let (status, _, body) = self.send(&format!(
            "POST /{token}/api/{name} HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        (status, serde_json::from_str(&body).unwrap())
    }

    #[track_caller]
    fn ask(&self, name: &str, body: &Value) -> Value {
        let (status, answer) = self.post(name, &body.to_string(), "Content-Type: application/json\r\n");
        assert_eq!(status, 200, "{name} {body}: {answer}");
        println!("{name} {body}: {answer}");
        answer
    }

    #[track_caller]
    fn go(&self, motion: &str) -> Value {
        let mut state = self.ask("go", &json!({ "motion": motion }));
        while state["isGoing"] == true {
            state = self.ask("go", &json!({ "motion": "more" }));
        }
        state
    }
}

const CALL: [&str; 9] =
    ["bank.polkavm", "--entry", "run", "--arg", "9", "--answer", "amount_of=40", "--gas", "1000000"];

fn functions(state: &Value) -> Vec<&str> {
    state["stack"].as_array().unwrap().iter().map(|frame| frame["function"].as_str().unwrap()).collect()
}

#[test]
fn the_page_finds_who_wrote_a_byte() {
    let folder = folder("web");
    bank(&folder, 64);
    let mut record = vec!["run", "--record", "bank.record"];
    record.extend(CALL);
    assert_eq!(pvm(&record, &folder).0, 10);
    let server = Server::start(&folder, &["--record", "bank.record"]);
    let program = server.ask("program", &json!({}));
    assert_eq!((&program["isa"], &program["imports"]), (&json!("ReviveV1"), &json!(["amount_of"])));
    // A record that ends in a trap is begun there.
    let state = server.ask("state", &json!({}));
    assert_eq!((&state["isEnd"], functions(&state)), (&json!(true), vec!["fail", "audit", "run"]));
    assert_eq!(state["furthest"], state["end"]);
    let end = state["position"].clone();
    let register = |state: &Value, name: &str| {
        state["registers"].as_array().unwrap().iter().find(|register| register["name"] == name).unwrap().clone()
    };
    let a0 = register(&state, "a0")["value"].as_str().unwrap().to_owned();
    let balance = u32::from_str_radix(a0.strip_prefix("0x").unwrap(), 16).unwrap() + 8;
    let state = server.ask("go", &json!({ "motion": "writer", "address": balance, "length": 8 }));
    assert_eq!(state["stop"], format!("writes 8 bytes at {balance:#x}"));
    assert_eq!(functions(&state), ["set_balance", "withdraw", "run"]);
    assert_eq!(state["stack"][0]["line"], line_of("account->balance = balance"));
    assert_eq!(state["before"], end);
    assert_eq!(state["nextAccess"], json!({ "address": balance, "length": 8, "write": true }));
    let writer = state["position"].as_u64().unwrap();

    // What the store changes is marked after it, and nothing else.
    let state = server.go("instruction");
    assert_eq!(state["position"], writer + 1);
    let memory = server.ask("memory", &json!({ "address": balance - 8, "length": 16 }));
    assert_eq!(memory["changed"], json!([8, 9, 10, 11, 12, 13, 14, 15]), "{memory}");
    assert_eq!(memory["bytes"][8], 0xec);
    assert!(state["registers"].as_array().unwrap().iter().all(|register| register["changed"] == false));
    let state = server.ask("go", &json!({ "motion": "seek", "position": 1 }));
    assert!(state["registers"].as_array().unwrap().iter().any(|register| register["changed"] == true), "{state}");
    assert!(state["gasChange"].as_str().unwrap().parse::<i64>().unwrap() > 0, "{state}");

    // Any place of the time line, in any order.
    for position in [0, writer, 3, writer, end.as_u64().unwrap()] {
        let state = server.ask("go", &json!({ "motion": "seek", "position": position }));
        assert_eq!(state["position"], position);
    }
    // Nobody wrote the owner, and the place stays.
    let state = server.ask("go", &json!({ "motion": "writer", "address": balance - 8, "length": 8 }));
    assert_eq!((&state["stop"], &state["position"]), (&json!("nothing was found"), &end));
    assert_eq!(server.go("lineBack")["isEnd"], false);
    assert_eq!(server.go("end")["position"], end);
}

#[test]
fn the_page_breaks_at_lines_and_shows_source_beside_instructions() {
    let folder = folder("web-lines");
    bank(&folder, 64);
    let server = Server::start(&folder, &CALL);
    let state = server.ask("state", &json!({}));
    assert_eq!(state["position"], 0);
    let file = state["stack"][0]["file"].clone();
    let source = server.ask("source", &json!({ "file": file }));
    assert!(source["text"].as_str().unwrap().contains("static struct account accounts[4]"));
    let blame = line_of("account->balance = balance");
    assert!(source["lines"].as_array().unwrap().contains(&json!(blame)));
    let set = server.ask("breakpoints", &json!({ "lines": [{ "file": file, "line": blame }], "instructions": [] }));
    assert_eq!(set["lines"][0]["line"], blame);
    for _ in 0..3 {
        let state = server.go("forward");
        assert_eq!((&state["stop"], &state["stack"][0]["line"]), (&json!("breakpoint"), &json!(blame)));
    }
    let state = server.go("backward");
    assert_eq!(state["stack"][0]["line"], blame);
    let pc = state["pc"].clone();
    let code = server.ask("code", &json!({ "around": pc }));
    let here = code["instructions"].as_array().unwrap().iter().find(|told| told["offset"] == pc).unwrap().clone();
    assert_eq!((&here["line"], &here["function"]), (&json!(blame), &json!("set_balance")));
    let state = server.go("out");
    assert_eq!(functions(&state), ["run"]);
    let set = server.ask("breakpoints", &json!({ "functions": ["audit", "amount_of"] }));
    assert_eq!(set["functions"][0].as_array().unwrap().len(), 1);
    assert_eq!(server.go("forward")["stop"], "calls amount_of");
    server.ask("breakpoints", &json!({}));
    let state = server.go("forward");
    assert_eq!((&state["stop"], &state["isEnd"]), (&json!("trap"), &json!(true)));
}

#[test]
fn other_pages_are_refused() {
    let folder = folder("web-refused");
    bank(&folder, 64);
    let server = Server::start(&folder, &CALL);
    let (token, host) = (&server.token, &server.host);
    let port = host.rsplit(':').next().unwrap();
    let (status, header, page) = server.get(&format!("/{token}/"));
    assert_eq!(status, 200);
    for field in ["Content-Security-Policy: default-src 'none'; script-src 'self'", "frame-ancestors 'none'"] {
        assert!(header.contains(field), "{header}");
    }
    for file in ["page.js", "page.css"] {
        assert!(page.contains(&format!("\"{file}\"")));
        assert_eq!(server.get(&format!("/{token}/{file}")).0, 200);
    }
    let other = "0".repeat(32);
    for path in ["/", "/page.js", &format!("/{other}/"), &format!("/{token}"), &format!("//{token}/")] {
        assert_eq!(server.get(path).0, 403, "{path}");
    }
    assert_eq!(server.get(&format!("/{token}/other")).0, 404);
    assert_eq!(server.get(&format!("/{token}/api/state")).0, 404);
    // A page that has its own name lead to this machine.
    for asked in [format!("evil.example:{port}"), "127.0.0.1".to_owned(), String::new()] {
        let request = format!("GET /{token}/ HTTP/1.1\r\nHost: {asked}\r\n\r\n");
        assert_eq!(server.send(&request).0, 403, "{asked}");
    }
    assert_eq!(server.send(&format!("GET /{token}/ HTTP/1.1\r\n\r\n")).0, 403);
    assert_eq!(server.send(&format!("GET /{token}/ HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).0, 200);
    // A page that knows the token all the same.
    let json_field = "Content-Type: application/json\r\n";
    let origin = |origin: &str| format!("{json_field}Origin: {origin}\r\n");
    assert_eq!(server.post("state", "{}", &origin("http://evil.example")).0, 403);
    assert_eq!(server.post("state", "{}", &origin("null")).0, 403);
    assert_eq!(server.post("state", "{}", &origin(&format!("http://{host}"))).0, 200);
    assert_eq!(server.post("state", "{}", "Content-Type: text/plain\r\n").0, 415);
    assert_eq!(server.post("state", "{}", "").0, 415);
    // What is malformed.
    for (name, body) in [
        ("go", "{"),
        ("go", "{}"),
        ("go", "{\"motion\":\"fly\"}"),
        ("go", "{\"motion\":\"seek\",\"position\":-1}"),
        ("memory", "{\"address\":4294967296,\"length\":1}"),
        ("source", "{\"file\":-1}"),
        ("nothing", "{}"),
        ("go", &"[".repeat(100_000)),
    ] {
        let (status, answer) = server.post(name, body, json_field);
        assert_eq!(status, 400, "{name} {answer}");
        assert!(answer["error"].is_string());
    }
    assert_eq!(server.post("state", &" ".repeat(300 << 10), json_field).0, 413);
    let memory = server.ask("memory", &json!({ "address": u32::MAX, "length": u32::MAX }));
    assert_eq!(memory["bytes"], json!([]));
    assert_eq!(server.ask("source", &json!({ "file": 1000 }))["text"], Value::Null);
    // Connections that say nothing keep nobody else waiting.
    let silent: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(host).unwrap()).collect();
    assert_eq!(server.ask("state", &json!({}))["position"], 0);
    drop(silent);
    let (code, printed) = pvm(&["debug", "bank.polkavm", "--entry", "run", "--web", "--listen", "socket"], &folder);
    assert_eq!(code, 2, "{printed}");
}

const BROWSER: &str = "chromium";

#[test]
fn a_browser_shows_the_page() {
    if !has_tool(BROWSER, "PVM_REQUIRE_CHROMIUM") {
        return;
    }
    let folder = folder("web-browser");
    bank(&folder, 64);
    let server = Server::start(&folder, &CALL);
    let state = server.go("end");
    let a0 = state["registers"].as_array().unwrap().iter().find(|register| register["name"] == "a0").unwrap();
    let balance = u32::from_str_radix(a0["value"].as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap() + 8;
    let state = server.ask("go", &json!({ "motion": "writer", "address": balance, "length": 8 }));
    let after = state["position"].as_u64().unwrap() + 1;
    // The page goes one step on, and marks what that changed.
    let url = format!("http://{}/{}/#{after}", server.host, server.token);
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let output = Command::new(BROWSER)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile])
        .args(["--window-size=1400,800", "--virtual-time-budget=20000"])
        // Where a picture is wanted, one is made of the same page.
        .args(std::env::var("PVM_SCREENSHOT").ok().map(|path| format!("--screenshot={path}")))
        .args(["--dump-dom", &url])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(page.contains("data-ready=\"yes\""), "{page}\n{errors}");
    for part in [
        "static void set_balance".replace("static", "static __attribute__((noinline))").as_str(),
        "withdraw  ./bank.c:",
        "class=\"row can here\"",
        "class=\"byte changed chosen\">ec</span>",
        ">store_indirect_u64 a1, a0, 8</span>",
    ] {
        assert!(page.contains(part), "`{part}` is missing in:\n{page}\n{errors}");
    }
}
