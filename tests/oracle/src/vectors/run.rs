//! Runs the statements of a vector file on one engine in one mode, and checks the results.

use super::parse::{After, Before, Item, Statement};
use crate::interface::{Config, Engine, EngineInstance, HEAP_HASHED, Metering, Model, Outcome, Situation};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vm_core::blob::Blob;
use vm_core::isa::Isa;
use vm_core::text;

/// Configuration under which a vector is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Synchronous metering, as the vector says.
    Sync,
    /// Asynchronous metering: equal up to a shortage of gas, which ends the case.
    Async,
    /// Single-step mode: equal at the end.
    Stepped,
    /// No metering: equal except for the gas, which does not change. Cases that run out of gas are left out.
    Unmetered,
}

/// All modes.
pub const MODES: [Mode; 4] = [Mode::Sync, Mode::Async, Mode::Stepped, Mode::Unmetered];

/// A line whose expectation was not met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The number of the line.
    pub line: usize,
    /// The state observed instead.
    pub what: String,
}

/// Settings from earlier statements for those that follow.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub isas: Vec<Isa>,
    pub model: Model,
    pub aux: u32,
    pub program: String,
}

impl Context {
    pub fn new() -> Context {
        Context { isas: Vec::new(), model: Model::Naive, aux: 0, program: String::new() }
    }

    /// Applies a setting; returns false for a statement that is to be run.
    pub fn take(&mut self, statement: &Statement) -> bool {
        match statement {
            Statement::Isa(isas) => self.isas.clone_from(isas),
            Statement::Model(model) => self.model = *model,
            Statement::Aux(size) => self.aux = *size,
            Statement::Program(program) => self.program.clone_from(program),
            Statement::Run(..) | Statement::Cost(..) => return false,
        }
        true
    }

    /// Assembles the program to a blob.
    pub fn blob(&self, isa: Isa) -> Result<Vec<u8>, String> {
        text::assemble(&format!(".isa {}\n{}", isa.name(), self.program)).map_err(|error| error.to_string())
    }

    pub fn config(&self, mode: Mode) -> Config {
        Config {
            page_size: 0x1000,
            aux_size: self.aux,
            model: self.model,
            metering: match mode {
                Mode::Async => Metering::Async,
                Mode::Unmetered => Metering::Off,
                Mode::Sync | Mode::Stepped => Metering::Sync,
            },
            single_step: mode == Mode::Stepped,
        }
    }
}

/// Makes a machine in the initial state of each case.
pub(super) fn fresh(engine: &dyn Engine, blob: &[u8], config: &Config) -> Result<Box<dyn EngineInstance>, String> {
    let mut machine = engine.load(blob, config)?;
    for number in 0..13 {
        machine.set_register(number, 0x5500 + number as u64);
    }
    machine.set_register(0, 0xffff_0000);
    let stack_high = 0xfffe_0000 - config.aux_size.next_multiple_of(0x1_0000);
    machine.set_register(1, u64::from(stack_high));
    machine.set_gas(100);
    machine.set_next_pc(0);
    Ok(machine)
}

/// The nonzero pages of memory.
type Image = BTreeMap<u32, Vec<u8>>;

fn image(machine: &mut dyn EngineInstance) -> Image {
    let mut image = Image::new();
    for (from, to) in machine.regions() {
        for address in (from..to.min(from.saturating_add(HEAP_HASHED))).step_by(0x1000) {
            let mut page = vec![0; 0x1000];
            if machine.read(address, &mut page) && page.iter().any(|byte| *byte != 0) {
                image.insert(address, page);
            }
        }
    }
    image
}

/// Returns the rows of bytes that differ.
fn changes(before: &Image, after: &Image) -> Vec<(u32, Vec<u8>)> {
    let zeros = vec![0; 0x1000];
    let mut rows: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut addresses: Vec<u32> = before.keys().chain(after.keys()).copied().collect();
    addresses.sort_unstable();
    addresses.dedup();
    for page in addresses {
        let (old, new) = (before.get(&page).unwrap_or(&zeros), after.get(&page).unwrap_or(&zeros));
        for (address, (old, new)) in (page..).zip(old.iter().zip(new)) {
            match rows.last_mut() {
                _ if old == new => {}
                Some((start, bytes)) if *start + bytes.len() as u32 == address => bytes.push(*new),
                _ => rows.push((address, vec![*new])),
            }
        }
    }
    rows
}

/// Applies the settings before a run, runs, and returns the observation.
pub(super) fn go(machine: &mut dyn EngineInstance, before: &Before) -> Result<After, String> {
    for (number, value) in &before.registers {
        machine.set_register(*number, *value);
    }
    if let Some(size) = before.sbrk {
        machine.sbrk(size).ok_or("the heap cannot grow so far")?;
    }
    for (address, bytes) in &before.memory {
        if !machine.write(*address, bytes) {
            return Err(format!("memory at {address:#x} cannot be written"));
        }
    }
    if let Some(gas) = before.gas {
        machine.set_gas(gas);
    }
    if let Some(offset) = before.enter {
        machine.set_next_pc(offset);
    }
    let old_registers: [u64; 13] = std::array::from_fn(|number| machine.register(number));
    let old_memory = image(machine);
    let mut outcome = machine.run();
    while outcome == Outcome::Step {
        outcome = machine.run();
    }
    let registers = (0..13).map(|number| (number, machine.register(number)));
    let registers = registers.filter(|(number, value)| old_registers[*number] != *value).collect();
    Ok(After {
        outcome,
        pc: machine.pc(),
        next_pc: machine.next_pc(),
        registers,
        memory: changes(&old_memory, &image(machine)),
        heap: machine.heap_size(),
        gas: machine.gas(),
    })
}

/// Prints an observation in the language of the vectors.
pub(super) fn print(after: &After) -> String {
    let mut text = match after.outcome {
        Outcome::Finished => "finished".to_string(),
        Outcome::Trap => "trap".to_string(),
        Outcome::OutOfGas => "out-of-gas".to_string(),
        Outcome::HostCall(number) => format!("host-call:{number}"),
        Outcome::PageFault(fault) => format!("page-fault:{:#x}", fault.address),
        Outcome::Step => "step".to_string(),
    };
    if let Some(pc) = after.pc {
        _ = write!(text, "@{pc}");
    }
    if let Some(next_pc) = after.next_pc {
        _ = write!(text, " next={next_pc}");
    }
    for (number, value) in &after.registers {
        _ = write!(text, " {}={value:#x}", crate::interface::REGISTERS[*number]);
    }
    for (address, bytes) in &after.memory {
        let bytes: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        _ = write!(text, " [{address:#x}]={bytes}");
    }
    if after.heap != 0 {
        _ = write!(text, " heap={:#x}", after.heap);
    }
    _ = write!(text, " gas={}", after.gas);
    text
}

/// A case's machine for one instruction set, the length of its code; or the reason why there is none.
type Running = (Isa, u32, Result<Box<dyn EngineInstance>, String>);

/// True if the machine is known to differ for these settings.
fn known_difference(machine: &dyn EngineInstance, before: &Before, code_length: u32) -> bool {
    match before.enter {
        Some(offset) => offset == code_length && machine.differs_in(Situation::EntryAtTheEnd),
        None => machine.next_pc().is_none() && machine.differs_in(Situation::NoNextPc),
    }
}

/// Runs a file on an engine; returns the number of lines checked, and the failures.
pub fn check(engine: &dyn Engine, mode: Mode, items: &[Item]) -> (u64, Vec<Failure>) {
    let mut context = Context::new();
    let (mut checked, mut failures) = (0, Vec::new());
    let mut machines: Vec<Running> = Vec::new();
    for Item { line, statement } in items {
        if context.take(statement) {
            continue;
        }
        let mut fail = |isa: Isa, what: String| {
            failures.push(Failure { line: *line, what: format!("{} in mode {mode:?}: {what}", isa.name()) });
        };
        let config = context.config(mode);
        let begins = !matches!(statement, Statement::Run(false, ..));
        if begins {
            machines.clear();
            for isa in &context.isas {
                let blob = context.blob(*isa);
                if blob.as_ref().is_ok_and(|blob| engine.follows(blob, &config).is_err()) {
                    continue;
                }
                let length =
                    blob.as_ref().map_or(0, |blob| Blob::parse(blob).map_or(0, |blob| blob.code().len() as u32));
                machines.push((*isa, length, blob.and_then(|blob| fresh(engine, &blob, &config))));
            }
        }
        // After a difference, or a shortage that ends an asynchronous run, the rest of a case is meaningless.
        machines.retain_mut(|(isa, length, machine)| {
            let machine = match machine {
                Ok(machine) => machine,
                Err(error) => {
                    fail(*isa, error.clone());
                    return false;
                }
            };
            let mut gas_stays = None;
            if let Statement::Run(_, before, expected) = statement {
                if known_difference(&**machine, before, *length) {
                    return false;
                }
                if mode == Mode::Unmetered {
                    // Without metering it would not stop where the case does, if at all.
                    if expected.as_ref().is_some_and(|expected| expected.outcome == Outcome::OutOfGas) {
                        return false;
                    }
                    gas_stays = Some(before.gas.unwrap_or(machine.gas()));
                }
            }
            checked += 1;
            match statement {
                Statement::Cost(offset, expected) => {
                    let seen = machine.block_cost(*offset);
                    if Some(seen) != *expected {
                        fail(*isa, format!("the cost is {seen:?}"));
                    }
                    false
                }
                Statement::Run(_, before, expected) => match (go(&mut **machine, before), expected) {
                    (Ok(seen), Some(expected))
                        if seen == (After { gas: gas_stays.unwrap_or(expected.gas), ..expected.clone() }) =>
                    {
                        true
                    }
                    // The state after an asynchronous shortage is mostly unspecified, and the run cannot be resumed.
                    (Ok(seen), Some(After { outcome: Outcome::OutOfGas, .. }))
                        if mode == Mode::Async && seen.outcome == Outcome::OutOfGas && seen.pc.is_none() =>
                    {
                        false
                    }
                    (Ok(seen), _) => {
                        fail(*isa, print(&seen));
                        false
                    }
                    (Err(error), _) => {
                        fail(*isa, error);
                        false
                    }
                },
                _ => false,
            }
        });
    }
    (checked, failures)
}
