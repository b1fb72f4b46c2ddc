//! Target of gdb's stub: registers, memory, breakpoints, execution in both directions.

use super::arch::{Guest, Values, description};
use crate::elf::{HOST, jump_table_base};
use crate::machine::{Conditions, Found, Hit, Machine, ReplayError, Watch};
use crate::symbols::Symbols;
use gdbstub::common::Signal;
use gdbstub::stub::SingleThreadStopReason as Reason;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::reverse_exec::{
    ReplayLogPosition, ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps,
};
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadRangeStepping, SingleThreadRangeSteppingOps, SingleThreadResume,
    SingleThreadResumeOps, SingleThreadSingleStep, SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::monitor_cmd::MonitorCmdOps;
use gdbstub::target::ext::target_description_xml_override::{
    TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
};
use gdbstub::target::{Target, TargetError, TargetResult};
use std::collections::BTreeMap;
use vm_core::Outcome;
use vm_core::isa::Reg;

/// Number of instructions between polls of the connection.
const SLICE: u64 = 1 << 22;
/// Of steps, which take longer.
const STEPS: u64 = 1 << 12;

/// Mode of execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Forward,
    Backward,
    Step,
    /// As long as the program counter is in this range.
    StepWithin(u64, u64),
    StepBack,
}

/// A client's session.
pub struct Session {
    pub(super) machine: Machine,
    pub(super) symbols: Symbols,
    /// Conditions of gdb and of the user's own commands.
    pub(super) conditions: Conditions,
    /// Number of times that each breakpoint was set.
    breakpoints: BTreeMap<u32, u32>,
    /// A place to go to instead of going on.
    pub(super) goto: Option<u64>,
    mode: Mode,
    /// Whether the client knows the outcome of the run and is still at its end.
    told_end: bool,
}

impl Session {
    pub fn new(machine: Machine, symbols: Symbols) -> Self {
        Session {
            machine,
            symbols,
            conditions: Conditions::default(),
            breakpoints: BTreeMap::new(),
            goto: None,
            mode: Mode::Forward,
            told_end: false,
        }
    }

    pub fn into_machine(self) -> Machine {
        self.machine
    }

    /// True if an error of the stub says that the client hung up.
    pub fn is_hung_up(&self, error: &str) -> bool {
        error.contains(&super::hung_up().to_string())
    }

    pub(super) fn is_64_bit(&self) -> bool {
        self.machine.program().isa().is_64_bit()
    }

    fn pc(&self) -> u64 {
        u64::from(self.machine.pc().unwrap_or(HOST))
    }

    /// Runs for a while; returns why it stopped, if it did.
    pub fn run(&mut self) -> Result<Option<Reason<u64>>, ReplayError> {
        if let Some(position) = self.goto.take() {
            self.machine.seek(position)?;
            self.told_end = false;
            return Ok(Some(Reason::Signal(Signal::SIGTRAP)));
        }
        let found = match self.mode {
            Mode::Forward => self.machine.run_forward(&self.conditions, SLICE)?,
            Mode::Backward => self.machine.run_backward(&self.conditions, SLICE)?,
            Mode::Step => match self.machine.run_forward(&self.conditions, 1)? {
                Found::Limit => return Ok(Some(self.stopped(Reason::DoneStep))),
                found => found,
            },
            Mode::StepWithin(start, end) => return self.step_within(start, end),
            Mode::StepBack => match self.machine.reverse_step()? {
                true => return Ok(Some(self.stopped(Reason::DoneStep))),
                false => Found::Start,
            },
        };
        self.report(found)
    }

    fn step_within(&mut self, start: u64, end: u64) -> Result<Option<Reason<u64>>, ReplayError> {
        for _ in 0..STEPS {
            match self.machine.run_forward(&self.conditions, 1)? {
                Found::Limit if (start..end).contains(&self.pc()) => {}
                Found::Limit => return Ok(Some(self.stopped(Reason::DoneStep))),
                found => return self.report(found),
            }
        }
        Ok(None)
    }

    fn stopped(&mut self, reason: Reason<u64>) -> Reason<u64> {
        self.told_end = false;
        reason
    }

    fn report(&mut self, found: Found) -> Result<Option<Reason<u64>>, ReplayError> {
        if let Found::Hit(Hit::Watch { .. }) = found {
            // gdb takes it that RISC-V stops before the access, whichever way it goes, and makes a step of its own.
            match self.mode {
                Mode::Backward => {
                    self.machine.step()?;
                }
                _ => {
                    self.machine.reverse_step()?;
                }
            }
        }
        Ok(Some(match found {
            Found::Limit => return Ok(None),
            Found::Start => self.stopped(Reason::ReplayLog { tid: None, pos: ReplayLogPosition::Begin }),
            Found::Hit(hit) => self.stopped(match hit {
                Hit::Breakpoint(_) => Reason::SwBreak(()),
                Hit::HostCall(_) => Reason::Signal(Signal::SIGTRAP),
                Hit::GasBelow(_) => Reason::Signal(Signal::SIGXCPU),
                Hit::Watch { access, watched } => {
                    let write = Watch { address: watched, length: 0, loads: false, stores: true };
                    let watch = self.conditions.watches.range(write..).next();
                    let kind = match watch.filter(|watch| watch.address == watched) {
                        Some(Watch { loads: true, stores: true, .. }) => WatchKind::ReadWrite,
                        _ if access.write => WatchKind::Write,
                        _ => WatchKind::Read,
                    };
                    Reason::Watch { tid: (), kind, addr: watched.into() }
                }
            }),
            Found::End(outcome) => {
                let told = std::mem::replace(&mut self.told_end, true);
                match outcome {
                    Outcome::Trap if !told => Reason::Signal(Signal::SIGSEGV),
                    Outcome::OutOfGas if !told => Reason::Signal(Signal::SIGXCPU),
                    // Nobody answers the call.
                    Outcome::HostCall(_) if !told => Reason::Signal(Signal::SIGSYS),
                    _ => Reason::ReplayLog { tid: None, pos: ReplayLogPosition::End },
                }
            }
        }))
    }

    /// Reads the jump table, as code offsets with the size of a register.
    fn read_jump_table(&self, offset: u64, out: &mut [u8]) -> usize {
        let size = if self.is_64_bit() { 8 } else { 4 };
        let table = self.machine.program().jump_table();
        for (index, byte) in out.iter_mut().enumerate() {
            let offset = offset + index as u64;
            // The first entry is never used: code addresses begin with 2.
            let entry = match (offset / size).checked_sub(1) {
                Some(entry) => u32::try_from(entry).ok().and_then(|entry| table.get(entry)),
                None => Some(0),
            };
            match entry {
                Some(target) => *byte = u64::from(target).to_le_bytes()[(offset % size) as usize],
                None => return index,
            }
        }
        out.len()
    }

    /// Reads as many bytes as there are.
    fn read_guest(&self, address: u32, out: &mut [u8]) -> usize {
        if self.machine.read_memory(address, out).is_ok() {
            return out.len();
        }
        let readable = |index: usize, byte: &mut u8| {
            let address = u32::try_from(index).ok().and_then(|index| address.checked_add(index));
            address.is_some_and(|address| self.machine.read_memory(address, std::slice::from_mut(byte)).is_ok())
        };
        let end = out.iter_mut().enumerate().position(|(index, byte)| !readable(index, byte));
        end.unwrap_or(out.len())
    }
}

impl Target for Session {
    type Arch = Guest;
    type Error = ReplayError;

    fn base_ops(&mut self) -> BaseOps<'_, Guest, ReplayError> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(&mut self) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }
}

impl TargetDescriptionXmlOverride for Session {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        out: &mut [u8],
    ) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            return Err(TargetError::NonFatal);
        }
        let xml = description(self.is_64_bit());
        let rest = usize::try_from(offset).ok().and_then(|offset| xml.as_bytes().get(offset..)).unwrap_or_default();
        let count = rest.len().min(length).min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl SingleThreadBase for Session {
    fn read_registers(&mut self, registers: &mut Values) -> TargetResult<(), Self> {
        let (machine, pc) = (&self.machine, self.pc());
        *registers = Values::new(self.is_64_bit(), |reg: Reg| machine.reg(reg), pc, machine.gas(), machine.position());
        Ok(())
    }

    fn write_registers(&mut self, _: &Values) -> TargetResult<(), Self> {
        // What happened cannot be changed.
        Err(TargetError::NonFatal)
    }

    fn read_addrs(&mut self, start: u64, out: &mut [u8]) -> TargetResult<usize, Self> {
        let base = jump_table_base(self.is_64_bit());
        let code = self.machine.program().code();
        let count = match u32::try_from(start) {
            _ if start >= base => self.read_jump_table(start - base, out),
            Ok(address) => match self.read_guest(address, out) {
                0 => {
                    let bytes = (address..code.len()).map_while(|offset| code.byte(offset));
                    out.iter_mut().zip(bytes).map(|(to, from)| *to = from).count()
                }
                count => count,
            },
            Err(_) => 0,
        };
        if count == 0 && !out.is_empty() { Err(TargetError::NonFatal) } else { Ok(count) }
    }

    fn write_addrs(&mut self, _: u64, _: &[u8]) -> TargetResult<(), Self> {
        Err(TargetError::NonFatal)
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadResume for Session {
    fn resume(&mut self, _: Option<Signal>) -> Result<(), ReplayError> {
        self.mode = Mode::Forward;
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<SingleThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, (), Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, (), Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Session {
    fn step(&mut self, _: Option<Signal>) -> Result<(), ReplayError> {
        self.mode = Mode::Step;
        Ok(())
    }
}

impl SingleThreadRangeStepping for Session {
    fn resume_range_step(&mut self, start: u64, end: u64) -> Result<(), ReplayError> {
        self.mode = Mode::StepWithin(start, end);
        Ok(())
    }
}

impl ReverseStep<()> for Session {
    fn reverse_step(&mut self, (): ()) -> Result<(), ReplayError> {
        self.mode = Mode::StepBack;
        Ok(())
    }
}

impl ReverseCont<()> for Session {
    fn reverse_cont(&mut self) -> Result<(), ReplayError> {
        self.mode = Mode::Backward;
        Ok(())
    }
}

impl Breakpoints for Session {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl Session {
    fn add_breakpoint(&mut self, address: u64) -> bool {
        let Ok(offset) = u32::try_from(address) else { return false };
        // One where no instruction begins is never reached, which is no error: gdb sets some by guessing.
        *self.breakpoints.entry(offset).or_default() += 1;
        self.conditions.breakpoints.insert(offset) || self.breakpoints.get(&offset).is_some_and(|count| *count > 1)
    }

    fn remove_breakpoint(&mut self, address: u64) -> bool {
        let Ok(offset) = u32::try_from(address) else { return false };
        let Some(count) = self.breakpoints.get_mut(&offset) else { return false };
        *count -= 1;
        if *count == 0 {
            self.breakpoints.remove(&offset);
            self.conditions.breakpoints.remove(&offset);
        }
        true
    }
}

impl SwBreakpoint for Session {
    fn add_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.add_breakpoint(address))
    }

    fn remove_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.remove_breakpoint(address))
    }
}

impl HwBreakpoint for Session {
    fn add_hw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.add_breakpoint(address))
    }

    fn remove_hw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.remove_breakpoint(address))
    }
}

fn watch(address: u64, length: u64, kind: WatchKind) -> Option<Watch> {
    let (loads, stores) = match kind {
        WatchKind::Write => (false, true),
        WatchKind::Read => (true, false),
        WatchKind::ReadWrite => (true, true),
    };
    Some(Watch { address: address.try_into().ok()?, length: length.try_into().ok()?, loads, stores })
}

impl HwWatchpoint for Session {
    fn add_hw_watchpoint(&mut self, address: u64, length: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        let Some(watch) = watch(address, length, kind) else { return Ok(false) };
        self.conditions.watches.insert(watch);
        Ok(true)
    }

    fn remove_hw_watchpoint(&mut self, address: u64, length: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        Ok(watch(address, length, kind).is_some_and(|watch| self.conditions.watches.remove(&watch)))
    }
}
