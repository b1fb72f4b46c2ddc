//! Translator from LLVM's BPF assembly, as `scripts/build-bench` writes it, to sbpf's assembly.
//!
//! The two differ in little but syntax. One program is extracted from the file with everything that it refers to; its
//! data is laid out from [`DATA`] on, the non-zero parts first. Anything unknown is an error.

use anyhow::{Context, Result, bail, ensure};
use std::collections::{HashMap, HashSet};

/// Address of the program's data.
pub const DATA: u64 = solana_sbpf::ebpf::MM_INPUT_START;

/// Entry code in front of the program. With 0 in `r1` it calls `initialize`; with 1 it calls `run` as many times as
/// `r2` says.
const ENTRY: [&str; 8] = [
    "mov64 r6, r2",
    "jeq r1, 1, 2",
    "call function_INITIALIZE",
    "exit",
    "call function_RUN",
    "sub64 r6, 1",
    "jne r6, 0, -3",
    "exit",
];

/// A translated program.
pub struct Translated {
    /// Text for sbpf's assembler.
    pub text: String,
    /// Initial data, up to the last non-zero part.
    pub data: Vec<u8>,
    /// Bytes of all data.
    pub data_length: usize,
}

/// Extracts and translates the program with this name.
///
/// # Errors
/// If it is not there, or contains unknown syntax.
pub fn translate(assembly: &str, program: &str) -> Result<Translated> {
    let symbols = symbols(assembly);
    let (initialize, run) = (format!("{program}_initialize"), format!("{program}_run"));
    let wanted = reachable(&symbols, [initialize.as_str(), run.as_str()])?;
    let (mut functions, mut data): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|name| symbols[name].iter().any(|line| !line.starts_with('.')));
    functions.sort_unstable();
    data.sort_unstable_by_key(|name| (is_zero(&symbols[name]), *name));

    let mut text = String::from("entrypoint:\n");
    for line in ENTRY {
        text += &line.replace("INITIALIZE", &initialize).replace("RUN", &run);
        text.push('\n');
    }
    let mut addresses = HashMap::new();
    let mut slots = ENTRY.len();
    for name in &functions {
        addresses.insert(*name, solana_sbpf::ebpf::MM_BYTECODE_START + slots as u64 * 8);
        let instructions = symbols[name].iter().filter(|line| !line.ends_with(':'));
        slots += instructions.map(|line| if line.ends_with(" ll") { 2 } else { 1 }).sum::<usize>();
    }
    let mut data_length = 0;
    for name in &data {
        addresses.insert(*name, DATA + data_length as u64);
        for line in &symbols[name] {
            data_length += datum(line, &HashMap::new())?.len();
        }
        data_length = data_length.next_multiple_of(16);
    }

    for name in &functions {
        text += &format!("{}:\n", function(name));
        for line in &symbols[name] {
            text += &instruction(line, &addresses).with_context(|| format!("in {name}: {line}"))?;
            text.push('\n');
        }
    }
    let mut bytes = Vec::new();
    for name in data.iter().filter(|name| !is_zero(&symbols[*name])) {
        for line in &symbols[name] {
            bytes.extend(datum(line, &addresses)?);
        }
        bytes.resize(bytes.len().next_multiple_of(16), 0);
    }
    Ok(Translated { text, data: bytes, data_length })
}

/// Returns all symbols, with their significant lines.
fn symbols(assembly: &str) -> HashMap<&str, Vec<&str>> {
    const OF_NO_INTEREST: [&str; 7] = [".file", ".globl", ".p2align", ".section", ".size", ".text", ".type"];
    let mut symbols: HashMap<_, Vec<_>> = HashMap::new();
    let mut current = "";
    for line in assembly.lines().map(str::trim) {
        let word = line.split_whitespace().next().unwrap_or("");
        if word.is_empty() || word.starts_with('#') || word.starts_with(".Lfunc_end") || OF_NO_INTEREST.contains(&word)
        {
            continue;
        }
        match line.strip_suffix(':') {
            Some(name) if !name.starts_with("LBB") => current = name,
            _ => symbols.entry(current).or_default().push(line),
        }
    }
    symbols
}

/// Returns the symbol that a line refers to.
fn reference(line: &str) -> Option<&str> {
    let name = line.strip_prefix("call ").or_else(|| line.strip_prefix(".quad"));
    let name = name.or_else(|| line.strip_suffix(" ll").and_then(|line| line.split(" = ").nth(1)))?.trim();
    name.starts_with(|first: char| !first.is_ascii_digit() && first != '-').then_some(name)
}

fn reachable<'a>(
    symbols: &HashMap<&'a str, Vec<&'a str>>,
    roots: impl IntoIterator<Item = &'a str>,
) -> Result<HashSet<&'a str>> {
    let mut open: Vec<&str> = roots.into_iter().collect();
    let mut found = HashSet::new();
    while let Some(name) = open.pop() {
        let (name, lines) = symbols.get_key_value(name).with_context(|| format!("{name} is not in the assembly"))?;
        if found.insert(*name) {
            open.extend(lines.iter().filter_map(|line| reference(line)));
        }
    }
    Ok(found)
}

fn is_zero(lines: &[&str]) -> bool {
    lines.iter().all(|line| line.starts_with(".zero"))
}

/// Encodes a data directive. References to symbols without an address are zero.
fn datum(line: &str, addresses: &HashMap<&str, u64>) -> Result<Vec<u8>> {
    let (directive, value) = line.split_once(char::is_whitespace).context("a directive without a value")?;
    let number = || value.parse::<i128>().with_context(|| format!("not a number: {line}"));
    Ok(match directive {
        ".zero" => vec![0; value.parse()?],
        ".byte" => (number()? as u8).to_le_bytes().into(),
        ".short" => (number()? as u16).to_le_bytes().into(),
        ".long" => (number()? as u32).to_le_bytes().into(),
        ".quad" if reference(line).is_some() => addresses.get(value).copied().unwrap_or(0).to_le_bytes().into(),
        ".quad" => (number()? as u64).to_le_bytes().into(),
        ".ascii" => string(value)?,
        ".asciz" => string(value)?.into_iter().chain([0]).collect(),
        _ => bail!("not a known directive: {line}"),
    })
}

/// Decodes a quoted string.
fn string(quoted: &str) -> Result<Vec<u8>> {
    let text = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).context("a string without quotes")?;
    let mut bytes = text.bytes().peekable();
    let mut result = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            result.push(byte);
            continue;
        }
        let mut octal = 0_u32;
        let mut digits = 0;
        while let (true, Some(digit)) = (digits < 3, bytes.next_if(|byte| (b'0'..b'8').contains(byte))) {
            octal = octal * 8 + u32::from(digit - b'0');
            digits += 1;
        }
        result.push(match (digits, if digits > 0 { None } else { bytes.next() }) {
            (1.., _) => octal as u8,
            (_, Some(b'n')) => b'\n',
            (_, Some(b't')) => b'\t',
            (_, Some(b'r')) => b'\r',
            (_, Some(b'b')) => 8,
            (_, Some(b'f')) => 12,
            (_, Some(byte @ (b'"' | b'\\'))) => byte,
            (_, other) => bail!("not a known escape: {other:?}"),
        });
    }
    Ok(result)
}

/// Converts a function's name to a label.
fn function(name: &str) -> String {
    format!("function_{}", name.replace(['.', '$'], "_"))
}

/// Translates an instruction, or a label in a function.
fn instruction(line: &str, addresses: &HashMap<&str, u64>) -> Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let size = |text: &str| -> Result<&str> {
        Ok(match text {
            "*(u8" => "b",
            "*(u16" => "h",
            "*(u32" => "w",
            "*(u64" => "dw",
            _ => bail!("not a known size"),
        })
    };
    let place = |register: &str, sign: &str, offset: &str| -> String {
        format!("[{}{sign}{}]", register.trim_start_matches("*)("), offset.trim_end_matches(')'))
    };
    let is_register = |text: &str| text.starts_with('r');
    Ok(match words[..] {
        [label] if label.ends_with(':') => label.to_owned(),
        ["exit"] => "exit".to_owned(),
        ["goto", label] => format!("ja {label}"),
        ["call", name] => format!("call {}", function(name)),
        ["callx", register] => format!("callx {register}"),
        ["if", left, comparison, right, "goto", label] => {
            let mnemonic = match comparison {
                "==" => "jeq",
                "!=" => "jne",
                ">" => "jgt",
                ">=" => "jge",
                "<" => "jlt",
                "<=" => "jle",
                "&" => "jset",
                "s>" => "jsgt",
                "s>=" => "jsge",
                "s<" => "jslt",
                "s<=" => "jsle",
                _ => bail!("not a known comparison"),
            };
            format!("{mnemonic} {left}, {right}, {label}")
        }
        [to, "=", value, "ll"] => match addresses.get(value) {
            Some(address) => format!("lddw {to}, {address:#x}"),
            None => format!("lddw {to}, {:#x}", value.parse::<i128>()? as u64),
        },
        [width, register, sign, offset, "=", value] => {
            let (size, place) = (size(width)?, place(register, sign, offset));
            format!("{}{size} {place}, {value}", if is_register(value) { "stx" } else { "st" })
        }
        [to, "=", width, register, sign, offset] => {
            format!("ldx{} {to}, {}", size(width)?, place(register, sign, offset))
        }
        [to, "=", swap @ ("be16" | "be32" | "be64"), from] => {
            ensure!(to == from, "another register");
            format!("{swap} {to}")
        }
        [to, "=", value] if value.strip_prefix('-').is_some_and(is_register) => {
            ensure!(value.ends_with(to), "another register");
            format!("neg64 {to}")
        }
        [to, operation, value] => {
            let mnemonic = match operation {
                "=" => "mov64",
                "+=" => "add64",
                "-=" => "sub64",
                "*=" => "mul64",
                "/=" => "div64",
                "%=" => "mod64",
                "|=" => "or64",
                "&=" => "and64",
                "^=" => "xor64",
                "<<=" => "lsh64",
                ">>=" => "rsh64",
                "s>>=" => "arsh64",
                _ => bail!("not a known operation"),
            };
            format!("{mnemonic} {to}, {value}")
        }
        _ => bail!("not a known instruction"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(line: &str) -> Option<String> {
        instruction(line, &HashMap::from([("buffer", 0x4_0000_0010)])).ok()
    }

    #[test]
    fn instructions_are_written_as_sbpf_writes_them() {
        for (theirs, ours) in [
            ("r1 s>>= 32", "arsh64 r1, 32"),
            ("r2 = -r2", "neg64 r2"),
            ("r2 = -2", "mov64 r2, -2"),
            ("r3 = buffer ll", "lddw r3, 0x400000010"),
            ("r3 = -1 ll", "lddw r3, 0xffffffffffffffff"),
            ("*(u64 *)(r10 - 8) = r7", "stxdw [r10-8], r7"),
            ("*(u8 *)(r1 + 0) = 1", "stb [r1+0], 1"),
            ("r1 = *(u32 *)(r2 + 4)", "ldxw r1, [r2+4]"),
            ("if r1 s> r2 goto LBB0_1", "jsgt r1, r2, LBB0_1"),
            ("r4 = be32 r4", "be32 r4"),
        ] {
            assert_eq!(translated(theirs).as_deref(), Some(ours), "{theirs}");
        }
        assert_eq!(translated("r4 = be32 r5"), None, "it has no such instruction");
        assert_eq!(translated("w1 = w2 ll"), None, "not a known symbol");
    }

    #[test]
    fn data_behind_pointers_is_found_and_laid_out_with_zeros_last() {
        let assembly = "
            p_initialize:
                exit
            p_run:
                r1 = zeros ll
                r2 = table ll
                exit
            zeros:
                .zero 20
            table:
                .quad p_run
                .ascii \"a\\000\\n\\\"\"
            unused:
                .nonsense
        ";
        let program = translate(assembly, "p").unwrap();
        let run = solana_sbpf::ebpf::MM_BYTECODE_START + (ENTRY.len() as u64 + 1) * 8;
        assert_eq!(program.data[..8], run.to_le_bytes());
        assert_eq!(program.data[8..], *b"a\0\n\"\0\0\0\0");
        assert_eq!(program.data_length, 48);
        assert!(program.text.contains("lddw r1, 0x400000010\nlddw r2, 0x400000000\n"), "{}", program.text);
    }
}
