//! Tests of the sandbox with machine code of their own instead of a compiler's.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod figures;
mod hostile;
mod leaks;
mod mapping;
mod pool;
mod protection;
mod runs;

use super::deadline::Limits;
use super::worker::Worker;
use super::zygote::Zygote;
use super::*;
use pvm_assembler::{Assembler, Cond, Mem, Reg, RegSize::R64, StoreImm, Width, forms};
use pvm_zygote::protocol::{self, CONTROL_BASE, Control, NATIVE_REGS, STACK_TOP};
use std::mem::offset_of;
use std::sync::Arc;
use std::time::Duration;
use vm_core::blob::MemoryConfig;
use vm_core::memory::MemoryMap;

/// Program with entry and exit routines as the contract has them, followed by a guest part.
pub(super) struct TestProgram {
    pub code: Vec<u8>,
    /// Start of the guest part.
    pub start: u32,
    pub map: MemoryMap,
    pub data: Arc<MemoryImage>,
    pub id: u64,
}

fn control(offset: usize) -> Mem {
    Mem::base(Reg::Rsp, CONTROL_BASE.wrapping_sub(STACK_TOP) as i32 + offset as i32)
}

/// The compiler's scratch register.
pub(super) const SCRATCH: Reg = Reg::ALL[protocol::NATIVE_SCRATCH as usize];

/// Appends an exit from guest code. The scratch register is the detail; `native_pc` is after it.
pub(super) fn leave(asm: &mut Assembler, exit: u32) {
    let behind = asm.new_label();
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, detail)), SCRATCH));
    asm.push_rip(behind, forms::lea_rm(R64, SCRATCH, Mem::rip(0)));
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, native_pc)), SCRATCH));
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, gas)), Reg::R15));
    for (index, native) in NATIVE_REGS.into_iter().enumerate() {
        let to = control(offset_of!(Control, regs) + 8 * index);
        asm.push(forms::mov_mr(Width::W64, to, Reg::ALL[native as usize]));
    }
    asm.push(forms::mov_mi(control(offset_of!(Control, exit)), StoreImm::W32(exit as i32)));
    asm.push(forms::mov_rm(R64, Reg::Rsp, control(offset_of!(Control, worker_stack))));
    asm.push(forms::ret());
    asm.bind(behind);
}

/// A program: the routine that enters, then what `guest` appends.
pub(super) fn program(guest: impl FnOnce(&mut Assembler)) -> TestProgram {
    use std::sync::atomic::{AtomicU64, Ordering};
    static ID: AtomicU64 = AtomicU64::new(1);
    let mut asm = Assembler::new(1 << 16);
    asm.push(forms::mov_ri(Reg::Rdi, STACK_TOP));
    asm.push(forms::xchg_rr(R64, Reg::Rdi, Reg::Rsp));
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, worker_stack)), Reg::Rdi));
    asm.push(forms::mov_rm(R64, Reg::R15, control(offset_of!(Control, gas))));
    asm.push(forms::mov_rm(R64, SCRATCH, control(offset_of!(Control, native_pc))));
    for (index, native) in NATIVE_REGS.into_iter().enumerate() {
        let from = control(offset_of!(Control, regs) + 8 * index);
        asm.push(forms::mov_rm(R64, Reg::ALL[native as usize], from));
    }
    asm.push(forms::jmp_r(SCRATCH));
    let start = asm.len() as u32;
    guest(&mut asm);
    let map = map(0x3000, 0x2800, 0x3000, 0x1000);
    let data = Arc::new(MemoryImage::new(map, b"constant", b"variable"));
    TestProgram { code: asm.finish().unwrap().to_vec(), start, map, data, id: ID.fetch_add(1, Ordering::Relaxed) }
}

/// A program that leaves guest code at once, with this exit.
pub(super) fn leaving(exit: u32) -> TestProgram {
    program(|asm| {
        asm.push(forms::mov_ri(SCRATCH, 5));
        leave(asm, exit);
    })
}

/// A program that counts down from a number, and then leaves with this exit.
pub(super) fn counting(from: u64, exit: u32) -> TestProgram {
    program(|asm| {
        let again = asm.new_label();
        asm.push(forms::mov_ri(SCRATCH, from));
        asm.bind(again);
        asm.push(forms::sub_ri(R64, SCRATCH, 1));
        asm.jcc(Cond::NotEqual, again);
        leave(asm, exit);
    })
}

pub(super) fn map(ro_data_size: u32, rw_data_size: u32, stack_size: u32, aux: u32) -> MemoryMap {
    MemoryMap::new(0x1000, MemoryConfig { ro_data_size, rw_data_size, stack_size }, aux).unwrap()
}

impl TestProgram {
    pub fn image(&self) -> Image<'_> {
        let TestProgram { code, data, id, .. } = self;
        Image { id: *id, code, enter: 0, data }
    }

    /// Sets other memory.
    pub fn set_memory(&mut self, map: MemoryMap, ro_data: &[u8], rw_data: &[u8]) {
        (self.map, self.data) = (map, Arc::new(MemoryImage::new(map, ro_data, rw_data)));
    }

    /// The state at its beginning: each register has its number, the gas is 1000.
    pub fn state(&self) -> GuestState {
        GuestState { regs: std::array::from_fn(|index| index as u64), gas: 1000, native_pc: self.start }
    }
}

/// Limits of a run: this much CPU time.
pub(super) fn limits(cpu: Duration) -> Limits {
    Limits::of_cpu_time(cpu)
}

/// A zygote for all tests.
pub(super) fn zygote() -> Arc<Zygote> {
    Arc::new(Zygote::start(Sandbox::Required, false, None).unwrap())
}

/// A worker of a new zygote with a program.
pub(super) fn worker(program: &TestProgram) -> Worker {
    worker_of(&zygote(), program)
}

/// A worker with a program.
pub(super) fn worker_of(zygote: &Arc<Zygote>, program: &TestProgram) -> Worker {
    let mut worker = Worker::spawn(zygote, limits(Duration::from_secs(5))).unwrap();
    worker.load(&program.image()).unwrap();
    worker
}
