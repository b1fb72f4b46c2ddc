//! Tests that the examples of `docs/pvm.md` and of the README match the binary's output.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The blocks of Markdown text that are marked with this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let mark = format!("```{language}\n");
    text.split(mark.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_examples_of_the_documentation_are_what_the_tool_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../docs/pvm.md")).unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("documentation");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("sum.txt"), blocks(&page, "asm")[0]).unwrap();

    let mut commands = 0;
    for block in [blocks(&page, "console"), blocks(&readme, "console")].concat() {
        for example in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, expected) = example.split_once('\n').unwrap_or((example, ""));
            let output = Command::new(env!("CARGO_BIN_EXE_pvm"))
                .args(command.strip_prefix("pvm ").unwrap().split_whitespace())
                .current_dir(&folder)
                .output()
                .unwrap();
            let printed = [output.stdout, output.stderr].concat();
            let printed = std::str::from_utf8(&printed).unwrap();
            assert_eq!(printed.trim_end(), expected.trim_end(), "{command}\n{printed}");
            commands += 1;
        }
    }
    assert!(commands > 6);
}
