//! Tests of the linker's options and errors.

#![allow(clippy::unwrap_used, reason = "tests")]

use pvm_linker::{Level, LinkError, Options, link};
use pvm_riscv::generate;
use std::sync::Arc;
use vm_core::{
    Outcome,
    blob::Blob,
    interpreter::Instance,
    isa::{Isa, Opcode, Reg},
    program::{Program, ProgramConfig},
};

fn plain() -> Options {
    Options::default()
}

/// Returns the result of `checksum`, which only reads variables.
fn checksum(blob: &[u8]) -> u64 {
    let blob = Blob::parse(blob).unwrap();
    let program = Program::new(&blob, &ProgramConfig::default()).unwrap();
    let entry = program.export(b"checksum").unwrap();
    let mut instance = Instance::new(Arc::new(program));
    instance.set_gas(1_000_000);
    instance.prepare_call(entry, &[]);
    assert_eq!(instance.run(), Outcome::Finished);
    instance.reg(Reg::A0)
}

#[test]
fn the_instruction_set_follows_from_the_file_or_is_asked_for() {
    let (wide, narrow) = (generate(1, true).elf, generate(1, false).elf);
    let isa = |elf: &[u8], isa| {
        let blob = link(elf, &Options { isa, ..plain() })?;
        Ok::<Isa, LinkError>(Blob::parse(&blob).unwrap().isa())
    };
    assert_eq!(isa(&wide, None).unwrap(), Isa::ReviveV1);
    assert_eq!(isa(&narrow, None).unwrap(), Isa::Latest32);
    assert_eq!(isa(&wide, Some(Isa::JamV1)).unwrap(), Isa::JamV1);
    assert!(matches!(isa(&wide, Some(Isa::Latest32)), Err(LinkError::Width { bits: 64, isa: "Latest32" })));
    assert!(matches!(isa(&narrow, Some(Isa::ReviveV1)), Err(LinkError::Width { bits: 32, isa: "ReviveV1" })));
}

#[test]
fn every_level_and_instruction_set_computes_the_same_and_linking_is_repeatable() {
    for seed in 0..8 {
        let elf = generate(seed, true).elf;
        let mut results = Vec::new();
        for isa in [Isa::ReviveV1, Isa::JamV1] {
            for level in [Level::None, Level::Some, Level::Full] {
                let options = Options { isa: Some(isa), level, ..plain() };
                let blob = link(&elf, &options).unwrap();
                assert_eq!(blob, link(&elf, &options).unwrap());
                results.push(checksum(&blob));
            }
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {results:x?}");
    }
}

#[test]
fn stripping_takes_names_away_and_nothing_else() {
    let elf = generate(3, true).elf;
    let (with, without) = (link(&elf, &plain()).unwrap(), link(&elf, &Options { strip: true, ..plain() }).unwrap());
    let (with_blob, without_blob) = (Blob::parse(&with).unwrap(), Blob::parse(&without).unwrap());
    assert!(with.len() > without.len());
    assert_eq!(with_blob.code(), without_blob.code());
    assert!(without_blob.debug_strings().is_empty());
    let export = with_blob.exports().find(|export| export.symbol == b"checksum").unwrap();
    let source = with_blob.source_at(export.code_offset).unwrap().unwrap();
    assert_eq!(source.frames().next().unwrap().function(), Ok(Some("checksum")));
}

#[test]
fn a_dispatch_table_begins_the_code_with_a_jump_for_each_entry() {
    let elf = generate(4, true).elf;
    let names: Vec<Vec<u8>> = vec![b"checksum".to_vec(), b"f1".to_vec(), b"f0".to_vec()];
    let bytes = link(&elf, &Options { dispatch_table: names.clone(), ..plain() }).unwrap();
    let blob = Blob::parse(&bytes).unwrap();
    let first: Vec<_> = blob.code_view().instructions().take(names.len()).collect();
    for (index, (decoded, name)) in first.iter().zip(&names).enumerate() {
        let instruction = decoded.instruction.unwrap();
        let export = blob.exports().find(|export| export.symbol == &name[..]).unwrap();
        assert_eq!(decoded.offset, 5 * index as u32);
        assert_eq!((instruction.opcode, instruction.target), (Opcode::Jump, export.code_offset));
    }
    assert_eq!(checksum(&bytes), checksum(&link(&elf, &plain()).unwrap()));
    let unknown = link(&elf, &Options { dispatch_table: vec![b"nobody".to_vec()], ..plain() });
    assert!(matches!(unknown, Err(LinkError::NoExport { name }) if name == "nobody"));
}

#[test]
fn functions_are_exported_by_name_and_stacks_are_rounded_up() {
    let elf = generate(9, true).elf;
    let options = Options { exports: vec!["f1".into()], ..plain() };
    assert!(matches!(link(&elf, &options), Err(LinkError::DuplicateExport { name }) if name == "f1"));
    let options = Options { exports: vec!["nobody".into()], ..plain() };
    assert!(matches!(link(&elf, &options), Err(LinkError::NoFunction { name }) if name == "nobody"));
    for (asked, given) in [(0, 0), (1, 4096), (8193, 12288)] {
        let blob = link(&elf, &Options { min_stack_size: asked, ..plain() }).unwrap();
        assert_eq!(Blob::parse(&blob).unwrap().memory_config().stack_size, given);
    }
    assert!(matches!(link(&elf, &Options { min_stack_size: u32::MAX, ..plain() }), Err(LinkError::Memory { .. })));
}

#[test]
fn any_selection_of_passes_is_right_and_unknown_ones_are_refused() {
    let elf = generate(6, true).elf;
    let expected = checksum(&link(&elf, &Options { level: Level::None, ..plain() }).unwrap());
    for without in pvm_linker::passes::NAMES {
        let names = pvm_linker::passes::NAMES.iter().filter(|name| *name != without);
        let passes = Some(names.map(|name| (*name).to_owned()).collect());
        assert_eq!(checksum(&link(&elf, &Options { passes, ..plain() }).unwrap()), expected, "without {without}");
        let passes = Some(vec![(*without).to_owned()]);
        assert_eq!(checksum(&link(&elf, &Options { passes, ..plain() }).unwrap()), expected, "only {without}");
    }
    let options = Options { passes: Some(vec!["magic".into()]), ..plain() };
    assert!(matches!(link(&elf, &options), Err(LinkError::UnknownPass { name, .. }) if name == "magic"));
}

#[test]
fn every_pass_is_described() {
    let page = include_str!("../../docs/linking.md");
    for name in pvm_linker::passes::NAMES {
        assert!(page.contains(&format!("| `{name}` |")), "docs/linking.md does not describe the pass {name}");
    }
}

#[test]
fn former_names_of_passes_are_aliases() {
    let elf = generate(6, true).elf;
    for (alias, name) in pvm_linker::passes::ALIASES {
        let blob = |name: &str| link(&elf, &Options { passes: Some(vec![name.to_owned()]), ..plain() }).unwrap();
        assert_eq!(blob(alias), blob(name), "{alias}");
        assert!(!pvm_linker::passes::NAMES.contains(alias), "{alias} is not a former name");
    }
    let former = ["flow", "values", "dead", "traps", "tail", "fold"];
    assert_eq!(pvm_linker::passes::ALIASES.iter().map(|(alias, _)| *alias).collect::<Vec<_>>(), former);
}
