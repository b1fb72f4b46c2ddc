//! The assembler: converts text to a blob.
//!
//! Used by tests and tools; the text is untrusted. Takes time and memory linear in the text, per round of growing jump
//! offsets (a handful). [`Blob::parse`] reads the result.

use super::layout::{Item, JumpTarget, LaidOutCode, lay_out};
use super::lexer::{Line, Position, quote};
use super::operand::{Operand, has_target, operands};
use super::{TextError, TextErrorKind};
use crate::blob::{Blob, MAGIC, varint};
use crate::isa::{Instruction, Isa, Opcode, Reg};
use crate::limits;
use alloc::{borrow::ToOwned, collections::BTreeMap, vec::Vec};

/// A jump target as written.
#[derive(Clone, Copy)]
enum Target<'a> {
    Label(&'a str, Position),
    Offset(u32),
}

/// Target of `.data` directives.
#[derive(Clone, Copy)]
enum DataTarget {
    RoData,
    RwData,
    Section,
}

/// A directive's value and position, once given.
type Given<T> = Option<(T, Position)>;

/// The parsed text.
struct ParsedText<'a> {
    isa: Isa,
    ro_size: Given<u32>,
    rw_size: Given<u32>,
    stack_size: Given<u32>,
    ro_data: Given<Vec<u8>>,
    rw_data: Given<Vec<u8>>,
    imports: Vec<Vec<u8>>,
    exports: Vec<(Vec<u8>, Target<'a>)>,
    jump_table: Vec<Target<'a>>,
    jump_table_form: Given<(u32, u8)>,
    /// Raw sections, by id; optional ones may repeat.
    sections: Vec<(u8, Vec<u8>, Position)>,
    open: Option<DataTarget>,
    trailing: Vec<u8>,
    items: Vec<Item>,
    /// The target of each item that jumps.
    targets: Vec<(usize, Target<'a>)>,
    raw: Vec<(u8, bool)>,
    labels: BTreeMap<&'a str, usize>,
    /// Position of the first item.
    code_position: Given<()>,
}

/// Assembles text to a blob; the language is described at [`super`].
///
/// # Errors
/// The first error, with its position.
pub fn assemble(text: &str) -> Result<Vec<u8>, TextError> {
    let mut source = None;
    let mut last = Position { line: 1, column: 1 };
    for (index, line) in text.lines().enumerate() {
        let mut line = Line::new(line, u32::try_from(index + 1).unwrap_or(u32::MAX));
        last = line.position();
        match &mut source {
            None if line.at_end() => {}
            None => source = Some(begin(&mut line)?),
            Some(source) => source.line(&mut line)?,
        }
    }
    source.ok_or(last.error(TextErrorKind::NoIsa))?.finish(last)
}

fn begin<'a>(line: &mut Line<'a>) -> Result<ParsedText<'a>, TextError> {
    let position = line.position();
    if line.word() != ".isa" {
        return Err(position.error(TextErrorKind::NoIsa));
    }
    let position = line.position();
    let name = line.word();
    let isa = Isa::ALL.into_iter().find(|isa| isa.name() == name);
    let isa = isa.ok_or_else(|| position.error(TextErrorKind::UnknownIsa { name: quote(name) }))?;
    line.finish()?;
    Ok(ParsedText {
        isa,
        ro_size: None,
        rw_size: None,
        stack_size: None,
        ro_data: None,
        rw_data: None,
        imports: Vec::new(),
        exports: Vec::new(),
        jump_table: Vec::new(),
        jump_table_form: None,
        sections: Vec::new(),
        open: None,
        trailing: Vec::new(),
        items: Vec::new(),
        targets: Vec::new(),
        raw: Vec::new(),
        labels: BTreeMap::new(),
        code_position: None,
    })
}

/// Sets a value that may be given only once.
fn once<T>(to: &mut Given<T>, value: T, name: &str, position: Position) -> Result<(), TextError> {
    match to {
        Some(_) => Err(position.error(TextErrorKind::Repeated { name: name.to_owned() })),
        None => {
            *to = Some((value, position));
            Ok(())
        }
    }
}

fn is_label(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '@')
}

fn target<'a>(line: &mut Line<'a>) -> Result<Target<'a>, TextError> {
    let position = line.position();
    let word = line.peek();
    if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return line.unsigned(u32::MAX).map(Target::Offset);
    }
    if !is_label(word) {
        return Err(line.expected("a label or a code offset"));
    }
    Ok(Target::Label(line.word(), position))
}

fn register(line: &mut Line<'_>) -> Result<Reg, TextError> {
    let found = Reg::ALL.into_iter().find(|reg| reg.name() == line.peek());
    let reg = found.ok_or_else(|| line.expected("a register"))?;
    line.word();
    Ok(reg)
}

impl<'a> ParsedText<'a> {
    fn line(&mut self, line: &mut Line<'a>) -> Result<(), TextError> {
        loop {
            if line.at_end() {
                return Ok(());
            }
            let position = line.position();
            let word = line.word();
            if line.take(':') {
                if !is_label(word) {
                    return Err(position.error(TextErrorKind::Expected { what: "a label", found: quote(word) }));
                }
                if self.labels.insert(word, self.items.len()).is_some() {
                    return Err(position.error(TextErrorKind::Repeated { name: quote(word) }));
                }
                continue;
            }
            match word.starts_with('.') {
                true => self.directive(word, position, line)?,
                false => self.instruction(word, position, line)?,
            }
            return line.finish();
        }
    }

    fn directive(&mut self, word: &str, position: Position, line: &mut Line<'a>) -> Result<(), TextError> {
        match word {
            ".isa" => Err(position.error(TextErrorKind::Repeated { name: word.to_owned() })),
            ".ro_size" => once(&mut self.ro_size, line.unsigned(u32::MAX)?, word, position),
            ".rw_size" => once(&mut self.rw_size, line.unsigned(u32::MAX)?, word, position),
            ".stack_size" => once(&mut self.stack_size, line.unsigned(u32::MAX)?, word, position),
            ".ro_data" => {
                once(&mut self.ro_data, Vec::new(), word, position)?;
                self.open = Some(DataTarget::RoData);
                self.data(position, line)
            }
            ".rw_data" => {
                once(&mut self.rw_data, Vec::new(), word, position)?;
                self.open = Some(DataTarget::RwData);
                self.data(position, line)
            }
            ".section" => {
                let id = line.number(1, 255)? as u8;
                if id < 128 && self.sections.iter().any(|section| section.0 == id) {
                    return Err(position.error(TextErrorKind::Repeated { name: alloc::format!(".section {id}") }));
                }
                self.sections.push((id, Vec::new(), position));
                self.open = Some(DataTarget::Section);
                self.data(position, line)
            }
            ".data" => self.data(position, line),
            ".trailing" => line.bytes(&mut self.trailing),
            ".import" => {
                self.imports.push(line.string()?);
                let (actual, limit) = (self.imports.len() as u64, u64::from(limits::IMPORTS));
                too_long("number of imports", actual, limit, position)
            }
            ".export" => {
                let symbol = line.string()?;
                self.exports.push((symbol, target(line)?));
                Ok(())
            }
            ".jump_table" => {
                loop {
                    self.jump_table.push(target(line)?);
                    if !line.take(',') {
                        break;
                    }
                }
                let actual = self.jump_table.len() as u64;
                too_long("jump table", actual, u64::from(limits::FORMAT_JUMP_TABLE_ENTRIES), position)
            }
            ".jump_table_form" => {
                let count = line.unsigned(limits::FORMAT_JUMP_TABLE_ENTRIES)?;
                let size = line.unsigned(4)? as u8;
                once(&mut self.jump_table_form, (count, size), word, position)
            }
            ".bytes" => self.raw_code(position, line),
            _ => Err(position.error(TextErrorKind::UnknownDirective { name: quote(word) })),
        }
    }

    fn data(&mut self, position: Position, line: &mut Line<'a>) -> Result<(), TextError> {
        let to = match self.open {
            Some(DataTarget::RoData) => self.ro_data.as_mut().map(|(data, _)| data),
            Some(DataTarget::RwData) => self.rw_data.as_mut().map(|(data, _)| data),
            Some(DataTarget::Section) => self.sections.last_mut().map(|(_, data, _)| data),
            None => None,
        };
        let what = ".ro_data, .rw_data or .section before .data";
        let to = to.ok_or_else(|| position.error(TextErrorKind::Expected { what, found: ".data".to_owned() }))?;
        line.bytes(to)
    }

    fn raw_code(&mut self, position: Position, line: &mut Line<'a>) -> Result<(), TextError> {
        self.code_position.get_or_insert(((), position));
        let before = self.raw.len();
        while !line.at_end() {
            let starts = line.take('*');
            self.raw.push((line.hex()?, starts));
        }
        self.items.push(Item::Raw { count: self.raw.len() - before });
        Ok(())
    }

    fn instruction(&mut self, word: &'a str, position: Position, line: &mut Line<'a>) -> Result<(), TextError> {
        self.code_position.get_or_insert(((), position));
        let (name, width) = match word.split_once(".w") {
            Some((name, width)) => (name, Some(width)),
            None => (word, None),
        };
        let opcode = Opcode::all().find(|opcode| opcode.spec().mnemonic == name);
        let opcode = opcode.ok_or_else(|| position.error(TextErrorKind::UnknownMnemonic { name: quote(word) }))?;
        let (mnemonic, format) = (opcode.spec().mnemonic, opcode.spec().format);
        let width = match width.map(str::as_bytes) {
            None => None,
            Some(_) if !has_target(format) => return Err(position.error(TextErrorKind::NoOffset { mnemonic })),
            Some([digit @ b'0'..=b'4']) => Some(digit - b'0'),
            Some(_) => {
                let what = "a width of .w0 to .w4";
                return Err(position.error(TextErrorKind::Expected { what, found: quote(word) }));
            }
        };
        if self.isa.number(opcode).is_none() {
            return Err(position.error(TextErrorKind::NotInIsa { mnemonic, isa: self.isa }));
        }
        let mut instruction = Instruction::none(opcode);
        for (index, operand) in operands(format).iter().enumerate() {
            if index > 0 {
                line.demand(',', "a comma")?;
            }
            self.operand(*operand, &mut instruction, line)?;
        }
        self.items.push(Item::Instruction { instruction, jump_target: JumpTarget::Offset(0), width, position });
        Ok(())
    }

    fn operand(&mut self, operand: Operand, to: &mut Instruction, line: &mut Line<'a>) -> Result<(), TextError> {
        let (min, max) = (i128::from(i32::MIN), i128::from(i32::MAX));
        match operand {
            Operand::R1 => to.r1 = register(line)?,
            Operand::R2 => to.r2 = register(line)?,
            Operand::R3 => to.r3 = register(line)?,
            Operand::Imm => to.imm = line.number(min, max)? as i64,
            Operand::Imm2 => to.imm2 = line.number(min, max)? as i32,
            // Signed or unsigned: both give the same bits.
            Operand::Wide => to.imm = line.number(i64::MIN.into(), u64::MAX.into())? as i64,
            Operand::Target => self.targets.push((self.items.len(), target(line)?)),
        }
        Ok(())
    }

    fn jump_target(&self, target: Target<'a>) -> Result<JumpTarget, TextError> {
        match target {
            Target::Offset(offset) => Ok(JumpTarget::Offset(offset)),
            Target::Label(name, position) => match self.labels.get(name) {
                Some(index) => Ok(JumpTarget::Item(*index)),
                None => Err(position.error(TextErrorKind::UnknownLabel { name: quote(name) })),
            },
        }
    }

    fn finish(mut self, last: Position) -> Result<Vec<u8>, TextError> {
        for (index, target) in core::mem::take(&mut self.targets) {
            let resolved = self.jump_target(target)?;
            if let Some(Item::Instruction { jump_target, .. }) = self.items.get_mut(index) {
                *jump_target = resolved;
            }
        }
        let code_position = self.code_position.map_or(last, |(_, position)| position);
        let code = lay_out(self.isa, &self.items, &self.raw, code_position)?;
        let content = [
            self.memory_section()?,
            self.ro_data.take(),
            self.rw_data.take(),
            self.imports_section(last),
            self.exports_section(&code, last)?,
            self.code_section(&code, code_position)?,
        ];

        let mut out = MAGIC.to_vec();
        out.push(self.isa.version());
        let length_at = out.len();
        out.extend([0; 8]);
        for (id, content) in (1..).zip(content) {
            let as_it_is = self.sections.iter().find(|section| section.0 == id);
            let content = content.filter(|(content, _)| !content.is_empty());
            match (as_it_is, content) {
                (Some((.., position)), Some(_)) => {
                    return Err(position.error(TextErrorKind::Repeated { name: alloc::format!(".section {id}") }));
                }
                (Some((_, content, position)), None) => section(&mut out, id, content, *position)?,
                (None, Some((content, position))) => section(&mut out, id, &content, position)?,
                (None, None) => {}
            }
        }
        for (id, content, position) in self.sections.iter().filter(|section| section.0 > 6) {
            section(&mut out, *id, content, *position)?;
        }
        out.push(0);
        out.extend(&self.trailing);
        let length = out.len() as u64;
        out.splice(length_at..length_at + 8, length.to_le_bytes());
        match Blob::parse(&out) {
            Ok(_) => Ok(out),
            Err(error) => {
                // Everything else was checked before: the error is in a section that was given as raw bytes.
                let position = self.sections.iter().find(|section| section.0 < 128).map_or(last, |section| section.2);
                Err(position.error(TextErrorKind::Blob(error)))
            }
        }
    }

    fn memory_section(&self) -> Result<Given<Vec<u8>>, TextError> {
        let mut content = Vec::new();
        let mut position = None;
        for (size, data, what) in [
            (&self.ro_size, self.ro_data.as_ref(), "read-only data in bytes"),
            (&self.rw_size, self.rw_data.as_ref(), "read-write data in bytes"),
            (&self.stack_size, None, ""),
        ] {
            let length = data.map_or(0, |(data, _)| data.len() as u64);
            let limit = size.map_or(u32::MAX, |(size, _)| size);
            let at = size.map(|(_, position)| position).or(data.map(|(_, position)| *position));
            too_long(what, length, u64::from(limit), at.unwrap_or_default())?;
            position = position.or(at);
            varint::write(&mut content, size.map_or(length as u32, |(size, _)| size));
        }
        // Writers leave the section out if all sizes are 0.
        let sizes_given = content != [0; 3];
        Ok(position.filter(|_| sizes_given).map(|position| (content, position)))
    }

    fn imports_section(&self, position: Position) -> Given<Vec<u8>> {
        let mut content = Vec::new();
        if self.imports.is_empty() {
            return None;
        }
        varint::write(&mut content, self.imports.len() as u32);
        let mut offset = 0u32;
        for symbol in &self.imports {
            content.extend(offset.to_le_bytes());
            // A section of this length is refused when it is written.
            offset = offset.wrapping_add(symbol.len() as u32);
        }
        content.extend(self.imports.iter().flatten());
        Some((content, position))
    }

    fn exports_section(&self, code: &LaidOutCode, position: Position) -> Result<Given<Vec<u8>>, TextError> {
        let mut content = Vec::new();
        if self.exports.is_empty() {
            return Ok(None);
        }
        varint::write(&mut content, self.exports.len() as u32);
        for (symbol, target) in &self.exports {
            varint::write(&mut content, code.offset(self.jump_target(*target)?));
            varint::write(&mut content, symbol.len() as u32);
            content.extend(symbol);
        }
        Ok(Some((content, position)))
    }

    fn code_section(&self, code: &LaidOutCode, position: Position) -> Result<Given<Vec<u8>>, TextError> {
        let is_given = self.code_position.is_some() || self.jump_table_form.is_some() || !self.jump_table.is_empty();
        if !is_given && self.sections.iter().any(|section| section.0 == 6) {
            return Ok(None);
        }
        let targets =
            self.jump_table.iter().map(|target| self.jump_target(*target).map(|jump_target| code.offset(jump_target)));
        let targets = targets.collect::<Result<Vec<u32>, _>>()?;
        let usual = (targets.len() as u32, targets.iter().max().map_or(0, |largest| unsigned_size(*largest).max(1)));
        let (count, size) = match self.jump_table_form {
            None => usual,
            Some(((count, size), position)) => {
                let entries = if size == 0 { 0 } else { count };
                if entries != usual.0 {
                    let (value, min, max) = (usual.0.into(), entries.into(), entries.into());
                    return Err(position.error(TextErrorKind::OutOfRange { value, min, max }));
                }
                if entries > 0 && size < unsigned_size(targets.iter().copied().max().unwrap_or_default()) {
                    let (value, min) = (size.into(), usual.1.into());
                    return Err(position.error(TextErrorKind::OutOfRange { value, min, max: 4 }));
                }
                (count, size)
            }
        };
        let mut content = Vec::new();
        varint::write(&mut content, count);
        content.push(size);
        varint::write(&mut content, code.bytes.len() as u32);
        for target in targets {
            content.extend(target.to_le_bytes().iter().take(usize::from(size)));
        }
        content.extend(&code.bytes);
        content.extend(&code.bitmask);
        Ok(Some((content, position)))
    }
}

/// The fewest bytes that hold `value`.
const fn unsigned_size(value: u32) -> u8 {
    4 - (value.leading_zeros() / 8) as u8
}

fn too_long(what: &'static str, actual: u64, limit: u64, position: Position) -> Result<(), TextError> {
    match actual > limit {
        true => Err(position.error(TextErrorKind::TooLong { what, actual, limit })),
        false => Ok(()),
    }
}

/// Appends a section, an empty one too.
fn section(out: &mut Vec<u8>, id: u8, content: &[u8], position: Position) -> Result<(), TextError> {
    too_long("section in bytes", content.len() as u64, u64::from(u32::MAX), position)?;
    out.push(id);
    varint::write(out, content.len() as u32);
    out.extend(content);
    Ok(())
}
