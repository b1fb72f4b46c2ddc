//! Drafts for loads and stores: every edge of every region, each class of fault, unaligned addresses and addresses that wrap.

use super::case;
use vm_core::isa::{Format, InstructionSpec, Opcode};

/// Memory contents: read-only data of a page at 0x10000, read-write data of two at 0x30000, a stack of one below
/// 0xfffe0000.
const MEMORY: &str =
    "    .ro_size 0x1000\n    .ro_data f1 e2 d3 c4 b5 a6 97 88 77\n    .rw_size 0x2000\n    .stack_size 0x1000\n";

/// True for loads and stores.
pub fn applies(spec: &InstructionSpec) -> bool {
    let name = spec.mnemonic;
    name.starts_with("store_") || (name.starts_with("load_") && width(name) > 0 && spec.opcode != Opcode::LoadImm)
}

/// Number of bytes accessed.
fn width(name: &str) -> u32 {
    match name.rsplit('_').next() {
        Some("u8" | "i8") => 1,
        Some("u16" | "i16") => 2,
        Some("u32" | "i32") => 4,
        Some("u64") => 8,
        _ => 0,
    }
}

/// Formats a number as in a program.
fn hex(number: i32) -> String {
    format!("{}{:#x}", if number < 0 { "-" } else { "" }, number.unsigned_abs())
}

/// Returns addresses with a description of each.
fn addresses(n: u32) -> Vec<(u32, &'static str)> {
    let mut list = vec![
        (0, "the null guard"),
        (0xffff, "the last byte below read-only data"),
        (0x1_0000, "read-only data"),
        (0x1_1000 - n, "the last of read-only data"),
        (0x1_1000, "behind read-only data"),
        (0x2_ffff, "the byte below read-write data"),
        (0x3_0000, "read-write data"),
        (0x3_0001, "unaligned"),
        (0x3_0003, "unaligned"),
        (0x3_0007, "unaligned"),
        (0x3_1000 - n, "the last of a page"),
        (0x3_2000 - n, "the last of read-write data"),
        (0x3_2000, "behind the heap"),
        (0xfffd_efff, "the byte below the stack"),
        (0xfffd_f000, "the lowest of the stack"),
        (0xfffe_0000 - n, "the last of the stack"),
        (0xfffe_0000, "behind the stack"),
        (0xffff_0000, "the top guard"),
        (0xffff_ffff, "the last byte of all"),
    ];
    if n > 1 {
        list.extend([
            (0x1_1001 - n, "across the end of read-only data"),
            (0x3_0fff, "across two pages"),
            (0x3_2001 - n, "across the end of read-write data"),
            (0xfffe_0001 - n, "across the end of the stack"),
            (0u32.wrapping_sub(n - 1), "across the end of the address space"),
        ]);
    }
    list
}

/// Returns the cases for one register width.
pub fn draft(spec: &InstructionSpec, wide: bool) -> String {
    let name = spec.mnemonic;
    let n = width(name);
    let value = if wide { 0xf1e2_d3c4_b5a6_9788_u64 } else { 0xb5a6_9788 };
    let loads = name.starts_with("load");
    let program = |operands: &str| {
        let sign = if loads && !wide { super::values::sign_of(operands) } else { String::new() };
        format!("program\n{MEMORY}    {name} {operands}\n{sign}    jump_indirect ra, 0\n")
    };
    // The value that a load finds in writable memory: negative, and positive.
    let before = |address: u32, positive: bool| -> String {
        let fits = |from: u32, to: u32| address >= from && u64::from(address) + u64::from(n) <= u64::from(to);
        if loads && (fits(0x3_0000, 0x3_2000) || fits(0xfffd_f000, 0xfffe_0000)) {
            let bytes = if positive { "0102030405060708" } else { "f1e2d3c4b5a69788" };
            format!(" [{address:#x}]={}", &bytes[..2 * n as usize])
        } else {
            String::new()
        }
    };
    let mut text = String::new();
    match spec.format {
        Format::RegImm | Format::ImmImm => {
            for (address, what) in addresses(n) {
                let address_operand = hex(address as i32);
                text += &format!("# {what}\n");
                let operands = match spec.format {
                    Format::RegImm => format!("a1, {address_operand}"),
                    _ => format!("{address_operand}, {}", if address % 2 == 0 { "0x12345678" } else { "-2" }),
                };
                text += &program(&operands);
                let set = if loads || spec.format == Format::ImmImm { String::new() } else { format!("a1={value:#x}") };
                text += &case(&format!("{set}{}", before(address, false)));
            }
        }
        _ => {
            let operands = |offset: i32| match spec.format {
                Format::RegImmImm => format!("a0, {}, -2", hex(offset)),
                _ => format!("a1, a0, {}", hex(offset)),
            };
            let set = if loads || spec.format == Format::RegImmImm { String::new() } else { format!(" a1={value:#x}") };
            text += &program(&operands(0));
            for (address, what) in addresses(n) {
                text += &format!("# {what}\n");
                text += &case(&format!("a0={address:#x}{set}{}", before(address, false)));
            }
            text += "# not negative\n";
            text += &case(&format!("a0=0x30010{set}{}", before(0x3_0010, true)));
            if wide {
                text += "# the upper half of the base does not count\n";
                text += &case(&format!("a0=0xdeadbeef00030000{set}{}", before(0x3_0000, false)));
            }
            text += &format!("# the address wraps around at 2^32, upwards\n{}", program(&operands(0x3_0010)));
            text += &case(&format!("a0=0xfffffff4{set}{}", before(0x3_0004, false)));
            text += &format!("# and downwards\n{}", program(&operands(-16)));
            text += &case(&format!("a0=0x30010{set}{}", before(0x3_0000, false)));
            text += &case(&format!("a0=0x4{set}"));
            if spec.format == Format::RegRegImm {
                text += &format!("# the base is the other register, too\n{}", program("a0, a0, 8"));
                text += &case(&format!("a0=0x30000{}", before(0x3_0008, false)));
                text += &case("a0=0x10");
            }
        }
    }
    text
}
