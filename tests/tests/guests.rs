//! Tests of the SDK's example guests and the C guests, built by `scripts/build-examples`.

#![allow(clippy::unwrap_used, reason = "tests")]

use anyhow::{Context as _, Result, ensure};
use integration_tests::paths::{c_guest, example_guest};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use vm_core::{
    Outcome,
    blob::Blob,
    interpreter::Instance,
    isa::Reg,
    program::{Program, ProgramConfig},
};

fn instance(path: &Path) -> Result<Instance> {
    let bytes = fs::read(path)?;
    let blob = Blob::parse(&bytes)?;
    Ok(Instance::new(Arc::new(Program::new(&blob, &ProgramConfig::default())?)))
}

/// Calls an export; `host` answers host calls.
fn call(
    instance: &mut Instance,
    export: &str,
    arguments: &[u64],
    mut host: impl FnMut(&str, &mut Instance),
) -> Result<u64> {
    let entry = instance.program().export(export.as_bytes()).context("no such export")?;
    instance.set_gas(10_000_000);
    instance.prepare_call(entry, arguments);
    loop {
        match instance.run() {
            Outcome::Finished => return Ok(instance.reg(Reg::A0)),
            Outcome::HostCall(number) => {
                let name = String::from_utf8(instance.program().import(number).context("no import")?.to_vec())?;
                host(&name, instance);
            }
            other => anyhow::bail!("{export} ended with {other:?}"),
        }
    }
}

fn alone(_: &str, _: &mut Instance) {
    panic!("the host is not asked");
}

#[test]
fn nine_arguments_arrive_in_order_on_both_widths() -> Result<()> {
    let digits: Vec<u64> = (1..=9).collect();
    for name in ["args", "args32"] {
        let mut guest = instance(&example_guest(name)?)?;
        assert_eq!(call(&mut guest, "places", &digits, alone)?, 123_456_789);
        let mut seen = Vec::new();
        let answer = call(&mut guest, "ask", &[10], |name, guest| {
            assert_eq!(name, "mix9");
            seen = Reg::ARGS.iter().map(|reg| guest.reg(*reg)).collect();
            guest.set_reg(Reg::A0, 77);
            guest.set_reg(Reg::A1, 0);
        })?;
        assert_eq!(seen, (10..19).collect::<Vec<u64>>());
        assert_eq!(answer, 77);
    }
    Ok(())
}

#[test]
fn numbers_of_64_bits_signs_and_truth_values_arrive() -> Result<()> {
    let minus = |value: i64| value as u64;
    let mut wide = instance(&example_guest("args")?)?;
    for (negate, expected) in [(0, -3), (1, 3)] {
        assert_eq!(call(&mut wide, "blend", &[5, minus(-7), minus(-1), negate], alone)?, minus(expected));
    }
    // Bits of an argument above the 32nd are ignored.
    assert_eq!(call(&mut wide, "blend", &[5, minus(-7), 0xdead_ffff_ffff, 2], alone)?, minus(-3));
    let mut narrow = instance(&example_guest("args32")?)?;
    let halves = |value: i64| [value as u64 & 0xffff_ffff, (value as u64) >> 32];
    let arguments = [halves(5), halves(-7), [minus(-1) & 0xffff_ffff, 1]].concat();
    assert_eq!(call(&mut narrow, "blend", &arguments, alone)?, 3);
    assert_eq!(narrow.reg(Reg::A1), 0);
    Ok(())
}

#[test]
fn statics_and_the_heap_work_and_texts_reach_the_host() -> Result<()> {
    let mut guest = instance(&example_guest("counter")?)?;
    assert_eq!(call(&mut guest, "add", &[5], alone)?, 5);
    assert_eq!(call(&mut guest, "add", &[7], alone)?, 12);
    let mut told = String::new();
    let answer = call(&mut guest, "tell_squares", &[6], |name, guest| {
        assert_eq!(name, "tell");
        let mut text = vec![0; guest.reg(Reg::A1) as usize];
        guest.read_memory(guest.reg(Reg::A0) as u32, &mut text).unwrap();
        told = String::from_utf8(text).unwrap();
        guest.set_reg(Reg::A0, 9);
    })?;
    assert_eq!((told.as_str(), answer), ("0 1 4 9 16 25 ", 9));
    Ok(())
}

#[test]
fn the_stack_is_as_large_as_the_guest_asks() -> Result<()> {
    let bytes = fs::read(example_guest("counter")?)?;
    ensure!(Blob::parse(&bytes)?.memory_config().stack_size == 16 * 1024);
    Ok(())
}

/// Returns the path of a guest in C; prints a notice if there is no clang to build it.
fn built_c_guest(name: &str) -> Option<PathBuf> {
    let path = c_guest(name);
    if path.is_none() {
        eprintln!("skipped: there is no clang, so {name} is not built");
    }
    path
}

/// Has a guest check its memory functions for each length.
fn check_memory_functions(path: &Path) -> Result<()> {
    let mut guest = instance(path)?;
    for export in ["copies", "moves", "fills", "comparisons", "strings"] {
        for length in 0..=200 {
            assert_eq!(call(&mut guest, export, &[length], alone)?, 0, "{} {export} {length}", path.display());
        }
    }
    Ok(())
}

#[test]
fn memory_functions_of_the_sdk_do_what_c_says_on_both_widths() -> Result<()> {
    for name in ["memory_check", "memory_check32"] {
        check_memory_functions(&example_guest(name)?)?;
    }
    Ok(())
}

#[test]
fn memory_functions_of_guests_in_c_do_what_c_says_on_both_widths() -> Result<()> {
    for name in ["memory64", "memory32"] {
        if let Some(path) = built_c_guest(name) {
            check_memory_functions(&path)?;
        }
    }
    Ok(())
}

#[test]
fn guests_in_c_compute_what_they_should() -> Result<()> {
    for name in ["fibonacci64", "fibonacci32", "linked64"] {
        let Some(path) = built_c_guest(name) else { continue };
        let mut guest = instance(&path)?;
        for (export, arguments, expected) in [
            ("by_loop", &[10][..], 55),
            ("by_recursion", &[10], 55),
            ("by_table", &[30], 832_040),
            ("by", &[0, 20], 6765),
            ("by", &[1, 10], 1055),
            ("by", &[2, 10], 2055),
            ("by", &[3, 10], 30),
            ("by", &[8, 10], 55),
            ("by", &[9, 10], 0),
        ] {
            assert_eq!(call(&mut guest, export, arguments, alone)?, expected, "{name} {export}");
        }
        assert!(call(&mut guest, "by_table", &[48], alone).is_err(), "{name}: outside of the table");
    }
    Ok(())
}

#[test]
fn guests_in_c_ask_the_host() -> Result<()> {
    for name in ["sum64", "sum32", "linked64"] {
        let Some(path) = built_c_guest(name) else { continue };
        let numbers = [3u64, 5, 8, 13];
        let total = call(&mut instance(&path)?, "sum", &[], |name, guest| {
            let answer = match name {
                "length" => numbers.len() as u64,
                _ => numbers[guest.reg(Reg::A0) as usize],
            };
            guest.set_reg(Reg::A0, answer);
        })?;
        assert_eq!(total, 29, "{name}");
    }
    Ok(())
}
