//! The code buffer: appends instructions, keeps labels, and returns the code at the end. Called by the JIT for every
//! instruction that it emits, so `push` is the hot path of compilation.
//!
//! The code never exceeds `limit` bytes. The first error is kept and returned by `finish`, and nothing is written after
//! it, so that emission needs no checks in between.

use crate::error::Error;
use crate::forms;
use crate::inst::{Inst, MAX_LEN};
use crate::label::{Label, Labels, PatchSite};
use crate::operand::Cond;
use alloc::vec;
use alloc::vec::Vec;

/// Bytes that `push` always writes; the instruction may be shorter.
const WINDOW: usize = 16;

/// Maximum of the limit: 32-bit displacements then reach every position from every other.
const MAX_LIMIT: usize = i32::MAX as usize;

/// A position in the code to return to; see [`Assembler::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    length: u32,
    fixups: u32,
}

impl Mark {
    /// Number of bytes of code before it.
    #[inline(always)]
    pub const fn offset(self) -> u32 {
        self.length
    }
}

/// Assembler: a growing buffer of machine code.
#[derive(Debug)]
pub struct Assembler {
    /// Buffer: code up to `length`, undefined bytes after it.
    buffer: Vec<u8>,
    length: usize,
    limit: usize,
    labels: Labels,
    error: Option<Error>,
}

impl Assembler {
    /// Makes an empty assembler for up to `limit` bytes of code (at most 2 GiB less one). Allocates nothing yet.
    pub fn new(limit: usize) -> Assembler {
        let limit = limit.min(MAX_LIMIT);
        Assembler { buffer: Vec::new(), length: 0, limit, labels: Labels::default(), error: None }
    }

    /// Makes an assembler with room for `code` bytes of code, and for labels and forward references. Allocates no more
    /// than the limit. If these estimates suffice, emission never allocates.
    pub fn with_capacity(limit: usize, code: usize, labels: usize, references: usize) -> Assembler {
        let mut asm = Assembler::new(limit);
        asm.buffer = vec![0; code.min(asm.limit).saturating_add(WINDOW).min(asm.buffer_limit())];
        asm.labels.reserve(labels, references);
        asm
    }

    /// Appends an instruction.
    #[inline(always)]
    pub fn push(&mut self, inst: Inst) {
        self.push_if(true, inst);
    }

    /// Appends an instruction if `condition` holds, without a branch: its bytes are always written, but only then
    /// counted.
    #[inline(always)]
    pub fn push_if(&mut self, condition: bool, inst: Inst) {
        // Lengths are below 2^32, so this does not wrap.
        let window = self.buffer.get_mut(self.length..self.length.wrapping_add(WINDOW));
        match window.and_then(|window| window.first_chunk_mut()) {
            Some(window) => {
                inst.write(window);
                self.length += inst.len() * usize::from(condition);
            }
            None if condition => self.push_slow(inst),
            None => {}
        }
    }

    /// Slow path of `push` at the end of the buffer: grows it or, at the limit, writes no more than fits.
    #[cold]
    #[inline(never)]
    fn push_slow(&mut self, inst: Inst) {
        let mut window = [0; WINDOW];
        inst.write(&mut window);
        let (bytes, _) = window.split_at(inst.len().min(MAX_LEN));
        self.bytes(bytes);
    }

    /// Appends bytes that aren't an instruction, such as a table or padding.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let offset = self.length;
        match offset.checked_add(bytes.len()).filter(|&end| end <= self.limit) {
            Some(end) => {
                self.grow(end);
                if let Some(space) = self.buffer.get_mut(offset..end) {
                    space.copy_from_slice(bytes);
                    self.length = end;
                }
            }
            None => {
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                self.fail(Error::CodeTooLarge { offset: offset as u32, length, limit: self.limit as u32 });
            }
        }
    }

    /// Makes the buffer long enough for code up to `end` (which is within the limit), at least doubling it if it is
    /// not.
    fn grow(&mut self, end: usize) {
        if end + WINDOW <= self.buffer.len() {
            return;
        }
        let wanted = (end + WINDOW).max(self.buffer.len() * 2).max(4096).min(self.buffer_limit());
        if wanted > self.buffer.len() {
            self.buffer.resize(wanted, 0);
        }
    }

    /// Maximum length of the buffer: chosen so that a whole window fits only if the longest instruction is within the
    /// limit. The fast path therefore needs no second check.
    const fn buffer_limit(&self) -> usize {
        self.limit + WINDOW - MAX_LEN
    }

    /// Keeps the first error and stops: an empty buffer sends every later `push` to `push_slow`, which returns.
    #[cold]
    fn fail(&mut self, error: Error) {
        if self.error.is_none() {
            self.error = Some(error);
            self.buffer = Vec::new();
            self.length = 0;
        }
    }

    /// Bytes of code so far; zero after an error.
    #[inline(always)]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.length
    }

    /// The first error, if there was one, so that a compiler can check from time to time and stop early.
    #[inline(always)]
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    /// Pads with the fewest possible nops until the length is a multiple of `alignment`. Zero counts as one.
    pub fn align(&mut self, alignment: usize) {
        let mut missing = self.length.next_multiple_of(alignment.max(1)) - self.length;
        while missing > 0 && self.error.is_none() {
            let length = missing.min(forms::MAX_NOP);
            self.push(forms::nop(length));
            missing -= length;
        }
    }

    /// Makes a label that isn't bound yet.
    #[inline]
    pub fn new_label(&mut self) -> Label {
        self.new_labels(1)
    }

    /// Makes `count` labels with consecutive numbers and returns the first. They cost four bytes each: the caller
    /// bounds their count.
    pub fn new_labels(&mut self, count: u32) -> Label {
        self.labels.make(count).unwrap_or_else(|error| {
            self.fail(error);
            Label::from_number(u32::MAX)
        })
    }

    /// Binds a label to the current position. Each label can be bound once.
    #[inline(always)]
    pub fn bind(&mut self, label: Label) {
        if let Err(error) = self.labels.bind(label, self.length as u32) {
            self.fail(error);
        }
    }

    /// Returns the current position, for [`Self::rewind`].
    #[inline(always)]
    pub fn mark(&self) -> Mark {
        Mark { length: self.length as u32, fixups: self.labels.fixups() as u32 }
    }

    /// Removes the code emitted since the mark was made, and unbinds the labels in `bound`: these must be all labels
    /// bound since, except for those that are no longer used. Not allowed after `finish`.
    pub fn rewind(&mut self, mark: Mark, bound: impl IntoIterator<Item = Label>) {
        self.length = self.length.min(mark.length as usize);
        self.labels.truncate_fixups(mark.fixups as usize);
        bound.into_iter().for_each(|label| self.labels.unbind(label));
    }

    /// Returns the label's offset, if it is bound.
    #[inline(always)]
    pub fn offset_of(&self, label: Label) -> Option<u32> {
        self.labels.offset(label)
    }

    /// Returns the displacement to `label`, if it is bound, from the end of an instruction of `length` bytes that
    /// begins here.
    #[inline(always)]
    fn way_back(&self, label: Label, length: usize) -> Option<i32> {
        // Both are at most `MAX_LIMIT`, unless the instruction does not fit anyway.
        self.labels.offset(label).map(|target| (target as i32).wrapping_sub((self.length + length) as i32))
    }

    /// Emits a jump to `label`: two bytes if it is bound and near, else five.
    #[inline]
    pub fn jmp(&mut self, label: Label) {
        match self.way_back(label, 2).map(i8::try_from) {
            Some(Ok(disp)) => self.push(forms::jmp_rel8(disp)),
            _ => {
                self.jmp_patchable(label);
            }
        }
    }

    /// Emits a jump to `label` if `cond` holds: two bytes if it is bound and near, else six.
    #[inline]
    pub fn jcc(&mut self, cond: Cond, label: Label) {
        match self.way_back(label, 2).map(i8::try_from) {
            Some(Ok(disp)) => self.push(forms::jcc_rel8(cond, disp)),
            _ => {
                self.jcc_patchable(cond, label);
            }
        }
    }

    /// Emits a jump to `label` of always two bytes. An error if the label turns out to be out of reach.
    #[inline]
    pub fn jmp_short(&mut self, label: Label) {
        self.push_short(label, forms::jmp_rel8(-1));
    }

    /// Emits a jump to `label` if `cond` holds, of always two bytes. An error if the label turns out to be out of
    /// reach.
    #[inline]
    pub fn jcc_short(&mut self, cond: Cond, label: Label) {
        self.push_short(label, forms::jcc_rel8(cond, -1));
    }

    /// Emits a jump to `label` of always five bytes, whose displacement can be patched later.
    #[inline]
    pub fn jmp_patchable(&mut self, label: Label) -> PatchSite {
        self.push_relative(label, 5, forms::jmp_rel32)
    }

    /// Emits a jump to `label` if `cond` holds, of always six bytes, whose displacement can be patched later.
    #[inline]
    pub fn jcc_patchable(&mut self, cond: Cond, label: Label) -> PatchSite {
        self.push_relative(label, 6, |disp| forms::jcc_rel32(cond, disp))
    }

    /// Emits a call of `label`, of five bytes, whose displacement can be patched later.
    #[inline]
    pub fn call(&mut self, label: Label) -> PatchSite {
        self.push_relative(label, 5, forms::call_rel32)
    }

    /// Emits an instruction of `length` bytes that ends with a 32-bit displacement to `label`.
    #[inline(always)]
    fn push_relative(&mut self, label: Label, length: usize, form: impl Fn(i32) -> Inst) -> PatchSite {
        let start = self.length;
        let way = self.way_back(label, length);
        self.push(form(way.unwrap_or(-4)));
        let site = PatchSite((start + length - 4) as u32);
        if way.is_none() && self.length != start {
            self.labels.fix32(label, site.0);
        }
        site
    }

    /// Emits an instruction that ends with an 8-bit displacement of -1, to which the distance to `label` will be added.
    #[inline(always)]
    fn push_short(&mut self, label: Label, inst: Inst) {
        let start = self.length;
        self.push(inst);
        if self.length != start {
            self.labels.fix8(label, (self.length - 1) as u32);
        }
    }

    /// Appends an instruction whose memory operand is [`Mem::rip`](crate::Mem::rip), and makes that operand `label`
    /// plus the displacement given.
    #[inline]
    pub fn push_rip(&mut self, label: Label, inst: Inst) {
        if !inst.is_rip {
            return self.fail(Error::NoRipOperand { offset: self.length as u32 });
        }
        // The field holds the displacement's low 32 bits. The distance of the label is added at the end, so the field's
        // own distance from the end of the instruction is subtracted here.
        let disp = i64::from(inst.tail as u32 as i32) - i64::from(inst.tail_len);
        let Ok(addend) = i32::try_from(disp) else {
            let offset = self.length as u32 + u32::from(inst.head_len);
            return self.fail(Error::DisplacementOutOfRange { offset, displacement: disp, bits: 32 });
        };
        let start = self.length;
        let tail = inst.tail >> 32 << 32 | u64::from(addend.cast_unsigned());
        self.push(Inst { tail, ..inst });
        if self.length != start {
            self.labels.fix32(label, start as u32 + u32::from(inst.head_len));
        }
    }

    /// Changes the target of a patchable jump or call. Modifies written code, so for a site whose label isn't bound yet
    /// it must come after `finish`.
    pub fn patch(&mut self, site: PatchSite, target: u32) -> Result<(), Error> {
        let unknown = Error::UnknownPatchSite { offset: site.0, length: self.length as u32 };
        let code = self.buffer.get_mut(..self.length).ok_or(unknown)?;
        let field = code.get_mut(site.0 as usize..).and_then(|rest| rest.first_chunk_mut()).ok_or(unknown)?;
        let displacement = i64::from(target) - i64::from(site.0) - 4;
        let fitting = i32::try_from(displacement).map_err(|_| Error::DisplacementOutOfRange {
            offset: site.0,
            displacement,
            bits: 32,
        })?;
        *field = fitting.to_le_bytes();
        Ok(())
    }

    /// Fills in the displacements of forward references and returns the code, or the first error. More code may be
    /// appended afterwards, and finished again.
    pub fn finish(&mut self) -> Result<&[u8], Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let code = self.buffer.get_mut(..self.length).unwrap_or_default();
        if let Err(error) = self.labels.resolve(code) {
            self.fail(error);
            return Err(error);
        }
        Ok(self.code())
    }

    /// The code so far. Forward references are filled in by `finish`.
    pub fn code(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// Drops code, labels and any error, but keeps the memory for the next program.
    pub fn clear(&mut self) {
        self.length = 0;
        self.error = None;
        self.labels.clear();
    }
}
