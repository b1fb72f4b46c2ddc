//! Tests of global value numbering on small programs.

use super::{compact, run};
use crate::ir::parse::check;

/// Checks one block, whose terminator is a return.
fn block(before: &str, after: &str) {
    check(run, &format!("b0:\n{before}\njump [ra]"), &format!("b0:\n{after}\njump [ra]"));
}

#[test]
fn constants_are_computed() {
    block(
        "a0 = 0x12345000
         a0 = add_32 a0, 0x678
         a1 = shift_logical_left_64 a0, 4
         a2 = div_unsigned_64 a1, 0",
        "a0 = 0x12345000
         a0 = 0x12345678
         a1 = 0x123456780
         a2 = -1",
    );
}

#[test]
fn halves_of_addresses_stay_what_they_are_and_whole_ones_move_into_loads() {
    block(
        "a1 = @2+8
         a0 = load_indirect_u32 [a1 + 4]",
        "a1 = @2+8
         a0 = load_indirect_u32 [@2+12]",
    );
}

#[test]
fn constants_are_read_when_linking_and_variables_are_not() {
    block("a0 = load_indirect_u32 [@1+4]", "a0 = 0x7060504");
    block("a0 = load_indirect_i8 [@2+4]", "a0 = load_indirect_i8 [@2+4]");
    // At the end of the section the load traps.
    block("a0 = load_indirect_u32 [@1+62]", "a0 = load_indirect_u32 [@1+62]");
}

#[test]
fn copies_are_read_from_where_they_come_from() {
    block(
        "t0 = a1
         a0 = add_64 t0, a2",
        "t0 = a1
         a0 = add_64 a1, a2",
    );
}

#[test]
fn the_same_is_not_computed_twice() {
    block(
        "t0 = mul_64 a1, a2
         a3 = mul_64 a2, a1
         a0 = add_64 a3, t0",
        "t0 = mul_64 a1, a2
         a3 = t0
         a0 = add_64 t0, t0",
    );
}

#[test]
fn additions_move_into_the_offset_if_nothing_else_needs_them() {
    block(
        "t0 = add_64 a1, 16
         a0 = load_indirect_u64 [t0 + 8]
         t0 = 0",
        "t0 = add_64 a1, 16
         a0 = load_indirect_u64 [a1 + 24]
         t0 = 0",
    );
}

#[test]
fn an_index_needs_no_extension_in_an_address_of_32_bits() {
    block(
        "t0 = shift_logical_left_64 a1, 32
         t0 = shift_logical_right_64 t0, 30
         t0 = add_64 t0, a2
         a0 = load_indirect_u32 [t0]
         t0 = 0",
        "t0 = shift_logical_left_64 a1, 32
         t0 = shift_logical_left_64 a1, 2
         t0 = add_64 t0, a2
         a0 = load_indirect_u32 [t0]
         t0 = 0",
    );
}

#[test]
fn what_was_stored_is_known_until_something_else_may_be_there() {
    block(
        "store_indirect_u64 [sp + 8] = a1
         a0 = load_indirect_u64 [sp + 8]
         store_indirect_u64 [@2+0] = a0
         a3 = load_indirect_u64 [sp + 8]
         store_indirect_u8 [a2] = a0
         a4 = load_indirect_u64 [sp + 8]",
        "store_indirect_u64 [sp + 8] = a1
         a0 = a1
         store_indirect_u64 [@2+0] = a1
         a3 = a1
         store_indirect_u8 [a2] = a1
         a4 = load_indirect_u64 [sp + 8]",
    );
}

#[test]
fn the_host_may_change_memory_and_what_a_call_may() {
    block(
        "a2 = 1
         s0 = 2
         store_indirect_u64 [sp] = a1
         host_call 0
         a3 = load_indirect_u64 [sp]
         a4 = add_64 a2, s0",
        "a2 = 1
         s0 = 2
         store_indirect_u64 [sp] = a1
         host_call 0
         a3 = load_indirect_u64 [sp]
         a4 = add_64 a2, 2",
    );
}

#[test]
fn branches_compare_what_was_compared_for_them() {
    check(
        run,
        "b0:
         t0 = set_less_than_unsigned a0, a1
         t0 = xor t0, 1
         branch_eq t0, 0 to b1 else b2
         b1:
         trap
         b2:
         jump [ra]",
        "b0:
         t0 = set_less_than_unsigned a0, a1
         t0 = xor t0, 1
         branch_less_unsigned a0, a1 to b1 else b2
         b1:
         trap
         b2:
         jump [ra]",
    );
}

#[test]
fn behind_a_branch_its_condition_is_known() {
    check(
        run,
        "b0:
         branch_not_eq a0, 0 to b1 else b2
         b1:
         branch_not_eq a0, 0 to b3 else b4
         b2:
         a0 = 0
         jump [ra]
         b3:
         jump [ra]
         b4:
         trap",
        "b0:
         branch_not_eq a0, 0 to b1 else b2
         b1:
         jump b3
         b2:
         jump [ra]
         b3:
         jump [ra]",
    );
}

#[test]
fn a_pointer_that_is_known_is_called_directly() {
    check(
        run,
        "b0:
         a5 = &b2
         call [a5] back to b1 by ra
         b1:
         trap
         b2:
         jump [ra]",
        "b0:
         a5 = &b2
         call b2 back to b1 by ra
         b1:
         trap
         b2:
         jump [ra]",
    );
}

#[test]
fn conditional_moves_look_through_what_turns_them_round() {
    block(
        "t0 = set_less_than_unsigned a1, 1
         a0 = 5 if t0 != 0",
        "t0 = set_less_than_unsigned a1, 1
         a0 = 5 if a1 == 0",
    );
}

#[test]
fn at_last_a_register_that_holds_a_constant_is_shorter() {
    check(
        compact,
        "b0:
         a0 = 0x12345678
         a1 = 0x12345678
         a2 = 0x12345680
         a3 = and a3, 0x12345678
         jump [ra]",
        "b0:
         a0 = 0x12345678
         a1 = a0
         a2 = add_64 a0, 8
         a3 = and a3, a0
         jump [ra]",
    );
}
