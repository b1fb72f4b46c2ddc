//! Emission: lowers the graph to the bytes of a blob.
//!
//! In order: `legalize` moves constants that no instruction can hold into temporaries, `temporaries` assigns registers
//! to those, `data` assigns addresses to sections, `code` assigns them to blocks and writes the instructions that
//! `select` chooses. The format is that of docs/spec/blobs.md#envelope.

pub(crate) mod code;
mod data;
mod legalize;
pub mod select;
mod temporaries;

use crate::debug_info::DebugInfo;
use crate::elf::Image;
use crate::ir::IrProgram;
use crate::{LinkError, Options};
use vm_core::blob::{Blob, BlobBuilder, MemoryConfig};
use vm_core::isa::Isa;
use vm_core::memory::MemoryMap;

/// Granularity of stack sizes in bytes.
const STACK_ALIGN: u32 = 4096;

/// The largest page size that an embedder can choose, with which memory maps are checked.
const LARGEST_PAGE: u32 = 0x1_0000;

/// Writes a program, which was lifted from `image`, as a blob.
///
/// # Errors
/// If it does not fit the format or the instruction set.
pub fn emit(mut program: IrProgram, image: &Image, isa: Isa, options: &Options) -> Result<Vec<u8>, LinkError> {
    legalize::run(&mut program);
    temporaries::run(&mut program);
    let imports = number_imports(&mut program)?;
    let layout = data::Layout::new(&program)?;
    let jump_table = code::JumpTable::new(&program);
    let resolver = code::Resolver { layout: &layout, jump_table: &jump_table };
    let listing = code::list(&program, image, &resolver, isa)?;
    let dispatch = code::dispatch_table(&program, &options.dispatch_table)?;
    let code = listing.assemble(isa, &dispatch)?;

    let (ro_data, rw_data) = layout.contents(&program, image, &resolver)?;
    let stack = program.min_stack_size.max(options.min_stack_size);
    let stack = stack.checked_next_multiple_of(STACK_ALIGN).ok_or(LinkError::Memory {
        ro_data: layout.ro_size,
        rw_data: layout.rw_size,
        stack,
    })?;
    let mut builder = BlobBuilder::new(isa);
    builder.stack_size(stack).ro_data(layout.ro_size, &ro_data).rw_data(layout.rw_size, &rw_data);
    let config = MemoryConfig { ro_data_size: layout.ro_size, rw_data_size: layout.rw_size, stack_size: stack };
    MemoryMap::new(LARGEST_PAGE, config, 0).map_err(|_| LinkError::Memory {
        ro_data: layout.ro_size,
        rw_data: layout.rw_size,
        stack,
    })?;
    for symbol in &imports {
        builder.import(symbol);
    }
    for (symbol, block, _) in &program.exports {
        builder.export(symbol, code.offset(*block));
    }
    for block in jump_table.entries() {
        builder.jump_table_entry(code.offset(*block));
    }
    if !options.strip {
        for (id, content) in DebugInfo::new(image).sections(&code.origins()) {
            builder.optional_section(id, &content);
        }
    }
    builder.raw_code(code.bytes, code.bitmask);
    let blob = builder.build()?;
    // Self-check: the output must be readable.
    Blob::parse(&blob).map_err(LinkError::SelfCheck)?;
    Ok(blob)
}

/// Numbers the host functions that are called, and returns their symbols in that order
/// (docs/linking.md#records-of-guests).
fn number_imports(program: &mut IrProgram) -> Result<Vec<Vec<u8>>, LinkError> {
    let mut used: Vec<u32> = Vec::new();
    for id in &program.order {
        for step in &program.block(*id).steps {
            if let crate::ir::Op::HostCall { import } = step.op {
                used.push(import);
            }
        }
    }
    used.sort_unstable();
    used.dedup();
    let import = |index: &u32| &program.imports[*index as usize];
    let with_index = used.iter().filter(|index| import(index).index.is_some()).count();
    let mut numbers = vec![0; program.imports.len()];
    let mut symbols = Vec::new();
    if with_index == 0 {
        used.sort_by(|a, b| import(a).symbol.cmp(&import(b).symbol));
        for (number, index) in used.iter().enumerate() {
            numbers[*index as usize] = number as u32;
            symbols.push(import(index).symbol.clone());
        }
    } else if with_index < used.len() {
        let without = used.iter().find(|index| import(index).index.is_none());
        let symbol = without.map(|index| String::from_utf8_lossy(&import(index).symbol).into_owned());
        return Err(LinkError::ImportWithoutIndex { symbol: symbol.unwrap_or_default() });
    } else {
        for index in &used {
            let number = import(index).index.unwrap_or_default();
            if number >= vm_core::limits::IMPORTS {
                return Err(LinkError::ImportIndex {
                    symbol: String::from_utf8_lossy(&import(index).symbol).into_owned(),
                    index: number,
                    limit: vm_core::limits::IMPORTS,
                });
            }
            if symbols.len() <= number as usize {
                symbols.resize(number as usize + 1, Vec::new());
            }
            symbols[number as usize] = import(index).symbol.clone();
            numbers[*index as usize] = number;
        }
    }
    for block in &mut program.blocks {
        for step in &mut block.steps {
            if let crate::ir::Op::HostCall { import } = &mut step.op {
                *import = numbers[*import as usize];
            }
        }
    }
    Ok(symbols)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use vm_core::limits::{BASIC_BLOCK_INSTRUCTIONS, check};

    #[test]
    fn no_block_is_longer_than_a_chain_takes() {
        // The image is only used for names in messages.
        let image = Image::parse(&pvm_riscv::generate(1, true).elf).unwrap();
        let limit = BASIC_BLOCK_INSTRUCTIONS as usize;
        for length in [limit - 2, limit - 1, limit, 2 * limit - 2, 2 * limit, 5 * limit] {
            let text = format!("b0:\n{}jump [ra]", "a0 = mul_64 a0, a1\n".repeat(length));
            let mut program = crate::ir::parse::program(&text);
            crate::passes::layout::keep_order(&mut program);
            let blob = emit(program, &image, Isa::ReviveV1, &Options { strip: true, ..Options::default() }).unwrap();
            let info = check(&Blob::parse(&blob).unwrap()).unwrap();
            assert!(info.largest_basic_block <= BASIC_BLOCK_INSTRUCTIONS, "{length}: {info:?}");
            // One instruction per block, and one between two blocks.
            let blocks = (length + 1).div_ceil(limit);
            assert!((info.instructions as usize) <= length + blocks + 1, "{length}: {info:?}");
        }
    }
}
