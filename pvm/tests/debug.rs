//! Tests of `pvm debug` with an unmodified gdb, of `pvm run --record` and of `pvm profile`.
//!
//! The program is written in C and has a bug: gdb runs to its trap, and goes back to the faulty line.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "debug/support.rs"]
mod support;

use std::fs;
use std::io::{BufRead as _, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use support::{GDB, bank, bank_for_gdb, folder, has_gdb, line_of, pvm, start};

/// Serves `subject` to a gdb that runs `script`; returns what gdb printed.
fn debug(folder: &Path, subject: &[&str], script: &str) -> String {
    fs::write(folder.join("script"), script).unwrap();
    let socket = folder.join("socket");
    let _ = fs::remove_file(&socket);
    let options = ["--elf-out", "bank.elf", "--listen", socket.to_str().unwrap()];
    let (mut server, mut lines) = start(&[&["debug"], subject, &options].concat(), folder);
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 && !line.contains("target remote") {}
    assert!(line.contains("gdb-multiarch -q bank.elf"), "{line}");
    let arguments = ["-nx", "-q", "--batch", "bank.elf", "-ex", "set confirm off", "-ex"];
    let connect = format!("target remote {}", socket.display());
    let output = Command::new(GDB)
        .args(arguments)
        .args([connect.as_str(), "-x", "script"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(server.wait().unwrap().success(), "{rest}");
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    println!("{printed}");
    printed
}

/// Checks that all of these parts appear, in this order.
#[track_caller]
fn expect(printed: &str, parts: &[&str]) {
    let mut rest = printed;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => panic!("`{part}` is missing, or not after the parts before it, in:\n{printed}"),
        }
    }
}

const CALL: [&str; 9] =
    ["bank.polkavm", "--entry", "run", "--arg", "9", "--answer", "amount_of=40", "--gas", "1000000"];

#[test]
fn gdb_goes_from_a_trap_back_to_the_line_that_is_to_blame() {
    if !has_gdb() {
        return;
    }
    for bits in [64, 32] {
        let folder = folder(&format!("trap{bits}"));
        bank(&folder, bits);
        let script = "\
            echo -- trap\\n\n\
            continue\n\
            backtrace\n\
            watch -l *(unsigned long *)($a0 + 8)\n\
            echo -- back\\n\n\
            reverse-continue\n\
            backtrace\n\
            info registers zero gp a0\n\
            print $gas > 0\n\
            echo -- caller\\n\n\
            up\n\
            echo -- start\\n\n\
            delete\n\
            reverse-continue\n\
            print $position\n";
        let printed = debug(&folder, &CALL, script);
        let blame = format!("bank.c:{}", line_of("account->balance = balance"));
        expect(
            &printed,
            &[
                "-- trap",
                "SIGSEGV",
                "fail",
                "#0",
                "fail",
                "#1",
                "audit",
                "#2",
                "run",
                &format!("bank.c:{}", line_of("    audit();")),
                "-- back",
                "atchpoint",
                "Old value = ",
                "New value = 20",
                "set_balance",
                &blame,
                "#1",
                "withdraw",
                "#2",
                "run",
                "zero",
                "0x0",
                "gp",
                "0x0",
                "= 1",
                "-- caller",
                "withdraw",
                "-- start",
                "No more reverse-execution history",
                "= 0",
            ],
        );
    }
}

#[test]
fn gdb_breaks_steps_and_finishes_by_lines_and_functions() {
    let Some(folder) = bank_for_gdb("lines") else { return };
    let script = format!(
        "break withdraw\n\
         continue\n\
         echo -- step\\n\n\
         step\n\
         echo -- finish\\n\n\
         finish\n\
         echo -- line\\n\n\
         delete\n\
         tbreak bank.c:{line}\n\
         continue\n\
         echo -- next\\n\n\
         next\n\
         echo -- reverse\\n\n\
         reverse-next\n\
         info symbol $pc\n\
         echo -- host\\n\n\
         monitor goto 5\n\
         monitor break host amount_of\n\
         continue\n\
         continue\n\
         print $pc\n\
         monitor delete\n\
         monitor break gas 999000\n\
         echo -- gas\\n\n\
         continue\n\
         print $gas < 999000\n\
         monitor delete\n\
         monitor goto 5\n\
         continue\n\
         print $position\n\
         echo -- end\\n\n\
         continue\n\
         continue\n\
         detach\n",
        line = line_of("    audit();")
    );
    let printed = debug(
        &folder,
        &["bank.polkavm", "--entry", "run", "--arg", "2", "--answer", "amount_of=40", "--gas", "1000000"],
        &script,
    );
    expect(
        &printed,
        &[
            "Breakpoint 1, ",
            "withdraw",
            "bank.c:",
            "-- step",
            "set_balance",
            "-- finish",
            "run",
            "-- line",
            "run",
            "audit();",
            "-- next",
            &line_of("return accounts[0].balance").to_string(),
            "-- reverse",
            &line_of("    audit();").to_string(),
            "run",
            "-- host",
            "SIGTRAP",
            "amount_of",
            "-- gas",
            "-- end",
            "No more reverse-execution history",
        ],
    );
}

#[test]
fn a_record_is_debugged_from_its_end() {
    let Some(folder) = bank_for_gdb("record") else { return };
    let mut run = vec!["run", "--backend", "interpreter", "--record", "bank.record"];
    run.extend(CALL);
    let (code, printed) = pvm(&run, &folder);
    assert_eq!(code, 10, "{printed}");
    fs::remove_file(folder.join("bank.polkavm")).unwrap();
    let printed =
        debug(&folder, &["--record", "bank.record"], "backtrace\nreverse-finish\nreverse-finish\ninfo symbol $pc\n");
    expect(&printed, &["#0", "fail", "#1", "audit", "#2", "run", "run +", "in section .text"]);
    // A damaged record is refused.
    let mut bytes = fs::read(folder.join("bank.record")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.join("damaged.record"), &bytes).unwrap();
    let (code, printed) = pvm(&["debug", "--record", "damaged.record"], &folder);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("damaged.record: the chunk at offset"), "{printed}");
}

#[test]
fn a_profile_tells_where_the_gas_went() {
    let folder = folder("profile");
    bank(&folder, 64);
    let mut run = vec!["run", "--record", "bank.record", "--json"];
    run.extend(CALL);
    let (_, printed) = pvm(&run, &folder);
    let ran: serde_json::Value =
        serde_json::from_str(printed.lines().skip_while(|line| *line != "{").collect::<Vec<_>>().join("\n").as_str())
            .unwrap();

    let files = ["--collapsed", "stacks.txt", "--flame-graph", "graph.svg", "--lcov", "lines.info", "--json"];
    let mut arguments = vec!["profile"];
    arguments.extend(CALL);
    arguments.extend(files);
    let (code, live) = pvm(&arguments, &folder);
    assert_eq!(code, 10, "{live}");
    let mut arguments = vec!["profile", "--record", "bank.record"];
    arguments.extend(files);
    let (_, recorded) = pvm(&arguments, &folder);
    assert_eq!(live, recorded);

    let profile: serde_json::Value = serde_json::from_str(&live).unwrap();
    assert_eq!(profile["gas"], ran["gas_used"], "the program pays what it is said to spend");
    let function = |name: &str| {
        let list = profile["functions"].as_array().unwrap();
        list.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {live}")).clone()
    };
    assert_eq!(function("run")["total"], profile["gas"], "everything is called by it");
    assert!(function("withdraw")["total"].as_u64() > function("withdraw")["own"].as_u64());
    assert_eq!(profile["host_calls"][0]["name"], "host call amount_of");
    assert_eq!(profile["host_calls"][0]["count"], 9);

    let stacks = fs::read_to_string(folder.join("stacks.txt")).unwrap();
    let sum: u64 = stacks.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum();
    assert_eq!(Some(sum), profile["gas"].as_u64());
    assert!(stacks.lines().any(|line| line.starts_with("run;withdraw;set_balance ")), "{stacks}");
    assert!(stacks.lines().any(|line| line.starts_with("run;audit;fail ")), "{stacks}");
    let graph = fs::read_to_string(folder.join("graph.svg")).unwrap();
    assert!(graph.contains("<svg") && graph.contains("withdraw"), "{graph}");
    let lines = fs::read_to_string(folder.join("lines.info")).unwrap();
    assert!(
        lines.contains("bank.c\n") && lines.contains(&format!("DA:{},13\n", line_of("account->balance = balance"))),
        "{lines}"
    );

    // Another cost model changes the costs, and not what is executed.
    let (_, other) = pvm(&["profile", "--record", "bank.record", "--profile-model", "pipeline", "--json"], &folder);
    let other: serde_json::Value = serde_json::from_str(&other).unwrap();
    assert_ne!(other["gas"], profile["gas"]);
    assert_eq!(other["host_calls"], profile["host_calls"]);
}

#[test]
fn host_functions_that_do_not_exist_cannot_be_answered() {
    let folder = folder("answers");
    bank(&folder, 64);
    let (code, printed) = pvm(&["run", "bank.polkavm", "--entry", "run", "--answer", "other=1"], &folder);
    assert_eq!(code, 2, "{printed}");
    assert!(printed.contains("no host function `other`; it calls: `amount_of`"), "{printed}");
    let (code, _) = pvm(&["run", "bank.polkavm", "--entry", "run", "--arg", "1", "--backend", "interpreter"], &folder);
    assert_eq!(code, 13, "nobody answers");
    let (code, printed) =
        pvm(&["trace", "bank.polkavm", "--entry", "run", "--arg", "1", "--answer", "amount_of=1"], &folder);
    assert_eq!(code, 0, "{printed}");
}
