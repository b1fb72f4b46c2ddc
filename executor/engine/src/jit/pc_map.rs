//! Pc map: guest pc to native offset and back, and the compiled program that it belongs to.
//!
//! Made by the compiler, used by `instance` at stops whose program counter is needed. An entry for every instruction
//! would take more memory and time than everything else that compilation produces, so there is one for the first
//! instruction of each block and at least one in every [`PC_MAP_INTERVAL`]. Other positions are found by emitting the
//! instructions after an entry again: the length of an instruction depends only on itself and those behind it in its
//! block. A terminator's length may depend on more, but nothing follows it. Instructions of a peephole, except for the
//! first, have no position of their own: machine code only has the position behind the peephole.

use super::routines::Routines;
use super::{CALL_LENGTH, CHARGE_LENGTH, lower, peephole};
use core::cell::Cell;
use pvm_assembler::Assembler;
use pvm_zygote::protocol::NATIVE_SCRATCH;
use vm_core::gas::Metering;
use vm_core::program::Program;

/// Maximum number of instructions between two entries of the pc map.
pub(super) const PC_MAP_INTERVAL: u32 = 32;

/// Maximum number of instructions from one entry to the next; no entry is inside a peephole.
const WALK_INSTRUCTIONS: usize = (PC_MAP_INTERVAL + peephole::LONGEST) as usize;

/// Buffer size for their machine code.
const WALK: usize = 128 * WALK_INSTRUCTIONS;

/// Length of a host call in bytes: loading its number, and calling the routine.
const HOST_CALL_LENGTH: usize = 10;

/// A program as machine code.
pub(crate) struct Compiled {
    pub(super) image: Vec<u8>,
    /// Offset in the image of the routine that enters guest code.
    pub(super) enter: u32,
    /// Entries in ascending order. The last one is the trap past the end of the code.
    pub(super) pc_map: Vec<PcMapEntry>,
    /// Code offsets of all blocks, ascending.
    pub(super) blocks: Vec<u32>,
    /// Offset in the image of the first block's stub.
    pub(super) block_stubs: u32,
    /// Code offsets of all dynamic jumps, ascending.
    pub(super) jumps: Vec<u32>,
    /// Offset in the image of the first dynamic jump's stub.
    pub(super) jump_stubs: u32,
}

/// Images of up to this many bytes of memory are kept for the next one.
const KEPT: usize = 4 << 20;

thread_local! {
    static KEPT_IMAGE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Returns an empty image, if possible in memory that a dropped program of this thread had: the kernel takes longer to
/// populate fresh memory than the compiler to fill it.
pub(super) fn kept_image() -> Vec<u8> {
    KEPT_IMAGE.take()
}

impl Drop for Compiled {
    fn drop(&mut self) {
        if self.image.capacity() <= KEPT {
            let mut image = core::mem::take(&mut self.image);
            image.clear();
            // Fails if the thread is ending; then nothing is kept.
            let _ = KEPT_IMAGE.try_with(|kept| kept.set(image));
        }
    }
}

/// A pair of an instruction's code offset and native offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct PcMapEntry {
    /// Its code offset.
    pub guest: u32,
    /// Native offset; for the first instruction of a block, the start of the block.
    pub native: u32,
}

impl Compiled {
    /// The bytes to load at [`pvm_zygote::protocol::CODE_BASE`].
    pub(crate) fn image(&self) -> &[u8] {
        &self.image
    }

    /// Offset in the image of the routine that enters guest code.
    pub(crate) fn enter(&self) -> u32 {
        self.enter
    }

    /// Returns the native offset for a code offset, which must be the start of an instruction or the end of the code.
    /// For the first instruction of a block this is the start of the block. An instruction inside a peephole has none:
    /// then the entry of the next instruction that has one is returned.
    pub(super) fn native_at(&self, program: &Program, guest: u32) -> Option<PcMapEntry> {
        let index = self.pc_map.partition_point(|place| place.guest <= guest).checked_sub(1)?;
        let place = *self.pc_map.get(index)?;
        if place.guest == guest {
            return Some(place);
        }
        self.walk(program, place, |found, _| found.guest >= guest)
    }

    /// Returns the native offset of the charge of the block at a code offset.
    pub(super) fn charge_of(&self, program: &Program, guest: u32) -> Option<u32> {
        let steps = program.config().single_step;
        self.native_at(program, guest).map(|place| place.native + if steps { CALL_LENGTH } else { 0 })
    }

    /// Returns true if the byte at `native` belongs to the machine code of an instruction.
    pub(super) fn is_guest(&self, native: u32) -> bool {
        native < self.block_stubs && self.pc_map.first().is_some_and(|first| native >= first.native)
    }

    /// Returns true if a host call with this number ends at `behind`: its number is loaded into the scratch register,
    /// and the routine called.
    pub(super) fn is_host_call(&self, behind: u32, number: u32) -> bool {
        const MOV: u8 = 0xb8 + NATIVE_SCRATCH;
        const CALL: u8 = 0xe8;
        let end = behind as usize;
        let code = end.checked_sub(HOST_CALL_LENGTH).and_then(|start| self.image.get(start..end));
        let code = code.and_then(|code| code.first_chunk::<HOST_CALL_LENGTH>());
        let wanted = number.to_le_bytes();
        code.is_some_and(|code| {
            let [mov, a, b, c, d, call, ..] = *code;
            (mov, [a, b, c, d], call) == (MOV, wanted, CALL)
        })
    }

    /// Returns the code offset of the instruction whose machine code contains the byte at `native`.
    pub(super) fn guest_at(&self, program: &Program, native: u32) -> Option<u32> {
        if !self.is_guest(native) {
            return None;
        }
        let index = self.pc_map.partition_point(|place| place.native <= native).checked_sub(1)?;
        let place = *self.pc_map.get(index)?;
        if place.guest >= program.code().len() {
            return Some(place.guest);
        }
        self.walk(program, place, |_, end| end.is_none_or(|end| native < end)).map(|found| found.guest)
    }

    /// Walks over the instructions from `from` on, and returns the first for which `is_it` returns true. `is_it` is
    /// given its position and its end, which is `None` for the last instruction of a block: its length is not computed.
    /// If `from` is the start of a block, its first instruction begins after the charge.
    fn walk(
        &self,
        program: &Program,
        from: PcMapEntry,
        is_it: impl Fn(PcMapEntry, Option<u32>) -> bool,
    ) -> Option<PcMapEntry> {
        let wide = program.isa().is_64_bit();
        let mut asm = Assembler::with_capacity(WALK, WALK, 128, 128);
        let routines = Routines::unbound(&mut asm);
        let begins_block = self.blocks.binary_search(&from.guest).is_ok();
        let is_charged = begins_block && program.config().metering != Metering::Off;
        let start = from.native + if is_charged { CHARGE_LENGTH } else { 0 };
        let mut instructions = program.code().encoded_instructions_from(from.guest);
        for _ in 0..WALK_INSTRUCTIONS {
            let Some(encoded) = instructions.next() else {
                // The trap past the end of the code.
                let place = PcMapEntry { guest: program.code().len(), native: start + asm.len() as u32 };
                return is_it(place, None).then_some(place);
            };
            let place = PcMapEntry { guest: encoded.offset(), native: start + asm.len() as u32 };
            if encoded.ends_block() {
                return is_it(place, None).then_some(place);
            }
            let steps = program.config().single_step;
            if steps {
                asm.call(routines.step);
            }
            let emitted = match wide {
                true => lower::emit::<true>(&mut asm, &routines, &encoded, &instructions, !steps),
                false => lower::emit::<false>(&mut asm, &routines, &encoded, &instructions, !steps),
            };
            if is_it(place, Some(start + asm.len() as u32)) {
                return Some(place);
            }
            for _ in 1..emitted {
                instructions.next();
            }
        }
        None
    }

    /// Returns the code offset of the block to whose stub a return address belongs.
    pub(super) fn block_of_stub(&self, behind: u32) -> Option<u32> {
        stub(&self.blocks, self.block_stubs, behind)
    }

    /// Returns the code offset of the dynamic jump to whose stub a return address belongs.
    pub(super) fn jump_of_stub(&self, behind: u32) -> Option<u32> {
        stub(&self.jumps, self.jump_stubs, behind)
    }
}

/// Returns the entry whose stub ends at `behind`; stubs are contiguous from `first` on.
fn stub(entries: &[u32], first: u32, behind: u32) -> Option<u32> {
    let end = behind.checked_sub(first)?;
    if end % CALL_LENGTH != 0 {
        return None;
    }
    entries.get((end / CALL_LENGTH).checked_sub(1)? as usize).copied()
}
