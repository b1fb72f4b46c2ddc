//! The specification's instruction tables are printed from the one instruction table, so that the text cannot differ from
//! the code. `UPDATE_SPECIFICATION=1 cargo test -p vm-core --test specification` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{fmt::Write as _, fs, path::Path};
use vm_core::isa::{Format, TABLE};

const FORMATS: &[(Format, &str)] = &[
    (Format::None, "no operands (N)"),
    (Format::Imm, "an immediate (I)"),
    (Format::Offset, "a target (O)"),
    (Format::ImmImm, "two immediates (II)"),
    (Format::RegImm, "a register, an immediate (RI)"),
    (Format::RegImm64, "a register, a 64-bit immediate (RX)"),
    (Format::RegImmImm, "a register, two immediates (RII)"),
    (Format::RegImmOffset, "a register, an immediate, a target (RIO)"),
    (Format::RegReg, "two registers (RR)"),
    (Format::RegRegImm, "two registers, an immediate (RRI)"),
    (Format::RegRegOffset, "two registers, a target (RRO)"),
    (Format::RegRegReg, "three registers (RRR)"),
    (Format::RegRegImmImm, "two registers, two immediates (RRII)"),
];

fn tables() -> String {
    let mut text = String::from(
        "# Instructions\n\n\
        <!-- Printed from vm-core/src/isa/table.rs by vm-core/tests/specification.rs. Do not edit. -->\n\n\
        [Encoding](encoding.md#forms) defines how operands are decoded, and `r1 r2 r3 imm imm2 target` for each form.\n\
        Immediates are sign-extended to the register width. `(32)`: the low 32 bits are computed and sign-extended. `_s`, `_u`:\n\
        signed, unsigned. Addresses and arguments of `djump` are taken modulo 2^32. All arithmetic wraps. A dash: the instruction\n\
        set does not have it, and the number acts as a trap.\n\n\
        Vectors: for each instruction the file of its name in `tests/vectors`, such as `add_imm_32.txt`.\n",
    );
    for (format, title) in FORMATS {
        let rows: Vec<_> = TABLE.iter().filter(|spec| spec.format == *format).collect();
        assert!(!rows.is_empty(), "{format:?}");
        write!(text, "\n## Form: {title}\n\n").unwrap();
        text.push_str(
            "| mnemonic | ReviveV1 | Latest32 | JamV1 | ends its block | meaning |\n|---|---|---|---|---|---|\n",
        );
        for spec in rows {
            let [revive, latest, jam] =
                spec.numbers.map(|number| number.map_or("–".into(), |number| number.to_string()));
            let ends = match (spec.ends_block, spec.can_fall_through) {
                (false, _) => "",
                (true, true) => "yes",
                (true, false) => "yes, for good",
            };
            let meaning = spec.semantics.replace('|', "&#124;");
            writeln!(text, "| `{}` | {revive} | {latest} | {jam} | {ends} | {meaning} |", spec.mnemonic).unwrap();
        }
    }
    text
}

#[test]
fn the_instruction_tables_of_the_specification_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec/instructions.md");
    if std::env::var_os("UPDATE_SPECIFICATION").is_some() {
        fs::write(&path, tables()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == tables(), "docs/spec/instructions.md is old: run this test with UPDATE_SPECIFICATION=1");
}

#[test]
fn every_instruction_is_in_a_table() {
    let text = tables();
    for spec in TABLE {
        assert!(text.contains(&format!("| `{}` |", spec.mnemonic)), "{}", spec.mnemonic);
    }
}
