//! Bodies of the fuzz targets: one function per target, which panics if a property does not hold.
//!
//! Called by the targets of `vm-core/fuzz` under libFuzzer, and by `vm-core/tests/fuzz_bodies.rs` with inputs of its
//! own, so that a compiler without fuzzing runs them too. They assume nothing of the bytes, and take bounded time and
//! memory.

use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder, Strip, strip};
use vm_core::gas::{CostModelKind, MemoryLatency, Metering, ProgramFacts, block_cost};
use vm_core::interpreter::{Dispatch, Instance};
use vm_core::isa::{CodeView, Isa, Reg};
use vm_core::limits;
use vm_core::program::{Program, ProgramConfig};
use vm_core::text::{Listing, assemble};

/// Maximum gas of a run. Since a unit of gas can touch only so much memory, this keeps runs short.
const GAS: u16 = 4095;

/// Sets the blob's magic and length fields to the right values, so that a fuzzer need not find them.
fn mend(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    bytes.resize(bytes.len().max(14), 0);
    let length = bytes.len() as u64;
    bytes[..4].copy_from_slice(b"PVM\0");
    bytes[5..13].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Any bytes as a blob: an error with a message, or a blob whose parts can all be read and lie within the bytes;
/// stripping it keeps its canonical form.
pub fn blob(data: &[u8]) {
    for bytes in [data.to_vec(), mend(data)] {
        let blob = match Blob::parse(&bytes) {
            Ok(blob) => blob,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        assert_eq!(blob.length(), bytes.len());
        assert_eq!(blob.bitmask().len(), blob.code().len().div_ceil(8));
        assert!(!blob.code().is_empty() || blob.code_view().is_empty());
        let sizes = blob.memory_config();
        assert!(blob.ro_data().len() as u64 <= u64::from(sizes.ro_data_size));
        assert!(blob.rw_data().len() as u64 <= u64::from(sizes.rw_data_size));
        assert!(blob.imports().count() <= limits::IMPORTS as usize);
        assert_eq!(blob.imports().count(), blob.imports().count_all() as usize);
        for (index, name) in blob.imports().enumerate() {
            assert_eq!(blob.imports().get(index as u32), name);
        }
        assert!(blob.exports().map(|export| export.symbol.len() + 2).sum::<usize>() <= bytes.len());
        let table = blob.jump_table();
        assert_eq!(table.iter().count(), table.len() as usize);
        assert_eq!(table.get(table.len()), None);
        for offset in (0..blob.code().len() as u32).take(2000) {
            if let Ok(Some(source)) = blob.source_at(offset) {
                assert!(source.range().contains(&offset));
                for frame in source.frames().take(100) {
                    let _ = (frame.kind(), frame.namespace(), frame.function(), frame.path());
                    let _ = (frame.line(), frame.column());
                }
            }
        }
        for what in [Strip::Debug, Strip::Optional] {
            let stripped = strip(&bytes, what).expect("what can be read can be stripped");
            assert!(stripped.len() <= bytes.len());
            let again = Blob::parse(&stripped).expect("what was stripped can be read");
            assert_eq!(again.canonical_bytes(), blob.canonical_bytes());
            assert_eq!(strip(&stripped, what).as_deref(), Ok(&stripped[..]));
        }
    }
}

/// Splits bytes into code and a bitmask for it, eight parts to one.
fn code_and_bitmask(data: &[u8]) -> (&[u8], Vec<u8>) {
    let (code, rest) = data.split_at((data.len() * 8).div_ceil(9));
    let mut bitmask = rest.to_vec();
    bitmask.resize(code.len().div_ceil(8), 0);
    if let (Some(last), bits @ 1..) = (bitmask.last_mut(), code.len() % 8) {
        *last &= (1 << bits) - 1;
    }
    (code, bitmask)
}

/// Any bytes as code: iteration covers every byte once, all queries about an offset are consistent, and every block has
/// a cost in every model.
pub fn decoder(data: &[u8]) {
    let (code, bitmask) = code_and_bitmask(data);
    for isa in Isa::ALL {
        let view = CodeView::new(isa, code, &bitmask);
        let mut position = 0;
        let mut block = 0;
        for decoded in view.instructions() {
            assert_eq!(decoded.offset, position);
            assert!(decoded.next > decoded.offset && decoded.next <= view.len());
            assert!(view.is_instruction_start(decoded.offset));
            assert_eq!(view.decode(decoded.offset), Some(decoded));
            assert_eq!(view.is_jump_target(decoded.offset), block == decoded.offset, "at {position}");
            // Walking back takes time linear in the block.
            if decoded.offset - block < 100 {
                assert_eq!(view.block_start(decoded.offset), Some(block), "at {position}");
            }
            position = decoded.next;
            if decoded.ends_block() {
                block = decoded.next;
            }
        }
        assert_eq!(position, view.len());
        for offset in 0..view.len() + 2 {
            assert!(view.is_instruction_start(offset) || !view.is_jump_target(offset));
            assert_eq!(view.decode(offset).is_some(), view.is_instruction_start(offset));
        }
        let models = [CostModelKind::Naive, CostModelKind::Pipeline(MemoryLatency::L2), CostModelKind::CalibratedV1];
        for offset in (0..view.len()).take(200) {
            for model in models {
                let cost = block_cost(model, ProgramFacts::default(), &view, offset);
                assert_eq!(cost.is_some(), view.is_jump_target(offset));
                assert_ne!(cost, Some(0));
            }
        }
    }
}

/// Any bytes as a blob to be uploaded: the statistics of the check are within the limits and match the blob.
pub fn limits(data: &[u8]) {
    let (code, bitmask) = code_and_bitmask(data);
    let isa = Isa::ALL[data.first().map_or(0, |byte| usize::from(*byte)) % Isa::ALL.len()];
    let built = BlobBuilder::new(isa).raw_code(code.to_vec(), bitmask).build();
    for bytes in [Some(mend(data)), built.ok()].into_iter().flatten() {
        let Ok(blob) = Blob::parse(&bytes) else { continue };
        match limits::check(&blob) {
            Ok(info) => {
                assert!(info.instructions as usize <= blob.code().len() && info.basic_blocks <= info.instructions);
                assert!(info.largest_basic_block <= info.instructions.min(limits::BASIC_BLOCK_INSTRUCTIONS));
                assert!(info.static_memory <= limits::STATIC_MEMORY_BYTES);
                assert_eq!(info.instructions as usize, blob.code_view().instructions().count());
                assert!(blob.code_view().instructions().all(|decoded| decoded.instruction.is_some()));
                Program::new(&blob, &ProgramConfig::default()).map(drop).unwrap_or_else(|error| {
                    // The check does not know an instruction set's requirements on the end of the code.
                    assert_eq!(blob.isa(), Isa::JamV1, "{error}");
                });
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// All that can be observed at a stop.
#[derive(PartialEq, Debug)]
struct View {
    outcome: Outcome,
    pc: Option<u32>,
    next_pc: Option<u32>,
    gas: i64,
    registers: [u64; 13],
    heap_size: u32,
    memory: Vec<Option<Vec<u8>>>,
}

fn view(instance: &Instance, outcome: Outcome) -> View {
    let map = instance.program().memory_map();
    let page = |address: u32| {
        let mut bytes = vec![0; 4096];
        instance.read_memory(address, &mut bytes).is_ok().then_some(bytes)
    };
    let around = [map.rw_base(), map.rw_end().wrapping_sub(4096), map.stack_low(), map.stack_high().wrapping_sub(4096)];
    View {
        outcome,
        pc: instance.pc(),
        next_pc: instance.next_pc(),
        gas: instance.gas(),
        registers: Reg::ALL.map(|reg| instance.reg(reg)),
        heap_size: instance.heap_size(),
        memory: around.map(page).to_vec(),
    }
}

/// Configuration of a run, taken from the front of the bytes.
struct Plan {
    config: ProgramConfig,
    entry: u32,
    gas: i64,
    args: [u64; 4],
}

/// All stops of a run until it ends, single steps left out.
fn stops(bytes: &[u8], plan: &Plan, config: &ProgramConfig, dispatch: Dispatch) -> Option<Vec<View>> {
    let blob = Blob::parse(bytes).ok()?;
    let program = Program::new(&blob, config).ok()?;
    let mut instance = Instance::new(Arc::new(program));
    instance.set_dispatch(dispatch);
    instance.set_gas(plan.gas);
    instance.prepare_call(plan.entry, &plan.args);
    let (mut views, mut count) = (Vec::new(), 0);
    loop {
        let before = instance.gas();
        let outcome = instance.run();
        count += 1;
        // Every block costs something and has at most as many stops as bytes.
        assert!(count <= i64::from(GAS) * (bytes.len() as i64 + 2), "the run has to end");
        let given_back = i64::from(config.cost_model.branch_refund());
        assert!(instance.gas() <= before + given_back, "gas may only be used, but for what a branch gives back");
        assert!(instance.gas() >= 0 || config.metering == Metering::Async, "gas never goes below zero");
        match outcome {
            Outcome::Step => continue,
            Outcome::HostCall(_) if views.len() < 40 => views.push(view(&instance, outcome)),
            _ => {
                views.push(view(&instance, outcome));
                return Some(views);
            }
        }
    }
}

/// Any bytes as a program and the parameters of its run: no panic, an end within the gas, and the same results on a
/// second run, with the other dispatcher and a translation cache that is always full, and in single steps.
pub fn interpreter(data: &[u8]) {
    let Some((&[shape, mode, entry, gas_low, gas_high, seed], rest)) = data.split_first_chunk::<6>() else { return };
    let isa = Isa::ALL[usize::from(shape) % Isa::ALL.len()];
    let bytes = if shape >= 192 {
        mend(rest)
    } else {
        let (code, bitmask) = code_and_bitmask(rest);
        let mut builder = BlobBuilder::new(isa);
        builder.ro_data(u32::from(seed) * 16, &rest[..rest.len().min(usize::from(seed))]);
        builder.rw_data(u32::from(seed) * 20, &rest[..rest.len().min(usize::from(seed) / 2)]);
        builder.stack_size(u32::from(shape) * 40);
        for at in rest.iter().take(usize::from(seed) % 8) {
            builder.jump_table_entry(u32::from(*at));
        }
        match builder.raw_code(code.to_vec(), bitmask).build() {
            Ok(bytes) => bytes,
            Err(_) => return,
        }
    };
    let word = |index: usize| u64::from_le_bytes([seed, index as u8, entry, mode, gas_low, shape, seed, mode]);
    let plan = Plan {
        config: ProgramConfig {
            page_size: if mode & 1 == 0 { 0x1000 } else { 0x4000 },
            aux_size: if mode & 2 == 0 { 0 } else { 100 },
            cost_model: match (mode & 4, mode & 0x40) {
                (0, 0) => CostModelKind::Naive,
                (0, _) => CostModelKind::CalibratedV1,
                _ => CostModelKind::Pipeline(MemoryLatency::L2),
            },
            metering: if mode & 8 == 0 { Metering::Sync } else { Metering::Async },
            ..ProgramConfig::default()
        },
        entry: if entry < 128 { 0 } else { u32::from(entry) - 128 },
        gas: i64::from(u16::from_le_bytes([gas_low, gas_high]) & GAS),
        args: [0x3_0000 + u64::from(seed), word(1), u64::from(gas_low), word(3)],
    };
    let first = stops(&bytes, &plan, &plan.config, Dispatch::Threaded);
    assert_eq!(first, stops(&bytes, &plan, &plan.config, Dispatch::Threaded), "the same run twice");
    let mut full = plan.config.clone();
    full.translation_cache = 0;
    assert_eq!(first, stops(&bytes, &plan, &full, Dispatch::Looped), "the other dispatcher");
    let mut step = plan.config.clone();
    step.single_step = true;
    let stepped = stops(&bytes, &plan, &step, Dispatch::Threaded);
    if plan.config.metering == Metering::Sync {
        assert_eq!(first, stepped, "step by step");
    } else {
        // Registers and memory are unspecified when an asynchronous run is out of gas.
        let outcomes = |views: &Option<Vec<View>>| -> Option<Vec<Outcome>> {
            views.as_ref().map(|views| views.iter().map(|view| view.outcome).collect())
        };
        assert_eq!(outcomes(&first), outcomes(&stepped), "step by step");
    }
}

/// Any bytes as assembly, which gives an error with its position or a blob; and as a blob, whose listing assembles to
/// the same blob.
pub fn text(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let made = match assemble(&source) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let line = source.lines().nth((error.line as usize).saturating_sub(1)).unwrap_or_default();
            assert!(error.column as usize <= line.chars().count() + 1, "{error}");
            None
        }
    };
    let built = data.split_first().and_then(|(first, rest)| {
        let (code, bitmask) = code_and_bitmask(rest);
        let isa = Isa::ALL[usize::from(*first) % Isa::ALL.len()];
        BlobBuilder::new(isa).raw_code(code.to_vec(), bitmask).build().ok()
    });
    for bytes in [made, built, Some(mend(data))].into_iter().flatten() {
        if let Ok(listing) = Listing::new(&bytes) {
            let listing = listing.to_string();
            assert_eq!(assemble(&listing).as_deref(), Ok(&bytes[..]), "{listing}");
        }
    }
}
