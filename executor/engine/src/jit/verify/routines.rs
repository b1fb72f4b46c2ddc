//! The routines as the verifier expects them, byte by byte: the only code that may write the stack pointer and the control
//! page. From the protocol and the manual (Intel SDM, volume 2), not from the assembler.

use core::mem::offset_of;
use pvm_zygote::protocol::{self, CONTROL_BASE, Control, NATIVE_GAS, NATIVE_REGS, NATIVE_SCRATCH, STACK_TOP};

/// Bytes of the routine that enters guest code, and of the common part of those that leave it.
const ENTER: usize = 13 + 8 * (3 + NATIVE_REGS.len()) + 2;
const LEAVE: usize = 8 * (4 + NATIVE_REGS.len()) + 2;
/// Bytes of each way to leave.
const EXIT: usize = 16;

/// Exits in the order of their routines.
const EXITS: [u32; 7] = [
    protocol::EXIT_TRAP,
    protocol::EXIT_HOST_CALL,
    protocol::EXIT_OUT_OF_GAS,
    protocol::EXIT_JUMP,
    protocol::EXIT_STEP,
    protocol::EXIT_SBRK,
    protocol::EXIT_MEMSET,
];

/// The offset of the routine of an exit from the first one.
pub(super) const fn offset_of_exit(exit: u32) -> u32 {
    let mut index = 0;
    while EXITS[index] != exit {
        index += 1;
    }
    (ENTER + LEAVE + EXIT * index) as u32
}

const LENGTH: usize = ENTER + LEAVE + EXIT * EXITS.len();

/// All of them.
pub(super) static ROUTINES: [u8; LENGTH] = {
    let mut code = RoutineCode { bytes: [0; LENGTH], length: 0 };
    const RDI: u8 = 7;
    const RSP: u8 = 4;
    // mov rdi, imm64; xchg rdi, rsp
    code = code.then(&[0x48, 0xb8 + RDI]).then(&STACK_TOP.to_le_bytes());
    code = code.then(&[0x48, 0x87, 0xe7]);
    code = code.word(STORE, RDI, offset_of!(Control, worker_stack), 0);
    code = code.word(LOAD, NATIVE_GAS, offset_of!(Control, gas), 0);
    code = code.word(LOAD, NATIVE_SCRATCH, offset_of!(Control, native_pc), 0);
    code = code.registers(LOAD);
    // jmp rdx
    code = code.then(&[0xff, 0xe0 + NATIVE_SCRATCH]);
    assert!(code.length == ENTER);

    code = code.word(STORE, NATIVE_SCRATCH, offset_of!(Control, detail), 8);
    // pop rdx
    code = code.then(&[0x58 + NATIVE_SCRATCH]);
    code = code.word(STORE, NATIVE_SCRATCH, offset_of!(Control, native_pc), 0);
    code = code.word(STORE, NATIVE_GAS, offset_of!(Control, gas), 0);
    code = code.registers(STORE);
    code = code.word(LOAD, RSP, offset_of!(Control, worker_stack), 0);
    // ret
    code = code.then(&[0xc3]);
    assert!(code.length == ENTER + LEAVE);

    let mut index = 0;
    while index < EXITS.len() {
        // mov dword [rsp + …], imm32; jmp to what they have in common
        code = code.then(&[0xc7, 0x84, 0x24]).then(&displacement(offset_of!(Control, exit), 8));
        code = code.then(&EXITS[index].to_le_bytes());
        let way = ENTER as i32 - (code.length as i32 + 5);
        code = code.then(&[0xe9]).then(&way.to_le_bytes());
        index += 1;
    }
    assert!(code.length == LENGTH);
    code.bytes
};

/// Opcodes of `mov` between a register and memory.
const LOAD: u8 = 0x8b;
const STORE: u8 = 0x89;

/// From the stack pointer, when so many bytes are pushed, to a field of the control page.
const fn displacement(offset: usize, pushed: u64) -> [u8; 4] {
    // Both lie within 2 GiB of each other.
    (CONTROL_BASE.wrapping_sub(STACK_TOP).wrapping_add(offset as u64).wrapping_add(pushed) as u32).to_le_bytes()
}

struct RoutineCode {
    bytes: [u8; LENGTH],
    length: usize,
}

impl RoutineCode {
    const fn then(mut self, bytes: &[u8]) -> RoutineCode {
        let mut at = 0;
        while at < bytes.len() {
            self.bytes[self.length] = bytes[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    /// `mov` between a register and a field of the control page, 64 bits.
    const fn word(self, opcode: u8, reg: u8, offset: usize, pushed: u64) -> RoutineCode {
        let head = [0x48 | (reg >> 3) << 2, opcode, 0x84 | (reg & 7) << 3, 0x24];
        self.then(&head).then(&displacement(offset, pushed))
    }

    /// Appends such an instruction for each guest register.
    const fn registers(mut self, opcode: u8) -> RoutineCode {
        let mut index = 0;
        while index < NATIVE_REGS.len() {
            self = self.word(opcode, NATIVE_REGS[index], offset_of!(Control, regs) + 8 * index, 0);
            index += 1;
        }
        self
    }
}
