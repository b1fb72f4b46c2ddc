//! Drafts for control flow instructions, and the few that stop the machine or grow its memory.

use super::{case, names};
use vm_core::isa::{Format, InstructionSpec, Isa, Opcode};

const WIDE: [u64; 6] = [0, 1, u64::MAX, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0xffff_ffff];
const NARROW: [u64; 5] = [0, 1, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000];

/// Returns the cases for instruction sets of one register width.
pub fn draft(spec: &InstructionSpec, isas: &[Isa]) -> String {
    match spec.format {
        Format::RegRegOffset => branch(spec, isas, &|target| format!("a0, a1, {target}"), &[None]),
        Format::RegImmOffset if spec.opcode != Opcode::LoadImmAndJump => {
            let imms = [0, 1, -1, i32::MAX, i32::MIN].map(Some);
            branch(spec, isas, &|target| format!("a0, IMM, {target}"), &imms)
        }
        _ => special(spec, isas),
    }
}

/// Drafts a branch; `operands` contains `IMM` if there is an immediate.
fn branch(spec: &InstructionSpec, isas: &[Isa], operands: &dyn Fn(&str) -> String, imms: &[Option<i32>]) -> String {
    let name = spec.mnemonic;
    let edges: &[u64] = if isas[0].is_64_bit() { &WIDE } else { &NARROW };
    let line = |target: &str, imm: Option<i32>| {
        let operands = operands(target);
        format!("{name} {}", imm.map_or(operands.clone(), |imm| operands.replace("IMM", &imm.to_string())))
    };
    let mut text = String::from("# host call 1: the branch was taken; host call 0: it was not\n");
    for imm in imms {
        text +=
            &format!("program\n    {}\n    ecalli 0\n    trap\n    yes:\n    ecalli 1\n    trap\n", line("yes", *imm));
        for a in edges {
            for b in edges {
                match imm {
                    None => text += &case(&format!("a0={a:#x} a1={b:#x}")),
                    Some(_) if b == a => text += &case(&format!("a0={a:#x}")),
                    Some(_) => {}
                }
            }
        }
    }
    let imm = imms[0].map(|_| 0);
    text += "# a target inside of a block: traps whether taken or not\n";
    text += &format!("program\n    {}\n    ecalli 0\n    inside:\n    trap\n", line("inside", imm));
    text += &(case("a0=0x0 a1=0x0") + &case("a0=0x1 a1=0x0") + &case("a0=0x0 a1=0x1"));
    let lax: Vec<Isa> = isas.iter().copied().filter(|isa| *isa != Isa::JamV1).collect();
    text += "# nothing behind it: traps whether taken or not\n";
    text += &format!("isa {}\nprogram\n    start:\n    {}\n", names(&lax), line("start", imm));
    text += &(case("a0=0x0 a1=0x0") + &case("a0=0x1 a1=0x0") + &case("a0=0x0 a1=0x1"));
    text
}

fn special(spec: &InstructionSpec, isas: &[Isa]) -> String {
    let name = spec.mnemonic;
    let many = |cases: &[&str]| cases.iter().map(|before| case(before)).collect::<String>();
    // Jump table: address 2 leads to host call 0, 4 to host call 1, 6 into the middle of a block.
    let djump = |line: &str| {
        format!(
            "program\n    .jump_table first, second, inside\n    {line}\n    first:\n    ecalli 0\n    trap\n    second:\n    \
            ecalli 1\n    inside:\n    trap\n"
        )
    };
    let places = [
        "0x0",
        "0x1",
        "0x2",
        "0x3",
        "0x4",
        "0x6",
        "0x8",
        "0xfffe",
        "0x80000000",
        "0xffff0000",
        "0xffff0002",
        "0xffffffff",
    ];
    match spec.opcode {
        Opcode::Trap => format!("program\n    {name}\n{}", many(&["", "gas=1", "gas=0"])),
        Opcode::Fallthrough | Opcode::Unlikely => {
            format!("program\n    {name}\n    ecalli 0\n    trap\n{}", many(&["", "gas=1", "gas=3", "gas=0"]))
        }
        Opcode::Ecalli => [0, 1, 127, 128, -1, i32::MAX, i32::MIN]
            .map(|number| {
                let program = format!("program\n    {name} {number}\n    load_imm a0, 1\n    jump_indirect ra, 0\n");
                program + &case("") + "then gas=0 a1=0x7 => ?\n"
            })
            .concat(),
        Opcode::Jump => {
            let program = |target: &str| {
                format!(
                    "program\n    {name} {target}\n    before:\n    ecalli 0\n    inside:\n    trap\n    after:\n    ecalli 1\n    trap\n"
                )
            };
            let titles = ["# forwards\n", "# to what is behind it\n", "# into a block\n"];
            let mut text = String::new();
            for (title, target) in titles.into_iter().zip(["after", "before", "inside"]) {
                text += &(title.to_string() + &program(target) + &case(""));
            }
            text += "# backwards, until the gas is used up\nprogram\n    start:\n    load_imm a0, 1\n    jump start\n    trap\n";
            text + &case("gas=7")
        }
        Opcode::LoadImmAndJump => {
            let mut text = String::new();
            for (title, target) in
                [("to the start of a block", "there"), ("into a block: the register is written", "inside")]
            {
                for imm in [0, -1, i32::MIN, 0x1234] {
                    text += &format!(
                        "# {title}\nprogram\n    {name} a0, {imm}, {target}\n    there:\n    ecalli 0\n    inside:\n    trap\n"
                    );
                    text += &case("");
                }
            }
            text
        }
        Opcode::JumpIndirect => {
            let mut text = djump(&format!("{name} a0, 0"));
            text += &places.map(|place| case(&format!("a0={place}"))).concat();
            if isas[0].is_64_bit() {
                text += &case("a0=0xdeadbeef00000004");
            }
            text += &djump(&format!("{name} a0, -2"));
            text += &many(&["a0=0x4", "a0=0x6", "a0=0x2", "a0=0xffff0002"]);
            text
        }
        Opcode::LoadImmAndJumpIndirect => {
            let mut text = djump(&format!("{name} a1, a0, 7, 0"));
            text += &places.map(|place| case(&format!("a0={place}"))).concat();
            text += "# the same register: the old value is where it goes, the new one stays\n";
            text += &djump(&format!("{name} a0, a0, 7, 2"));
            text + &many(&["a0=0x0", "a0=0x2", "a0=0x1", "a0=0xfffefffe"])
        }
        Opcode::Sbrk => {
            let mut text = String::from("# The heap begins at 0x30010, and may end at 0xfffc0000.\n");
            for line in ["a1, a0", "a0, a0"] {
                text += &format!(
                    "program\n    .ro_size 1\n    .rw_size 0x10\n    .stack_size 1\n    {name} {line}\n    jump_indirect ra, 0\n"
                );
                let sizes =
                    ["0x0", "0x1", "0xff0", "0xff1", "0x10000", "0xfff8fff0", "0xfff8fff1", "0xffffffff", "0x80000000"];
                text += &sizes.map(|size| case(&format!("a0={size}"))).concat();
            }
            text += "# twice\n";
            text += &case("a0=0x100 sbrk=0x5");
            text
        }
        Opcode::Memset => {
            let mut text = String::from("# Read-write data of two pages at 0x20000.\n");
            text += &format!("program\n    .rw_size 0x2000\n    {name}\n    jump_indirect ra, 0\n");
            text += &many(&[
                "a0=0x20000 a1=0xab a2=0x0",
                "a0=0x20000 a1=0xab a2=0x1",
                "a0=0x20003 a1=0x1ab a2=0x9",
                "a0=0x20ffe a1=0xffffffff a2=0x4",
                "a0=0x0 a1=0x1 a2=0x0",
            ]);
            text += "# memory ends: what is stored stays\n";
            text += &many(&["a0=0x21ffd a1=0x1 a2=0x8", "a0=0x0 a1=0x1 a2=0x1", "a0=0xffffffff a1=0x1 a2=0x2"]);
            text += "# gas ends: it goes on from there, and pays no block again\n";
            text += "case a0=0x20000 a1=0xcd a2=0x5 gas=4 => ?\nthen gas=1 => ?\nthen gas=2 => ?\n";
            text += "# just enough gas\ncase a0=0x20000 a1=0xcd a2=0x5 gas=7 => ?\ncase a0=0x20000 a1=0xcd a2=0x5 gas=1 => ?\n";
            text
        }
        _ => String::new(),
    }
}
