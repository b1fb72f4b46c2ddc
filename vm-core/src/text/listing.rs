//! The disassembler: lists a blob as text that [`super::assemble`] converts back to the same blob.
//!
//! Used by tests and tools. Any blob that can be parsed can be listed. The text is written incrementally, and is about
//! thirty times as long as the code.

use super::layout::width_of;
use super::operand::{has_target, pseudocode, write};
use super::widths::{Jump, stated};
use crate::blob::{Blob, BlobError, JumpTable, MemoryConfig, RawSection, sections};
use crate::gas::{self, CostModelKind, ProgramFacts};
use crate::isa::{self, CodeView, Decoded, Instruction};
use crate::memory::MemoryMap;
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
use core::fmt;

/// Bytes of data per line.
const BYTES_IN_LINE: usize = 16;

/// Id of the code section.
const CODE: u8 = 6;

/// Maximum length in bytes of an import's name in the comment beside a call.
const NAME_IN_COMMENT: usize = 60;

/// Column at which comments start.
const COMMENT_COLUMN: usize = 57;

/// A blob that can be displayed as text.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    bytes: &'a [u8],
    blob: Blob<'a>,
    comments: bool,
    gas: Option<CostModelKind>,
}

/// Form in which an instruction is listed.
enum Form {
    /// As an instruction.
    Plain,
    /// As a jump with an explicit offset width in bytes.
    Jump(u8),
    /// As raw bytes.
    Raw,
}

impl<'a> Listing<'a> {
    /// Makes a listing of the blob in `bytes`.
    ///
    /// # Errors
    /// If `bytes` are not a blob.
    pub fn new(bytes: &'a [u8]) -> Result<Self, BlobError> {
        Ok(Listing { bytes, blob: Blob::parse(bytes)?, comments: false, gas: None })
    }

    /// Adds comments: the offset of each instruction and its meaning.
    pub fn with_comments(self) -> Self {
        Listing { comments: true, ..self }
    }

    /// Adds comments: the cost of each basic block.
    pub fn with_gas(self, model: CostModelKind) -> Self {
        Listing { gas: Some(model), ..self }
    }

    fn fmt_section(&self, f: &mut fmt::Formatter<'_>, raw: &RawSection<'_>, labels: &BTreeSet<u32>) -> fmt::Result {
        let as_it_is = |f: &mut fmt::Formatter<'_>| {
            writeln!(f, ".section {}", raw.id)?;
            data(f, raw.content, None)
        };
        match (raw.id, raw.content) {
            (1..=5, []) => as_it_is(f),
            (1, _) => {
                let MemoryConfig { ro_data_size, rw_data_size, stack_size } = self.blob.memory_config();
                if (ro_data_size, rw_data_size, stack_size) == (0, 0, 0) {
                    return as_it_is(f);
                }
                writeln!(f, ".ro_size {ro_data_size}\n.rw_size {rw_data_size}\n.stack_size {stack_size}")
            }
            (2, content) => {
                f.write_str("\n.ro_data\n")?;
                data(f, content, Some(MemoryMap::RO_BASE))
            }
            (3, content) => {
                f.write_str("\n.rw_data\n")?;
                let map = MemoryMap::new(crate::limits::PAGE_SIZE, self.blob.memory_config(), 0);
                data(f, content, map.ok().map(|map| map.rw_base()))
            }
            (4, content) if self.imports_are_plain(content) => {
                f.write_str("\n")?;
                for (number, symbol) in self.blob.imports().flatten().enumerate() {
                    comment(f, &format!(".import {}", Quoted(symbol)), &format!("{number}"))?;
                }
                Ok(())
            }
            (5, content) if self.exports_are_plain(content) => {
                f.write_str("\n")?;
                for export in self.blob.exports() {
                    write!(f, ".export {} ", Quoted(export.symbol))?;
                    target(f, export.code_offset, labels)?;
                    f.write_str("\n")?;
                }
                Ok(())
            }
            _ => {
                f.write_str("\n")?;
                as_it_is(f)
            }
        }
    }

    /// True if listing the imports by name reproduces the section.
    fn imports_are_plain(&self, content: &[u8]) -> bool {
        let mut written = Vec::new();
        let imports = self.blob.imports();
        crate::blob::varint::write(&mut written, imports.count_all());
        let mut offset = 0usize;
        for symbol in imports {
            let Some(symbol) = symbol else { return false };
            written.extend((offset as u32).to_le_bytes());
            offset = offset.saturating_add(symbol.len());
            // Ranges may overlap, so that their sum is far longer than the section.
            if offset > content.len() {
                return false;
            }
        }
        written.extend(imports.flatten().flatten());
        imports.count_all() > 0 && written == content
    }

    /// True if listing the exports by name reproduces the section.
    fn exports_are_plain(&self, content: &[u8]) -> bool {
        let mut written = Vec::new();
        let count = self.blob.exports().count();
        crate::blob::varint::write(&mut written, count as u32);
        for export in self.blob.exports() {
            crate::blob::varint::write(&mut written, export.code_offset);
            crate::blob::varint::write(&mut written, export.symbol.len() as u32);
            written.extend(export.symbol);
        }
        count > 0 && written == content
    }

    /// Returns the labels: code offsets of instructions that are jump targets, exports, or in the jump table.
    fn labels(&self) -> BTreeSet<u32> {
        let view = self.blob.code_view();
        let exports = self.blob.exports().map(|export| export.code_offset);
        let jumps = view.instructions().filter_map(|decoded| match form(&view, &decoded) {
            Form::Jump(_) => decoded.instruction.map(|instruction| instruction.target),
            _ => None,
        });
        let all = exports.chain(self.blob.jump_table().iter()).chain(jumps);
        all.filter(|offset| view.is_instruction_start(*offset)).collect()
    }

    fn fmt_jump_table(&self, f: &mut fmt::Formatter<'_>, raw: &RawSection<'_>, labels: &BTreeSet<u32>) -> fmt::Result {
        let table: JumpTable<'_> = self.blob.jump_table();
        let (_, size) = table.raw();
        let usual = table.iter().max().map_or(0, |largest| 4 - (largest | 1).leading_zeros() / 8);
        let count = crate::blob::varint::read(raw.content).map_or(0, |(count, _)| count);
        if u32::from(size) != usual || count != table.len() {
            writeln!(f, "\n.jump_table_form {count} {size}")?;
        }
        if !table.is_empty() {
            f.write_str("\n")?;
        }
        for (index, entry) in (1u64..).zip(table.iter()) {
            let mut text = String::from(".jump_table ");
            target(&mut text, entry, labels)?;
            comment(f, &text, &format!("{}", 2 * index))?;
        }
        Ok(())
    }

    fn fmt_code(&self, f: &mut fmt::Formatter<'_>, labels: &BTreeSet<u32>) -> fmt::Result {
        let view = self.blob.code_view();
        let jumps: Vec<Jump> = view
            .instructions()
            .filter_map(|decoded| match (form(&view, &decoded), decoded.instruction) {
                (Form::Jump(width), Some(Instruction { target, .. })) => {
                    Some(Jump { offset: decoded.offset, target, width, is_label: labels.contains(&target) })
                }
                _ => None,
            })
            .collect();
        let mut stated = stated(&jumps).into_iter();

        f.write_str("\n")?;
        let mut described = 0;
        for decoded in view.instructions() {
            if decoded.offset >= described {
                described = self.fmt_source(f, decoded.offset)?;
            }
            self.fmt_block_start(f, &view, decoded.offset, labels)?;
            let form = form(&view, &decoded);
            let (instruction, width) = match (form, decoded.instruction) {
                (Form::Plain, Some(instruction)) => (instruction, None),
                (Form::Jump(width), Some(instruction)) => (instruction, stated.next().unwrap_or(true).then_some(width)),
                _ => {
                    self.fmt_raw(f, &view, &decoded)?;
                    continue;
                }
            };
            let text = format!("        {}", Shown { instruction, width, label: labels.contains(&instruction.target) });
            match self.comment_on(&decoded, &instruction) {
                Some(words) => comment(f, &text, &words)?,
                None => writeln!(f, "{text}")?,
            }
        }
        Ok(())
    }

    /// Returns the comment beside an instruction. A host call always has one, with the name of the import.
    fn comment_on(&self, decoded: &Decoded, instruction: &Instruction) -> Option<String> {
        let is_call = instruction.opcode.spec().gas_class == isa::GasClass::HostCall;
        let symbol = self.blob.imports().get(instruction.imm as u32).filter(|_| is_call);
        // Names can be long, and calls many: bound the output.
        let name = symbol.map(|symbol| format!("{}", Quoted(symbol.get(..NAME_IN_COMMENT).unwrap_or(symbol))));
        if !self.comments {
            return name;
        }
        let mut words = format!("{:>5}: {}", decoded.offset, pseudocode(instruction));
        if let Some(name) = name {
            words.push(' ');
            words.push_str(&name);
        }
        Some(words)
    }

    fn fmt_block_start(
        &self,
        f: &mut fmt::Formatter<'_>,
        view: &CodeView<'_>,
        offset: u32,
        labels: &BTreeSet<u32>,
    ) -> fmt::Result {
        let cost = self.gas.and_then(|model| {
            let map = MemoryMap::new(crate::limits::PAGE_SIZE, self.blob.memory_config(), 0).ok()?;
            gas::block_cost(model, ProgramFacts::new(&map, view), view, offset)
        });
        let label = if labels.contains(&offset) { format!("@{offset}:") } else { String::new() };
        match cost {
            Some(cost) => comment(f, &label, &format!("block {offset}: gas {cost}")),
            None if label.is_empty() => Ok(()),
            None => writeln!(f, "{label}"),
        }
    }

    /// Writes the function and line that code comes from, if the blob has them. Returns the end of the range that they
    /// hold for.
    fn fmt_source(&self, f: &mut fmt::Formatter<'_>, offset: u32) -> Result<u32, fmt::Error> {
        // Malformed debug information must not make the listing fail.
        let Ok(Some(source)) = self.blob.source_at(offset) else { return Ok(offset.saturating_add(1)) };
        for (depth, frame) in source.frames().rev().enumerate() {
            let name = match (frame.namespace(), frame.function()) {
                (Ok(Some(namespace)), Ok(Some(function))) => format!("{namespace}::{function}"),
                (_, Ok(Some(function))) => String::from(function),
                _ => String::from("?"),
            };
            let place = match (frame.path(), frame.line()) {
                (Ok(Some(path)), Some(line)) => format!(" at {path}:{line}"),
                (Ok(Some(path)), None) => format!(" in {path}"),
                _ => String::new(),
            };
            let inlined = if depth > 0 { "  inlined into " } else { "" };
            comment(f, "", &format!("{inlined}{}{}", OneLine(&name), OneLine(&place)))?;
        }
        Ok(source.range().end.max(offset.saturating_add(1)))
    }

    fn fmt_raw(&self, f: &mut fmt::Formatter<'_>, view: &CodeView<'_>, decoded: &Decoded) -> fmt::Result {
        let mut offset = decoded.offset;
        while offset < decoded.next {
            let end = decoded.next.min(offset.saturating_add(BYTES_IN_LINE as u32));
            let mut text = String::from("        .bytes");
            for at in offset..end {
                let star = if view.bit(at) { "*" } else { "" };
                text.push_str(&format!(" {star}{:02x}", view.byte(at).unwrap_or_default()));
            }
            match (decoded.instruction, offset == decoded.offset) {
                (Some(instruction), true) => comment(f, &text, &format!("{offset:>5}: {instruction}"))?,
                (None, true) => comment(f, &text, &format!("{offset:>5}: no instruction"))?,
                (_, false) => writeln!(f, "{text}")?,
            }
            offset = end;
        }
        Ok(())
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.labels();
        writeln!(f, ".isa {}", self.blob.isa().name())?;
        let mut all = sections(self.bytes);
        for raw in all.by_ref() {
            if raw.id == CODE {
                self.fmt_jump_table(f, &raw, &labels)?;
                self.fmt_code(f, &labels)?;
            } else {
                self.fmt_section(f, &raw, &labels)?;
            }
        }
        for line in all.trailing().chunks(BYTES_IN_LINE) {
            writeln!(f, ".trailing{}", Hex(line))?;
        }
        Ok(())
    }
}

/// Selects the form of an instruction that assembles to the same bytes.
fn form(view: &CodeView<'_>, decoded: &Decoded) -> Form {
    let Some(instruction) = decoded.instruction else { return Form::Raw };
    let Ok(canonical) = isa::assemble(view.isa(), &[Instruction { target: 0, ..instruction }]) else {
        return Form::Raw;
    };
    let mut offset = decoded.offset;
    for byte in &canonical.code {
        if offset >= decoded.next || view.byte(offset) != Some(*byte) {
            return Form::Raw;
        }
        offset += 1;
    }
    let rest = decoded.next - offset;
    if !has_target(instruction.format()) {
        return if rest == 0 { Form::Plain } else { Form::Raw };
    }
    // The target was decoded by sign-extending these bytes, if they are no more than four.
    let distance = instruction.target.wrapping_sub(decoded.offset) as i32;
    match u8::try_from(rest) {
        Ok(width @ 0..=4) if width_of(distance) <= width => Form::Jump(width),
        _ => Form::Raw,
    }
}

fn target(out: &mut dyn fmt::Write, offset: u32, labels: &BTreeSet<u32>) -> fmt::Result {
    match labels.contains(&offset) {
        true => write!(out, "@{offset}"),
        false => write!(out, "{offset:#x}"),
    }
}

fn comment(f: &mut fmt::Formatter<'_>, text: &str, comment: &str) -> fmt::Result {
    writeln!(f, "{text:<COMMENT_COLUMN$} ; {comment}")
}

/// Writes lines of data, with their addresses and contents.
fn data(f: &mut fmt::Formatter<'_>, bytes: &[u8], base: Option<u32>) -> fmt::Result {
    for (index, line) in bytes.chunks(BYTES_IN_LINE).enumerate() {
        let visible = line.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        });
        let visible: String = visible.collect();
        let at = base.unwrap_or_default().wrapping_add((index * BYTES_IN_LINE) as u32);
        comment(f, &format!("    .data{}", Hex(line)), &format!("{at:#07x} {visible}"))?;
    }
    Ok(())
}

/// An instruction in one of its forms, for display.
struct Shown {
    instruction: Instruction,
    width: Option<u8>,
    label: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.instruction, self.width, self.label)
    }
}

/// Pairs of hex digits, each preceded by a blank.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}

/// Text from a blob within a comment, escaped so that it stays on one line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

/// String literal for any bytes.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for byte in self.0 {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_str("\"")
    }
}
