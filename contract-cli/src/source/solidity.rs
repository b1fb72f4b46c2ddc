//! Contracts in Solidity: a file, compiled by `resolc`.

use super::{Built, Child, failed, on_path};
use crate::{error::Error, output::progress};
use sp_crypto_hashing::keccak_256;
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Builds a contract of a file: the one named as the file, unless another is given.
pub(super) fn build(source: &Path, name: Option<&str>, options: &[String]) -> Result<Built, Error> {
    let source = source.canonicalize().map_err(|reason| Error::File { path: source.into(), reason })?;
    let (Some(folder), Some(stem)) = (source.parent(), source.file_stem().and_then(|stem| stem.to_str())) else {
        return Err(failed(&source, "its name is no text".into()));
    };
    let (modules, compiler) = compiler(folder).ok_or_else(|| {
        failed(
            &source,
            "no resolc: install it beside the contract with `npm install @parity/resolc`, or put it on PATH".into(),
        )
    })?;
    let out = env::temp_dir().join(format!("pvm-contract-{}", std::process::id()));
    // Removed on every path from here on.
    let scratch = Some(out.clone());
    let name = name.unwrap_or(stem);
    let made = |kind: &str| out.join(format!("{stem}_sol_{name}.{kind}"));
    let (blob, abi) = (made("polkavm"), Some(made("abi")));
    let mut built = Built { name: name.into(), blob, abi, children: Vec::new(), scratch };
    progress!("compiling {}", source.display());
    let mut command = Command::new(compiler);
    command.current_dir(folder).args(["--bin", "--abi", "--base-path", "."]);
    if let Some(modules) = modules {
        command.arg("--include-path").arg(modules);
    }
    command.arg("-o").arg(&out).args(options).arg(format!("{stem}.sol"));
    run(&source, &mut command)?;
    let all = contracts(&out).map_err(|reason| Error::File { path: out.clone(), reason })?;
    if !built.blob.is_file() {
        let there: Vec<&str> = all.keys().filter_map(|file| Some(file.rsplit_once("_sol_")?.1)).collect();
        let reason = format!("it has no contract {name}; choose one with --contract: {}", there.join(", "));
        return Err(failed(&source, reason));
    }
    let code = fs::read(&built.blob).map_err(|reason| Error::File { path: built.blob.clone(), reason })?;
    built.children = children(&code, &all)
        .into_iter()
        .map(|file| {
            let name = file.rsplit_once("_sol_").map_or(file, |(_, name)| name).to_owned();
            let abi = Some(out.join(file).with_extension("abi")).filter(|abi| abi.is_file());
            Child { name, code: all.get(file).cloned().unwrap_or_default(), abi }
        })
        .collect();
    Ok(built)
}

/// Reads the compiler's blobs, by their files' names without the extension.
fn contracts(out: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for file in fs::read_dir(out).into_iter().flatten() {
        let path = file?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        if let Some(stem) = stem.filter(|_| path.extension().is_some_and(|extension| extension == "polkavm")) {
            all.insert(stem, fs::read(&path)?);
        }
    }
    Ok(all)
}

/// Returns the contracts that a program creates, directly or indirectly: those whose code hash is in its bytes.
fn children<'all>(code: &[u8], all: &'all BTreeMap<String, Vec<u8>>) -> Vec<&'all str> {
    let hashes: Vec<(&str, &[u8], [u8; 32])> =
        all.iter().map(|(name, child)| (name.as_str(), child.as_slice(), keccak_256(child))).collect();
    let mut found: Vec<&str> = Vec::new();
    let mut open = vec![code];
    while let Some(code) = open.pop() {
        for (name, child, hash) in &hashes {
            if *child != code && !found.contains(name) && mentions(code, hash) {
                found.push(name);
                open.push(child);
            }
        }
    }
    found
}

/// True if a program contains a hash as a constant. The compiler stores it as 64-bit words, least significant byte
/// first.
fn mentions(code: &[u8], hash: &[u8; 32]) -> bool {
    let (words, _) = hash.as_chunks::<8>();
    words.iter().all(|word| {
        let mut reversed = *word;
        reversed.reverse();
        code.windows(word.len()).any(|window| *window == reversed || window == word)
    })
}

/// Runs the compiler. Its messages are shown; the error for a refusal includes advice.
fn run(source: &Path, command: &mut Command) -> Result<(), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|reason| failed(source, format!("{program} cannot be run: {reason}")))?;
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // The compiler runs on JavaScript, whose backtraces are only useful to its authors.
    for line in said.lines().filter(|line| !line.trim_start().starts_with("at ") && !line.trim().is_empty()) {
        progress!("{}", crate::plain::printable(line));
    }
    if output.status.success() && !said.contains("Error: ") {
        return Ok(());
    }
    let reason = format!("{program} ended with {} (see above)", output.status);
    Err(failed(
        source,
        match advice(&said) {
            Some(advice) => format!("{reason}\n{advice}"),
            None => reason,
        },
    ))
}

/// Returns advice on a refusal of the compiler.
fn advice(said: &str) -> Option<String> {
    const KNOWN: [(&[&str], &str); 6] = [
        (
            &["Package ", "not found"],
            "Install the imported package beside the contract: `npm install PACKAGE`, such as @openzeppelin/contracts.",
        ),
        (
            &["requires different compiler version"],
            "The version of solc comes with resolc: widen the `pragma solidity` line, or install another version of solc \
             beside the contract: `npm install solc@VERSION`.",
        ),
        (
            &["instruction is not supported"],
            "The contract's code is no EVM bytecode, so it can't be read or copied: replace extcodecopy, codecopy and \
             callcode in assembly; delegatecall, and creation with `new`, are there.",
        ),
        (
            &["runtimeCode"],
            "There is no runtime code apart from the contract's blob: use type(C).creationCode, or `new`.",
        ),
        (
            &["File not found"],
            "Name the folder of the imported file with --compiler-arg=--include-path --compiler-arg=FOLDER.",
        ),
        (&["tack too deep"], "Split the function, or keep some of its variables in a struct in memory."),
    ];
    let fits = |(signs, _): &&(&[&str], &str)| signs.iter().all(|sign| said.contains(sign));
    KNOWN.iter().find(fits).map(|(_, advice)| (*advice).to_owned())
}

/// Finds the compiler, with the folder of libraries it was installed in: in the contract's project, or on `PATH`.
fn compiler(folder: &Path) -> Option<(Option<PathBuf>, PathBuf)> {
    for ancestor in folder.ancestors() {
        let modules = ancestor.join("node_modules");
        let compiler = modules.join(".bin/resolc");
        if compiler.is_file() {
            return Some((Some(modules), compiler));
        }
    }
    on_path("resolc").map(|compiler| (None, compiler))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_fails_or_is_missing_is_named() {
        let source = Path::new("x.sol");
        let missing = run(source, &mut Command::new("/nowhere/compiler")).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/compiler"), "{missing}");
        let failing = run(source, &mut Command::new("false")).unwrap_err().to_string();
        assert!(failing.contains("false ended with"), "{failing}");
        assert!(run(source, Command::new("echo").arg("done")).is_ok());
        // It may exit successfully without any output.
        assert!(run(source, Command::new("echo").arg("Error: ParserError: no")).is_err());
    }

    #[test]
    fn a_refusal_comes_with_what_to_do() {
        let said = "Error: Error: Package @openzeppelin/contracts not found.\n    at tryResolveImport (index.js:1:1)";
        assert!(advice(said).unwrap().contains("npm install PACKAGE"));
        let said = "pass error: 61:17 The `EXTCODECOPY` instruction is not supported";
        assert!(advice(said).unwrap().contains("extcodecopy"));
        assert!(advice("ParserError: Source file requires different compiler version").unwrap().contains("pragma"));
        assert_eq!(advice("ParserError: Expected ';'"), None);
    }

    #[test]
    fn created_contracts_are_found_by_their_hash_and_theirs_too() {
        let constant = |code: &[u8]| -> Vec<u8> {
            let hash = keccak_256(code);
            hash.chunks(8).flat_map(|word| word.iter().rev().copied().collect::<Vec<_>>()).collect()
        };
        let leaf = b"leaf".to_vec();
        let middle = [b"middle".as_slice(), &constant(&leaf)].concat();
        let factory = [b"factory".as_slice(), &constant(&middle), b"..."].concat();
        let mut all = BTreeMap::new();
        for (name, code) in [("F_sol_Leaf", &leaf), ("F_sol_Middle", &middle), ("F_sol_Factory", &factory)] {
            all.insert(name.to_owned(), code.clone());
        }
        all.insert("F_sol_Other".into(), b"other".to_vec());
        assert_eq!(children(&factory, &all), ["F_sol_Middle", "F_sol_Leaf"]);
        assert_eq!(children(&leaf, &all), Vec::<&str>::new());
    }
}
