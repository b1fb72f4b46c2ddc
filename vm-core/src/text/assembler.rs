//! The assembler: text in, a blob out.
//!
//! Used by tests and tools, with text from anyone. Takes time and memory linear in the text, but for the rounds in which
//! jump offsets grow (a handful). What it gives, [`Blob::parse`] reads.

use super::layout::{Code, Goal, Item, lay_out};
use super::lexer::{Line, Place, quote};
use super::operand::{Operand, has_target, operands};
use super::{TextError, TextErrorKind};
use crate::blob::{Blob, MAGIC, varint};
use crate::isa::{Instruction, Isa, Opcode, Reg};
use crate::limits;
use alloc::{borrow::ToOwned, collections::BTreeMap, vec::Vec};

/// A jump target as written.
#[derive(Clone, Copy)]
enum Target<'a> {
    Label(&'a str, Place),
    Offset(u32),
}

/// What `.data` adds to.
#[derive(Clone, Copy)]
enum Open {
    RoData,
    RwData,
    Section,
}

/// A directive's value and where it was given.
type Given<T> = Option<(T, Place)>;

/// All that the text says.
struct Source<'a> {
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
    /// Sections as they are, by id; optional ones may repeat.
    sections: Vec<(u8, Vec<u8>, Place)>,
    open: Option<Open>,
    trailing: Vec<u8>,
    items: Vec<Item>,
    /// The target of each item that jumps.
    targets: Vec<(usize, Target<'a>)>,
    raw: Vec<(u8, bool)>,
    labels: BTreeMap<&'a str, usize>,
    /// Of the first item.
    code_place: Given<()>,
}

/// Makes a blob from text; the language is described at [`super`].
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn assemble(text: &str) -> Result<Vec<u8>, TextError> {
    let mut source = None;
    let mut last = Place { line: 1, column: 1 };
    for (index, line) in text.lines().enumerate() {
        let mut line = Line::new(line, u32::try_from(index + 1).unwrap_or(u32::MAX));
        last = line.place();
        match &mut source {
            None if line.at_end() => {}
            None => source = Some(begin(&mut line)?),
            Some(source) => source.line(&mut line)?,
        }
    }
    source.ok_or(last.error(TextErrorKind::NoIsa))?.finish(last)
}

fn begin<'a>(line: &mut Line<'a>) -> Result<Source<'a>, TextError> {
    let place = line.place();
    if line.word() != ".isa" {
        return Err(place.error(TextErrorKind::NoIsa));
    }
    let place = line.place();
    let name = line.word();
    let isa = Isa::ALL.into_iter().find(|isa| isa.name() == name);
    let isa = isa.ok_or_else(|| place.error(TextErrorKind::UnknownIsa { name: quote(name) }))?;
    line.finish()?;
    Ok(Source {
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
        code_place: None,
    })
}

/// Sets what may be given once.
fn once<T>(to: &mut Given<T>, value: T, name: &str, place: Place) -> Result<(), TextError> {
    match to {
        Some(_) => Err(place.error(TextErrorKind::Repeated { name: name.to_owned() })),
        None => {
            *to = Some((value, place));
            Ok(())
        }
    }
}

fn is_label(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '@')
}

fn target<'a>(line: &mut Line<'a>) -> Result<Target<'a>, TextError> {
    let place = line.place();
    let word = line.peek();
    if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return line.unsigned(u32::MAX).map(Target::Offset);
    }
    if !is_label(word) {
        return Err(line.expected("a label or a code offset"));
    }
    Ok(Target::Label(line.word(), place))
}

fn register(line: &mut Line<'_>) -> Result<Reg, TextError> {
    let found = Reg::ALL.into_iter().find(|reg| reg.name() == line.peek());
    let reg = found.ok_or_else(|| line.expected("a register"))?;
    line.word();
    Ok(reg)
}

impl<'a> Source<'a> {
    fn line(&mut self, line: &mut Line<'a>) -> Result<(), TextError> {
        loop {
            if line.at_end() {
                return Ok(());
            }
            let place = line.place();
            let word = line.word();
            if line.take(':') {
                if !is_label(word) {
                    return Err(place.error(TextErrorKind::Expected { what: "a label", found: quote(word) }));
                }
                if self.labels.insert(word, self.items.len()).is_some() {
                    return Err(place.error(TextErrorKind::Repeated { name: quote(word) }));
                }
                continue;
            }
            match word.starts_with('.') {
                true => self.directive(word, place, line)?,
                false => self.instruction(word, place, line)?,
            }
            return line.finish();
        }
    }

    fn directive(&mut self, word: &str, place: Place, line: &mut Line<'a>) -> Result<(), TextError> {
        match word {
            ".isa" => Err(place.error(TextErrorKind::Repeated { name: word.to_owned() })),
            ".ro_size" => once(&mut self.ro_size, line.unsigned(u32::MAX)?, word, place),
            ".rw_size" => once(&mut self.rw_size, line.unsigned(u32::MAX)?, word, place),
            ".stack_size" => once(&mut self.stack_size, line.unsigned(u32::MAX)?, word, place),
            ".ro_data" => {
                once(&mut self.ro_data, Vec::new(), word, place)?;
                self.open = Some(Open::RoData);
                self.data(place, line)
            }
            ".rw_data" => {
                once(&mut self.rw_data, Vec::new(), word, place)?;
                self.open = Some(Open::RwData);
                self.data(place, line)
            }
            ".section" => {
                let id = line.number(1, 255)? as u8;
                if id < 128 && self.sections.iter().any(|section| section.0 == id) {
                    return Err(place.error(TextErrorKind::Repeated { name: alloc::format!(".section {id}") }));
                }
                self.sections.push((id, Vec::new(), place));
                self.open = Some(Open::Section);
                self.data(place, line)
            }
            ".data" => self.data(place, line),
            ".trailing" => line.bytes(&mut self.trailing),
            ".import" => {
                self.imports.push(line.string()?);
                let (actual, limit) = (self.imports.len() as u64, u64::from(limits::IMPORTS));
                too_long("number of imports", actual, limit, place)
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
                too_long("jump table", actual, u64::from(limits::FORMAT_JUMP_TABLE_ENTRIES), place)
            }
            ".jump_table_form" => {
                let count = line.unsigned(limits::FORMAT_JUMP_TABLE_ENTRIES)?;
                let size = line.unsigned(4)? as u8;
                once(&mut self.jump_table_form, (count, size), word, place)
            }
            ".bytes" => self.raw_code(place, line),
            _ => Err(place.error(TextErrorKind::UnknownDirective { name: quote(word) })),
        }
    }

    fn data(&mut self, place: Place, line: &mut Line<'a>) -> Result<(), TextError> {
        let to = match self.open {
            Some(Open::RoData) => self.ro_data.as_mut().map(|(data, _)| data),
            Some(Open::RwData) => self.rw_data.as_mut().map(|(data, _)| data),
            Some(Open::Section) => self.sections.last_mut().map(|(_, data, _)| data),
            None => None,
        };
        let what = ".ro_data, .rw_data or .section before .data";
        let to = to.ok_or_else(|| place.error(TextErrorKind::Expected { what, found: ".data".to_owned() }))?;
        line.bytes(to)
    }

    fn raw_code(&mut self, place: Place, line: &mut Line<'a>) -> Result<(), TextError> {
        self.code_place.get_or_insert(((), place));
        let before = self.raw.len();
        while !line.at_end() {
            let starts = line.take('*');
            self.raw.push((line.hex()?, starts));
        }
        self.items.push(Item::Raw { count: self.raw.len() - before });
        Ok(())
    }

    fn instruction(&mut self, word: &'a str, place: Place, line: &mut Line<'a>) -> Result<(), TextError> {
        self.code_place.get_or_insert(((), place));
        let (name, width) = match word.split_once(".w") {
            Some((name, width)) => (name, Some(width)),
            None => (word, None),
        };
        let opcode = Opcode::all().find(|opcode| opcode.spec().mnemonic == name);
        let opcode = opcode.ok_or_else(|| place.error(TextErrorKind::UnknownMnemonic { name: quote(word) }))?;
        let (mnemonic, format) = (opcode.spec().mnemonic, opcode.spec().format);
        let width = match width.map(str::as_bytes) {
            None => None,
            Some(_) if !has_target(format) => return Err(place.error(TextErrorKind::NoOffset { mnemonic })),
            Some([digit @ b'0'..=b'4']) => Some(digit - b'0'),
            Some(_) => {
                let what = "a width of .w0 to .w4";
                return Err(place.error(TextErrorKind::Expected { what, found: quote(word) }));
            }
        };
        if self.isa.number(opcode).is_none() {
            return Err(place.error(TextErrorKind::NotInIsa { mnemonic, isa: self.isa }));
        }
        let mut instruction = Instruction::none(opcode);
        for (index, operand) in operands(format).iter().enumerate() {
            if index > 0 {
                line.demand(',', "a comma")?;
            }
            self.operand(*operand, &mut instruction, line)?;
        }
        self.items.push(Item::Instruction { instruction, goal: Goal::Offset(0), width, place });
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
            // As signed or as unsigned number: they are the same bits.
            Operand::Wide => to.imm = line.number(i64::MIN.into(), u64::MAX.into())? as i64,
            Operand::Target => self.targets.push((self.items.len(), target(line)?)),
        }
        Ok(())
    }

    fn goal(&self, target: Target<'a>) -> Result<Goal, TextError> {
        match target {
            Target::Offset(offset) => Ok(Goal::Offset(offset)),
            Target::Label(name, place) => match self.labels.get(name) {
                Some(index) => Ok(Goal::Item(*index)),
                None => Err(place.error(TextErrorKind::UnknownLabel { name: quote(name) })),
            },
        }
    }

    fn finish(mut self, last: Place) -> Result<Vec<u8>, TextError> {
        for (index, target) in core::mem::take(&mut self.targets) {
            let resolved = self.goal(target)?;
            if let Some(Item::Instruction { goal, .. }) = self.items.get_mut(index) {
                *goal = resolved;
            }
        }
        let code_place = self.code_place.map_or(last, |(_, place)| place);
        let code = lay_out(self.isa, &self.items, &self.raw, code_place)?;
        let content = [
            self.memory_section()?,
            self.ro_data.take(),
            self.rw_data.take(),
            self.imports_section(last),
            self.exports_section(&code, last)?,
            self.code_section(&code, code_place)?,
        ];

        let mut out = MAGIC.to_vec();
        out.push(self.isa.version());
        let length_at = out.len();
        out.extend([0; 8]);
        for (id, content) in (1..).zip(content) {
            let as_it_is = self.sections.iter().find(|section| section.0 == id);
            let content = content.filter(|(content, _)| !content.is_empty());
            match (as_it_is, content) {
                (Some((.., place)), Some(_)) => {
                    return Err(place.error(TextErrorKind::Repeated { name: alloc::format!(".section {id}") }));
                }
                (Some((_, content, place)), None) => section(&mut out, id, content, *place)?,
                (None, Some((content, place))) => section(&mut out, id, &content, place)?,
                (None, None) => {}
            }
        }
        for (id, content, place) in self.sections.iter().filter(|section| section.0 > 6) {
            section(&mut out, *id, content, *place)?;
        }
        out.push(0);
        out.extend(&self.trailing);
        let length = out.len() as u64;
        out.splice(length_at..length_at + 8, length.to_le_bytes());
        match Blob::parse(&out) {
            Ok(_) => Ok(out),
            Err(error) => {
                // All else was looked at: it is in a section that was given as it is.
                let place = self.sections.iter().find(|section| section.0 < 128).map_or(last, |section| section.2);
                Err(place.error(TextErrorKind::Blob(error)))
            }
        }
    }

    fn memory_section(&self) -> Result<Given<Vec<u8>>, TextError> {
        let mut content = Vec::new();
        let mut place = None;
        for (size, data, what) in [
            (&self.ro_size, self.ro_data.as_ref(), "read-only data in bytes"),
            (&self.rw_size, self.rw_data.as_ref(), "read-write data in bytes"),
            (&self.stack_size, None, ""),
        ] {
            let length = data.map_or(0, |(data, _)| data.len() as u64);
            let limit = size.map_or(u32::MAX, |(size, _)| size);
            let at = size.map(|(_, place)| place).or(data.map(|(_, place)| *place));
            too_long(what, length, u64::from(limit), at.unwrap_or_default())?;
            place = place.or(at);
            varint::write(&mut content, size.map_or(length as u32, |(size, _)| size));
        }
        // Writers leave the section out when there is nothing to say.
        let sizes_given = content != [0; 3];
        Ok(place.filter(|_| sizes_given).map(|place| (content, place)))
    }

    fn imports_section(&self, place: Place) -> Given<Vec<u8>> {
        let mut content = Vec::new();
        if self.imports.is_empty() {
            return None;
        }
        varint::write(&mut content, self.imports.len() as u32);
        let mut offset = 0u32;
        for symbol in &self.imports {
            content.extend(offset.to_le_bytes());
            // A section as long as that is refused when it is written.
            offset = offset.wrapping_add(symbol.len() as u32);
        }
        content.extend(self.imports.iter().flatten());
        Some((content, place))
    }

    fn exports_section(&self, code: &Code, place: Place) -> Result<Given<Vec<u8>>, TextError> {
        let mut content = Vec::new();
        if self.exports.is_empty() {
            return Ok(None);
        }
        varint::write(&mut content, self.exports.len() as u32);
        for (symbol, target) in &self.exports {
            varint::write(&mut content, code.offset(self.goal(*target)?));
            varint::write(&mut content, symbol.len() as u32);
            content.extend(symbol);
        }
        Ok(Some((content, place)))
    }

    fn code_section(&self, code: &Code, place: Place) -> Result<Given<Vec<u8>>, TextError> {
        let is_given = self.code_place.is_some() || self.jump_table_form.is_some() || !self.jump_table.is_empty();
        if !is_given && self.sections.iter().any(|section| section.0 == 6) {
            return Ok(None);
        }
        let targets = self.jump_table.iter().map(|target| self.goal(*target).map(|goal| code.offset(goal)));
        let targets = targets.collect::<Result<Vec<u32>, _>>()?;
        let usual = (targets.len() as u32, targets.iter().max().map_or(0, |largest| unsigned_size(*largest).max(1)));
        let (count, size) = match self.jump_table_form {
            None => usual,
            Some(((count, size), place)) => {
                let entries = if size == 0 { 0 } else { count };
                if entries != usual.0 {
                    let (value, min, max) = (usual.0.into(), entries.into(), entries.into());
                    return Err(place.error(TextErrorKind::OutOfRange { value, min, max }));
                }
                if entries > 0 && size < unsigned_size(targets.iter().copied().max().unwrap_or_default()) {
                    let (value, min) = (size.into(), usual.1.into());
                    return Err(place.error(TextErrorKind::OutOfRange { value, min, max: 4 }));
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
        Ok(Some((content, place)))
    }
}

/// The fewest bytes that hold `value`.
const fn unsigned_size(value: u32) -> u8 {
    4 - (value.leading_zeros() / 8) as u8
}

fn too_long(what: &'static str, actual: u64, limit: u64, place: Place) -> Result<(), TextError> {
    match actual > limit {
        true => Err(place.error(TextErrorKind::TooLong { what, actual, limit })),
        false => Ok(()),
    }
}

/// Appends a section, an empty one too.
fn section(out: &mut Vec<u8>, id: u8, content: &[u8], place: Place) -> Result<(), TextError> {
    too_long("section in bytes", content.len() as u64, u64::from(u32::MAX), place)?;
    out.push(id);
    varint::write(out, content.len() as u32);
    out.extend(content);
    Ok(())
}
