//! `pvm stats`: statistics of a blob.

use crate::args::StatsArgs;
use crate::output::{Output, printable};
use crate::{Error, exit, input};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vm_core::blob::{Blob, Section, sections};

/// Number of opcodes shown in the listing for people.
const MOST_FREQUENT: usize = 12;

/// The statistics.
struct Stats<'a> {
    bytes: &'a [u8],
    blob: Blob<'a>,
    instructions: u32,
    invalid: u32,
    blocks: u32,
    largest_block: u32,
    by_name: BTreeMap<&'static str, u32>,
    /// Bytes of code by function, the largest first; empty without debug information.
    functions: Vec<(String, u32)>,
}

/// Computes and prints the statistics.
///
/// # Errors
/// If the blob cannot be read.
pub fn execute(args: &StatsArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.blob)?;
    let blob = Blob::parse(&bytes).map_err(|source| Error::Blob { path: input::name(&args.blob), source })?;
    let stats = Stats::count(&bytes, blob);
    let mut output = Output::open();
    match args.json {
        true => output.print(format_args!("{:#}\n", stats.json()))?,
        false => output.print(format_args!("{}", stats.text()))?,
    }
    output.finish()?;
    Ok(exit::DONE)
}

impl<'a> Stats<'a> {
    fn count(bytes: &'a [u8], blob: Blob<'a>) -> Self {
        let mut stats = Stats {
            bytes,
            blob,
            instructions: 0,
            invalid: 0,
            blocks: 0,
            largest_block: 0,
            by_name: BTreeMap::new(),
            functions: functions(&blob),
        };
        let mut in_block = 0;
        for decoded in blob.code_view().instructions() {
            stats.instructions += 1;
            in_block += 1;
            match decoded.instruction {
                Some(instruction) => *stats.by_name.entry(instruction.opcode.spec().mnemonic).or_default() += 1,
                None => stats.invalid += 1,
            }
            stats.largest_block = stats.largest_block.max(in_block);
            if decoded.ends_block() {
                stats.blocks += 1;
                in_block = 0;
            }
        }
        // Code may run off its end in the middle of a block.
        stats.blocks += u32::from(in_block > 0);
        stats
    }

    /// Returns instruction counts by mnemonic, the most frequent first.
    fn frequent(&self) -> Vec<(&'static str, u32)> {
        let mut list: Vec<_> = self.by_name.iter().map(|(name, count)| (*name, *count)).collect();
        list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        list
    }

    fn json(&self) -> Value {
        let blob = &self.blob;
        let memory = blob.memory_config();
        let sections: Vec<_> = sections(self.bytes)
            .map(
                |section| json!({ "id": section.id, "name": section_name(section.id), "bytes": section.content.len() }),
            )
            .collect();
        let imports: Vec<_> = blob.imports().map(|name| name.map(printable)).collect();
        let exports: Vec<_> = blob
            .exports()
            .map(|export| json!({ "name": printable(export.symbol), "code_offset": export.code_offset }))
            .collect();
        json!({
            "isa": blob.isa().name(),
            "bytes": blob.length(),
            "sections": sections,
            "memory": {
                "ro_data": memory.ro_data_size,
                "rw_data": memory.rw_data_size,
                "stack": memory.stack_size,
            },
            "imports": imports,
            "exports": exports,
            "jump_table_entries": blob.jump_table().len(),
            "code_bytes": blob.code().len(),
            "instructions": self.instructions,
            "invalid_instructions": self.invalid,
            "basic_blocks": self.blocks,
            "largest_basic_block": self.largest_block,
            "by_name": self.by_name,
            "functions": self.functions.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let blob = &self.blob;
        let memory = blob.memory_config();
        let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let mut lines = vec![
            format!("instruction set      {}", blob.isa().name()),
            format!("blob                 {} bytes", blob.length()),
        ];
        for section in sections(self.bytes) {
            lines.push(format!("  {:<19}{} bytes", section_name(section.id), section.content.len()));
        }
        let imports = blob.imports().map(|name| name.map_or("(invalid)".to_owned(), printable)).collect();
        let exports =
            blob.exports().map(|export| format!("{} at {}", printable(export.symbol), export.code_offset)).collect();
        lines.push(format!(
            "memory               {} read-only, {} read-write, {} stack",
            memory.ro_data_size, memory.rw_data_size, memory.stack_size
        ));
        lines.push(format!("imports              {}", list(imports)));
        lines.push(format!("exports              {}", list(exports)));
        lines.push(format!("jump table           {} entries", blob.jump_table().len()));
        lines.push(format!("instructions         {} in {} bytes", self.instructions, blob.code().len()));
        if self.invalid > 0 {
            lines.push(format!("  not valid          {}", self.invalid));
        }
        lines.push(format!("basic blocks         {}, the largest of {}", self.blocks, self.largest_block));
        let code = (blob.code().len() as u32).max(1);
        lines.push("most frequent".to_owned());
        for (name, count) in self.frequent().into_iter().take(MOST_FREQUENT) {
            let share = 100.0 * f64::from(count) / f64::from(self.instructions.max(1));
            lines.push(format!("  {count:>7} {share:>5.1} %  {name}"));
        }
        if !self.functions.is_empty() {
            lines.push(format!("functions            {}, in bytes", self.functions.len()));
        }
        for (name, bytes) in &self.functions {
            lines.push(format!(
                "  {bytes:>7} {:>5.1} %  {}",
                100.0 * f64::from(*bytes) / f64::from(code),
                printable(name.as_bytes())
            ));
        }
        lines.join("\n") + "\n"
    }
}

/// Returns the bytes of code of each function, according to the debug information. Inlined code counts towards the
/// function that it is inlined into.
fn functions(blob: &Blob<'_>) -> Vec<(String, u32)> {
    let end = blob.code().len() as u32;
    let mut sizes: BTreeMap<String, u32> = BTreeMap::new();
    let mut offset = 0;
    while offset < end {
        let found = blob.source_at(offset).ok().flatten();
        let next = found.as_ref().map_or(offset + 1, |source| source.range().end.clamp(offset + 1, end));
        let name = found.as_ref().and_then(|source| {
            let frame = source.frames().next()?;
            let function = frame.function().ok()??;
            Some(match frame.namespace().ok()? {
                Some(namespace) => format!("{namespace}::{function}"),
                None => function.to_owned(),
            })
        });
        *sizes.entry(name.unwrap_or_else(|| "(unknown)".to_owned())).or_default() += next - offset;
        offset = next;
    }
    if sizes.len() == 1 && sizes.contains_key("(unknown)") {
        return Vec::new();
    }
    let mut list: Vec<_> = sizes.into_iter().collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    list
}

fn section_name(id: u8) -> &'static str {
    match id {
        1 => Section::MemoryConfig.name(),
        2 => Section::RoData.name(),
        3 => Section::RwData.name(),
        4 => Section::Imports.name(),
        5 => Section::Exports.name(),
        6 => Section::Code.name(),
        128 => "debug strings",
        129 => "debug lines",
        130 => "debug ranges",
        131 => "metadata hash",
        _ => Section::Optional.name(),
    }
}
