//! Inspection at a stop: the call stack, registers, memory and instructions.

use super::arguments::{Disassemble, ReadMemory, Scopes, StackTrace, Variables};
use super::breakpoints::reference;
use super::session::Run;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use vm_core::isa::Reg;
use vm_core::memory::MemoryMap;

/// The most bytes of memory of an answer.
const MEMORY: u64 = 1 << 18;
/// The most instructions of an answer.
const INSTRUCTIONS: u64 = 1 << 14;
/// The most words of the stack that are listed.
const WORDS: u32 = 64;
/// Memory is read so many bytes at a time, each piece on one page.
const PIECE: u32 = 4096;

/// Kinds of references to variables; each frame has one of each.
const REGISTERS: u64 = 0;
const RUN: u64 = 1;
const MEMORY_REGIONS: u64 = 2;
const STACK: u64 = 3;
const KINDS: u64 = 4;

fn variable(name: &str, value: String) -> Value {
    json!({ "name": name, "value": value, "variablesReference": 0 })
}

/// A value of a register or a word, as people want to see it.
pub(super) fn format_value(value: u64, is_64_bit: bool) -> String {
    let signed = if is_64_bit { value as i64 } else { i64::from(value as u32 as i32) };
    let value = if is_64_bit { value } else { value & u64::from(u32::MAX) };
    match signed < 0 {
        true => format!("{value:#x} ({signed})"),
        false => format!("{value:#x} ({value})"),
    }
}

impl Run {
    /// The frame of a client's number.
    pub(super) fn frame(&self, id: u64) -> Option<usize> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.navigator.stack().get(index).map(|frame| frame.frame)
    }

    /// True if a reference is to variables in memory.
    pub(super) fn is_of_memory(reference: u64) -> bool {
        reference > 0 && (reference - 1) % KINDS >= MEMORY_REGIONS
    }

    /// The frame of variables.
    pub(super) fn frame_of(reference: u64) -> usize {
        usize::try_from(reference.saturating_sub(1) / KINDS).unwrap_or(usize::MAX)
    }

    fn is_64_bit(&self) -> bool {
        self.navigator.machine().program().isa().is_64_bit()
    }

    pub fn stack_trace(&self, arguments: StackTrace, lines: i64, columns: u32) -> Result<Value, String> {
        let stack = self.navigator.stack();
        if stack.is_empty() {
            let frame = json!({ "id": 1, "name": "(host)", "line": 0, "column": 0 });
            return Ok(json!({ "stackFrames": [frame], "totalFrames": 1 }));
        }
        let levels = if arguments.levels == 0 { usize::MAX } else { arguments.levels };
        let frames = stack.iter().zip(1..).skip(arguments.start_frame).take(levels).map(|(frame, id)| {
            let mut told = json!({
                "id": id,
                "name": frame.function,
                "line": 0,
                "column": 0,
                "instructionPointerReference": format!("{:#x}", frame.pc),
            });
            if let (Some(file), true) = (&frame.file, frame.line > 0) {
                told["source"] = self.source(file);
                told["line"] = (i64::from(frame.line) - lines).into();
                told["column"] = frame.column.max(1).saturating_sub(columns).into();
            }
            told
        });
        Ok(json!({ "stackFrames": frames.collect::<Vec<_>>(), "totalFrames": stack.len() }))
    }

    /// A source file as clients know it.
    fn source(&self, file: &str) -> Value {
        let name = file.rsplit('/').next().unwrap_or(file);
        match self.sources.path(file) {
            Some(path) => json!({ "name": name, "path": path.display().to_string() }),
            None => json!({ "name": name, "path": file, "presentationHint": "deemphasize" }),
        }
    }

    pub fn scopes(&self, arguments: &Scopes) -> Result<Value, String> {
        let is_in_host = self.navigator.machine().pc().is_none() && arguments.frame_id == 1;
        let frame = if is_in_host { Some(0) } else { self.frame(arguments.frame_id) };
        let frame = frame.ok_or_else(|| format!("there is no frame {}", arguments.frame_id))? as u64;
        let scope = |name: &str, kind: u64, expensive: bool| json!({ "name": name, "variablesReference": 1 + frame * KINDS + kind, "expensive": expensive });
        let mut registers = scope("Registers", REGISTERS, false);
        registers["presentationHint"] = "registers".into();
        Ok(json!({ "scopes": [
            registers, scope("Run", RUN, false), scope("Memory", MEMORY_REGIONS, false), scope("Stack", STACK, true),
        ] }))
    }

    pub fn variables(&self, arguments: &Variables) -> Result<Value, String> {
        let unknown = || format!("there are no variables {}", arguments.variables_reference);
        let kind = arguments.variables_reference.checked_sub(1).ok_or_else(unknown)? % KINDS;
        let frames = self.navigator.frames();
        let index = Run::frame_of(arguments.variables_reference);
        if index >= frames.len().max(1) {
            return Err(unknown());
        }
        let list = match kind {
            REGISTERS => self.registers(index),
            RUN => self.run(),
            MEMORY_REGIONS => self.regions(),
            _ => self.stack_words(frames.get(index).map_or(self.navigator.machine().reg(Reg::SP), |frame| frame.sp)),
        };
        Ok(json!({ "variables": list }))
    }

    /// Returns the registers of a frame, as far as they are known.
    fn registers(&self, index: usize) -> Vec<Value> {
        let machine = self.navigator.machine();
        let frames = self.navigator.frames();
        let (pc, registers) = match frames.get(index) {
            Some(frame) => (Some(frame.pc), frame.registers),
            None => (machine.pc(), machine.registers().map(Some)),
        };
        let is_64_bit = self.is_64_bit();
        let mut list: Vec<Value> = pc.map(|pc| variable("pc", format!("{pc:#x} ({pc})"))).into_iter().collect();
        for reg in Reg::ALL {
            let Some(value) = registers[reg as usize] else { continue };
            let mut told = variable(reg.name(), format_value(value, is_64_bit));
            told["evaluateName"] = reg.name().into();
            // Where it may point to.
            told["memoryReference"] = format!("{:#x}", value as u32).into();
            list.push(told);
        }
        list
    }

    fn run(&self) -> Vec<Value> {
        let machine = self.navigator.machine();
        let mut list = vec![
            variable("gas", machine.gas().to_string()),
            variable("position", machine.position().to_string()),
            variable("place", self.place()),
            variable("heap size", machine.heap_size().to_string()),
        ];
        if let Some(outcome) = machine.outcome() {
            list.push(variable("outcome", format!("{outcome:?}")));
        }
        list
    }

    fn regions(&self) -> Vec<Value> {
        let machine = self.navigator.machine();
        let map = machine.program().memory_map();
        let regions = [
            ("read-only data", MemoryMap::RO_BASE, map.ro_end()),
            ("read-write data and heap", map.rw_base(), map.rw_end_with_heap(machine.heap_size())),
            ("stack", map.stack_low(), map.stack_high()),
            ("auxiliary data", map.aux_base(), map.aux_end()),
        ];
        let present = regions.into_iter().filter(|(_, start, end)| start < end);
        let told = present.map(|(name, start, end)| {
            let mut told = variable(name, format!("{start:#x} to {end:#x}, {} bytes", end - start));
            told["memoryReference"] = format!("{start:#x}").into();
            told
        });
        told.collect()
    }

    /// The words from the stack pointer on.
    fn stack_words(&self, sp: u64) -> Vec<Value> {
        let machine = self.navigator.machine();
        let is_64_bit = self.is_64_bit();
        let size = if is_64_bit { 8 } else { 4 };
        let words = (0..WORDS).map_while(|index| {
            let offset = index * size;
            let address = (sp as u32).checked_add(offset)?;
            let mut bytes = [0; 8];
            machine.read_memory(address, &mut bytes[..size as usize]).ok()?;
            let name = format!("u{}[sp + {offset}]", 8 * size);
            let mut told = variable(&name, format_value(u64::from_le_bytes(bytes), is_64_bit));
            told["evaluateName"] = name.into();
            told["memoryReference"] = format!("{address:#x}").into();
            Some(told)
        });
        words.collect()
    }

    pub fn read_memory(&self, arguments: &ReadMemory) -> Result<Value, String> {
        let bad = || format!("`{}` is no address", arguments.memory_reference);
        let start = reference(&arguments.memory_reference).ok_or_else(bad)?;
        let start = start.checked_add(arguments.offset).and_then(|start| u32::try_from(start).ok()).ok_or_else(bad)?;
        let wanted = arguments.count.min(MEMORY).min((1 << 32) - u64::from(start));
        let bytes = self.readable(start, wanted as u32);
        Ok(json!({
            "address": format!("{start:#x}"),
            "data": BASE64_STANDARD.encode(&bytes),
            // What is not read because an answer has its limit can be asked for again.
            "unreadableBytes": wanted - bytes.len() as u64,
        }))
    }

    /// The bytes from an address on, up to the first that cannot be read.
    pub(super) fn readable(&self, start: u32, length: u32) -> Vec<u8> {
        let machine = self.navigator.machine();
        let mut bytes = vec![0; length as usize];
        let mut done: u32 = 0;
        while done < length {
            let address = start.wrapping_add(done);
            let piece = (length - done).min(PIECE - address % PIECE);
            let out = &mut bytes[done as usize..(done + piece) as usize];
            if machine.read_memory(address, out).is_err() {
                let is_unreadable = |(index, byte): (u32, &mut u8)| {
                    machine.read_memory(address + index, std::slice::from_mut(byte)).is_err()
                };
                done += (0..).zip(out.iter_mut()).position(is_unreadable).unwrap_or(0) as u32;
                break;
            }
            done += piece;
        }
        bytes.truncate(done as usize);
        bytes
    }

    pub fn disassemble(&self, arguments: &Disassemble, lines: i64) -> Result<Value, String> {
        let program = self.navigator.machine().program();
        let code = program.code();
        let count = arguments.instruction_count.min(INSTRUCTIONS);
        let bad = || format!("`{}` is no code offset", arguments.memory_reference);
        let start =
            reference(&arguments.memory_reference).ok_or_else(bad)?.checked_add(arguments.offset).ok_or_else(bad)?;
        // Instructions that there are, each with how far it is from the one at `start`.
        let at = start.clamp(0, code.len().into()) as u32;
        let at = self.navigator.instruction_at(at).unwrap_or(code.len());
        let first = arguments.instruction_offset;
        let mut before: Vec<u32> = Vec::new();
        if first < 0 {
            let wanted = usize::try_from(first.unsigned_abs()).unwrap_or(usize::MAX);
            let starts = (0..at).rev().filter(|offset| code.is_instruction_start(*offset));
            before = starts.take(wanted.min(2 * INSTRUCTIONS as usize)).collect();
            before.reverse();
        }
        let missing = first.min(0).unsigned_abs().saturating_sub(before.len() as u64);
        let skipped = usize::try_from(first.max(0)).unwrap_or(usize::MAX);
        let after = code.instructions_from(at).map(|decoded| decoded.offset).skip(skipped);
        let mut list: Vec<Value> = (0..missing.min(count)).map(|_| invalid(0)).collect();
        for offset in before.into_iter().chain(after).take(count as usize - list.len()) {
            list.push(self.instruction(offset, lines));
        }
        while (list.len() as u64) < count {
            list.push(invalid(u64::from(code.len()) + list.len() as u64));
        }
        Ok(json!({ "instructions": list }))
    }

    fn instruction(&self, offset: u32, lines: i64) -> Value {
        let code = self.navigator.machine().program().code();
        let Some(decoded) = code.decode(offset) else { return invalid(offset.into()) };
        let text = decoded.instruction.map_or("no instruction".to_owned(), |instruction| instruction.to_string());
        let bytes: Vec<String> =
            (offset..decoded.next).filter_map(|offset| code.byte(offset)).map(|byte| format!("{byte:02x}")).collect();
        let mut told = json!({
            "address": format!("{offset:#x}"), "instructionBytes": bytes.join(" "), "instruction": text,
        });
        let symbols = self.navigator.symbols();
        if let Some((file, line)) = symbols.line_at(offset) {
            told["location"] = self.source(file);
            told["line"] = (i64::from(line) - lines).into();
        }
        if let Some(name) = symbols.functions_at(offset).last() {
            told["symbol"] = (*name).into();
        }
        told
    }
}

/// Something in the place of an instruction that is not there.
fn invalid(address: u64) -> Value {
    json!({ "address": format!("{address:#x}"), "instruction": "", "presentationHint": "invalid" })
}
