//! Tests of the calling-convention check: which functions of small programs are regular.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::ir::parse::program;

/// No block.
const NONE: [u32; 0] = [];

/// Returns the blocks that are marked as irregular. `functions` gives the function of each block.
fn irregular(text: &str, functions: &[Option<(u32, bool)>]) -> Vec<u32> {
    let lifted = Lifted { program: program(text), functions: functions.to_vec(), variants: Vec::new() };
    let program = mark(lifted).unwrap();
    program.ids().filter(|id| program.block(*id).role.is_irregular).map(|id| id.0).collect()
}

fn refused(text: &str) -> &'static str {
    let lifted = Lifted { program: program(text), functions: Vec::new(), variants: Vec::new() };
    mark(lifted).unwrap_err().1
}

#[test]
fn ordinary_functions_are_regular() {
    let text = "b0:
        sp = add_64 sp, -32
        store_indirect_u64 [sp + 24] = ra
        store_indirect_u64 [sp + 16] = s0
        s0 = add_64 sp, 32
        a1 = sp
        call b2 back to b1 by ra
        b1:
        sp = add_64 s0, -32
        ra = load_indirect_u64 [sp + 24]
        s0 = load_indirect_u64 [sp + 16]
        sp = add_64 sp, 32
        jump [ra]
        b2:
        branch_eq a0, 0 to b3 else b4
        b3:
        jump [ra]
        b4:
        jump b2";
    assert_eq!(irregular(text, &[]), NONE);
}

#[test]
fn frames_of_any_size_and_dynamic_allocation_are_regular() {
    let large = "b0:
        t0 = 0x2000
        t0 = add_64 t0, -16
        sp = sub_64 sp, t0
        store_indirect_u64 [sp] = ra
        store_indirect_u64 [sp + 8] = s0
        s0 = sp
        sp = sub_64 sp, a0
        sp = and sp, -64
        call b2 back to b1 by ra
        b1:
        sp = s0
        ra = load_indirect_u64 [sp]
        s0 = load_indirect_u64 [sp + 8]
        t1 = 0x2000
        sp = add_64 sp, t1
        sp = add_64 sp, -16
        jump [ra]
        b2:
        jump [ra]";
    assert_eq!(irregular(large, &[]), NONE);
}

#[test]
fn functions_that_do_not_return_to_their_caller_are_irregular_and_so_is_what_they_reach() {
    // b0 calls a context switch, which continues from its last block in another function.
    let text = |switch: &str| {
        format!(
            "b0:
             sp = add_64 sp, -16
             store_indirect_u64 [sp] = ra
             call b2 back to b1 by ra
             b1:
             ra = load_indirect_u64 [sp]
             sp = add_64 sp, 16
             jump [ra]
             b2:
             {switch}
             jump b3
             b3:
             jump [ra]"
        )
    };
    for (switch, found) in [
        ("ra = load_indirect_u64 [a1]", true),
        ("sp = load_indirect_u64 [a1]", true),
        ("s0 = load_indirect_u64 [a1]", true),
        ("s1 = 5", true),
        ("store_indirect_u64 [a0] = ra", true),
        ("store_indirect_u64 [a0] = s0", true),
        ("a0 = ra", true),
        ("a0 = add_64 s1, 1", true),
        ("a0 = load_indirect_u64 [s1]", true),
        ("sp = add_64 sp, 8", true),
        ("store_indirect_u64 [sp + -8] = s0\ns0 = 1\ns0 = load_indirect_u64 [sp + -8]", false),
        ("store_indirect_u64 [sp + -8] = s0\ns0 = 1\ns0 = load_indirect_u32 [sp + -8]", true),
        ("store_indirect_u64 [sp + -8] = s0\nstore_indirect_u8 [sp + -2] = a0\ns0 = load_indirect_u64 [sp + -8]", true),
        ("t0 = ra\nra = 5\nra = t0", false),
        ("store_indirect_u64 [a0] = sp", false),
    ] {
        assert_eq!(irregular(&text(switch), &[]), if found { vec![2, 3] } else { vec![] }, "{switch}");
    }
}

#[test]
fn subroutines_with_another_link_register_are_part_of_their_callers() {
    let text = |subroutine: &str| {
        format!(
            "b0:
             call b2 back to b1 by t0
             b1:
             ra = load_indirect_u64 [sp + 8]
             sp = add_64 sp, 16
             jump [ra]
             b2:
             sp = add_64 sp, -16
             store_indirect_u64 [sp + 8] = ra
             {subroutine}"
        )
    };
    assert_eq!(irregular(&text("jump [t0]"), &[]), NONE);
    assert_eq!(irregular(&text("jump [ra]"), &[]), [0, 1, 2]);
}

#[test]
fn labels_are_told_from_functions_by_the_sizes_of_symbols() {
    let text = "b0:
        sp = add_64 sp, -16
        store_indirect_u64 [sp + 8] = ra
        a1 = &b1
        jump b1
        b1:
        branch_eq a0, 0 to b2 else b3
        b2:
        jump [a1]
        b3:
        ra = load_indirect_u64 [sp + 8]
        sp = add_64 sp, 16
        jump [ra]";
    let inside = [Some((0, true)), Some((0, false)), Some((0, false)), Some((0, false))];
    assert_eq!(irregular(text, &inside), NONE);
    // Without them the label may be a function, which begins with an unknown frame.
    assert_eq!(irregular(text, &[]), [0, 1, 2, 3]);
}

#[test]
fn what_a_call_that_does_not_return_runs_into_is_another_function() {
    let text = "b0:
        sp = add_64 sp, -16
        store_indirect_u64 [sp + 8] = ra
        call b2 back to b1 by ra
        b1:
        jump [ra]
        b2:
        jump b2
        b3:
        call b1 back to b2 by ra";
    assert_eq!(irregular(text, &[Some((0, true)), Some((1, true)), Some((2, true)), Some((3, true))]), NONE);
}

#[test]
fn jumps_to_computed_addresses_and_reading_code_are_refused() {
    let jump = |by: &str| format!("b0:\na1 = &b1\na2 = {by}\na1 = add_64 a1, a2\njump [a1]\nb1:\njump [ra]");
    assert!(refused(&jump("load_indirect_i32 [a0]")).contains("distance in bytes"));
    assert!(refused(&jump("8")).contains("distance in bytes"));
    assert!(refused("b0:\na1 = &b1\na0 = load_indirect_u64 [a1]\njump [ra]\nb1:\njump [ra]").contains("code is read"));
    // A distance computed at run time is one of the VM's addresses.
    let own =
        "b0:\na1 = &b1\na2 = &b2\na3 = sub_64 a2, a1\na1 = add_64 a1, a3\njump [a1]\nb1:\njump [ra]\nb2:\njump [ra]";
    assert_eq!(irregular(own, &[]), NONE);
}
