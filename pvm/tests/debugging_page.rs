//! `docs/debugging.md` shows what the tools print: all of its commands are run again, and their output compared.
//!
//! The extension for VS Code and the page know the same launch attributes as the adapter.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "debug/support.rs"]
mod support;

use pvm_debugger::dap::{LAUNCH_ATTRIBUTES, Launch};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::{folder, has_gdb};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/debugging.md")).unwrap()
}

/// The blocks of Markdown text that are marked with this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let mark = format!("```{language}\n");
    text.split(mark.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Something that is asked for, and what the page says that it answers.
fn examples<'a>(block: &'a str, prompt: &str) -> Vec<(String, &'a str)> {
    let mark = format!("\n{prompt}");
    let mut list = Vec::new();
    let Some(start) = block.find(prompt) else { return list };
    for example in block[start + prompt.len()..].split(mark.as_str()) {
        let mut length = 0;
        let mut command = String::new();
        for line in example.split_inclusive('\n') {
            length += line.len();
            match line.trim_end().strip_suffix('\\') {
                Some(part) => command.push_str(part),
                None => {
                    command.push_str(line.trim_end());
                    break;
                }
            }
        }
        list.push((command, &example[length..]));
    }
    list
}

/// A line without what differs from one machine to another: ports, tokens, and the size of the compiler's output.
fn comparable(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| {
        let line = line.split_once("http://").map_or(line, |(before, _)| before);
        line.split_once("from an ELF of").map_or(line, |(before, _)| before).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn same(command: &str, printed: &str, expected: &str) {
    assert_eq!(comparable(printed), comparable(expected), "`{command}` printed:\n{printed}");
}

/// A server that is ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a command that waits for a client; returns it with the lines that it prints first.
fn serve(arguments: &[String], folder: &Path, lines: usize) -> (Server, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_pvm"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    let mut printed = String::new();
    for _ in 0..lines {
        output.read_line(&mut printed).unwrap();
    }
    (Server(server), printed)
}

/// Returns gdb's output for these commands, each after its prompt.
fn gdb(folder: &Path, commands: &[String]) -> String {
    let quoted = |command: &String| format!("echo (gdb) {}\\n\n{command}\n", command.replace('\\', "\\\\"));
    let script: String = commands.iter().map(quoted).collect();
    fs::write(folder.join("script"), script).unwrap();
    let output = Command::new("gdb-multiarch")
        .args(["-nx", "-q", "--batch", "bank.elf", "-ex", "target remote socket", "-x", "script"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // What `monitor` prints is on standard error; here it is asked for last.
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    printed.lines().filter(|line| !line.starts_with("[Inferior ")).map(|line| format!("{line}\n")).collect()
}

/// The words of a command; quotes keep some together.
fn words(command: &str) -> Vec<String> {
    let mut list = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        match index % 2 {
            1 => list.push(part.to_owned()),
            _ => list.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    list
}

#[test]
fn the_page_shows_what_the_tools_print() {
    let page = page();
    let folder = folder("page");
    let bank = fs::read_to_string(root().join("pvm/tests/debug/bank.c")).unwrap();
    assert!(bank.ends_with(blocks(&page, "c")[0]), "the program of the page is another one");
    fs::write(folder.join("bank.c"), &bank).unwrap();
    let _ = std::os::unix::fs::symlink(root().canonicalize().unwrap().join("guest"), folder.join("guest"));
    let has_gdb = has_gdb();

    let mut compared = 0;
    let mut server: Option<(Server, Vec<String>)> = None;
    for block in blocks(&page, "console") {
        for (command, expected) in examples(block, "$ ") {
            let words = words(&command);
            let arguments = &words[1..];
            let waits = arguments.first().is_some_and(|name| name == "debug");
            match words[0].as_str() {
                "pvm" if waits => {
                    let _ = fs::remove_file(folder.join("socket"));
                    let (started, printed) = serve(arguments, &folder, expected.lines().count());
                    same(&command, &printed, expected);
                    server = Some((started, arguments.to_vec()));
                }
                "gdb-multiarch" => {
                    let commands: Vec<String> =
                        examples(expected, "(gdb) ").into_iter().map(|(command, _)| command).collect();
                    if has_gdb {
                        same(&command, &gdb(&folder, &commands), expected);
                    }
                }
                name => {
                    let program = if name == "pvm" { env!("CARGO_BIN_EXE_pvm") } else { name };
                    let output = Command::new(program).args(arguments).current_dir(&folder).output().unwrap();
                    same(&command, &String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), expected);
                }
            }
            compared += 1;
        }
        // More of gdb, in a session of its own.
        if block.starts_with("(gdb) ") && has_gdb {
            let (_, arguments) = server.take().unwrap();
            let _ = fs::remove_file(folder.join("socket"));
            server = Some((serve(&arguments, &folder, 2).0, arguments));
            let commands: Vec<String> = examples(block, "(gdb) ").into_iter().map(|(command, _)| command).collect();
            let printed = gdb(&folder, &commands);
            let begin = printed.find("(gdb) ").unwrap();
            same(&commands.join("; "), &printed[begin..], block);
            compared += 1;
        }
    }
    assert!(compared > 7, "{compared} examples");
}

#[test]
fn launch_attributes_are_the_same_everywhere() {
    let text = fs::read_to_string(root().join("debugger/vscode/package.json")).unwrap();
    let package: Value = serde_json::from_str(&text).unwrap();
    let debugger = &package["contributes"]["debuggers"][0];
    assert_eq!(debugger["type"], "pvm");
    let properties = debugger["configurationAttributes"]["launch"]["properties"].as_object().unwrap();
    let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
    let mut known = LAUNCH_ATTRIBUTES;
    names.sort_unstable();
    known.sort_unstable();
    assert_eq!(names, known);
    // A value of another kind is refused, so all of them are read.
    for name in known {
        let refused: Result<Launch, _> = serde_json::from_value(json!({ name: { "x": {} } }));
        assert!(refused.is_err(), "`{name}` is not read");
    }
    let page = page();
    for name in known {
        assert!(page.contains(&format!("| `{name}` |")), "the page does not describe `{name}`");
    }
    // Snippets and examples have no others.
    let snippets = debugger["configurationSnippets"].as_array().unwrap().iter().map(|snippet| snippet["body"].clone());
    let readme = fs::read_to_string(root().join("debugger/vscode/README.md")).unwrap();
    let examples = blocks(&readme, "json").into_iter().chain(blocks(&page, "json"));
    let examples = examples.flat_map(|text| {
        let configurations: Value = serde_json::from_str(text).unwrap();
        configurations["configurations"].as_array().unwrap().clone()
    });
    let mut count = 0;
    for configuration in snippets.chain(examples) {
        for name in configuration.as_object().unwrap().keys() {
            assert!(["type", "request", "name"].contains(&name.as_str()) || known.contains(&name.as_str()), "{name}");
        }
        let _: Launch = serde_json::from_value(configuration).unwrap();
        count += 1;
    }
    assert!(count >= 4);
    // The files of the extension, and what they say to each other.
    let script = fs::read_to_string(root().join("debugger/vscode").join(package["main"].as_str().unwrap())).unwrap();
    assert!(script.contains("registerDebugAdapterDescriptorFactory('pvm'") && script.contains("['debug', '--dap']"));
    assert!(package["contributes"]["configuration"]["properties"]["pvm.path"].is_object());
}
