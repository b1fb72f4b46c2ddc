//! Deadline of a run. Used by `worker` and `handoff`.
//!
//! A run is one request of the embedder, with any number of handoffs. The CPU time of the worker counts, and that of
//! the host while it works for the guest; time in which the machine is busy, throttled or suspended does not. Real time
//! has a far more generous limit, against a worker that is stopped.

use super::{SandboxError, sys};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Handoffs of one run between two readings of the clocks. They are also read when a handoff takes long.
const HANDOFFS: u32 = 16;
/// Short runs between two readings of the worker's CPU time.
const UNREAD: u32 = 100;
/// Minimum CPU time between two readings that counts as progress.
const PROGRESS: Duration = Duration::from_millis(1);
/// A worker that sleeps for this long while it has control is killed: it has nothing to wait for.
const SLEEP: Duration = Duration::from_secs(1);

/// Limits of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// CPU time; `None`: unlimited.
    pub cpu: Option<Duration>,
    /// Real time; `None`: unlimited.
    pub real: Option<Duration>,
}

impl Limits {
    /// Default limit of real time, as a multiple of that of CPU time.
    const PATIENCE: u32 = 60;

    /// Limits of a command, which runs no guest code.
    pub const COMMAND: Limits = Limits::of_cpu_time(Duration::from_secs(2));

    pub const fn of_cpu_time(cpu: Duration) -> Limits {
        Limits { cpu: Some(cpu), real: Some(cpu.saturating_mul(Limits::PATIENCE)) }
    }
}

/// Resources that a worker uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter<'a> {
    /// Process id of the worker in this process's pid namespace. If unknown, real time is used instead of CPU time.
    pub process: Option<u32>,
    /// File behind the worker's memory, and its limit of pages.
    pub memory: Option<(&'a OwnedFd, u64)>,
}

impl Meter<'_> {
    /// Returns the CPU time of the worker so far. Only valid before the worker has ended: later another process may
    /// have its pid.
    pub fn cpu_time(self) -> Option<Duration> {
        sys::cpu_time(self.process?)
    }

    /// Fails if the worker has more memory than its program can have.
    pub fn check_memory(self) -> Result<(), SandboxError> {
        let Some((file, limit)) = self.memory else { return Ok(()) };
        let pages = sys::pages(file)?;
        match pages > limit {
            true => Err(SandboxError::ProtocolViolation {
                what: "its pages of memory, of which there are too many",
                value: pages,
            }),
            false => Ok(()),
        }
    }

    /// Returns true if the worker sleeps voluntarily: it neither runs, nor waits for a processor or a page, nor is it
    /// stopped.
    fn is_asleep(self) -> bool {
        let Some(process) = self.process else { return false };
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The state comes after the name, which is in parentheses.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    }
}

/// Deadline of a run: the rest of its limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    limits: Limits,
    /// Number of handoffs of the run so far.
    handoffs: u32,
    /// CPU time that the host has spent for the guest.
    host: Duration,
    /// First reading of the clocks.
    start: Option<Reading>,
    last: Reading,
    /// Total CPU time of the worker at the last reading.
    used: Duration,
    /// Runs begun since that reading.
    unread: u32,
    /// Time since which the worker has been asleep.
    asleep: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    cpu: Duration,
    real: Instant,
}

impl Deadline {
    pub fn new(limits: Limits) -> Deadline {
        let never = Reading { cpu: Duration::ZERO, real: Instant::now() };
        let (host, used) = (Duration::ZERO, Duration::ZERO);
        Deadline { limits, handoffs: 0, host, start: None, last: never, used, unread: 0, asleep: None }
    }

    /// Begins a new run. Its clocks are first read when a handoff takes long, or when it continues after one.
    #[inline]
    pub fn begin(&mut self, meter: Meter<'_>) -> Result<(), SandboxError> {
        if self.start.is_some() || self.unread == UNREAD {
            self.read(meter);
            meter.check_memory()?;
        }
        self.unread += 1;
        (self.handoffs, self.host, self.start) = (0, Duration::ZERO, None);
        Ok(())
    }

    /// Returns the worker's total CPU time, including the recent runs if one of them took long.
    pub fn read_if_slow(&mut self, meter: Meter<'_>) -> Duration {
        if self.start.is_some() {
            self.read(meter);
        }
        self.used
    }

    fn read(&mut self, meter: Meter<'_>) {
        self.unread = 0;
        self.used = meter.cpu_time().unwrap_or(self.used);
    }

    /// Returns the worker's total CPU time at the last reading before this run; short runs since then are missing.
    #[inline]
    pub fn used(&self) -> Duration {
        self.used
    }

    /// Maximum CPU time that a run may take.
    #[inline]
    pub fn limit(&self) -> Option<Duration> {
        self.limits.cpu
    }

    /// Continues the run with another handoff.
    pub fn go_on(&mut self, meter: Meter<'_>) -> Result<(), SandboxError> {
        self.handoffs = self.handoffs.wrapping_add(1);
        match self.handoffs % HANDOFFS {
            1 => self.look(meter).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Adds CPU time that the host spent for the guest.
    pub fn spend(&mut self, host: Duration) {
        self.host = self.host.saturating_add(host);
    }

    /// Checks the clocks; returns the maximum time until the next check.
    pub fn look(&mut self, meter: Meter<'_>) -> Result<Duration, SandboxError> {
        meter.check_memory()?;
        let real = Instant::now();
        let start = self.start.map_or(real, |start| start.real);
        // Real time replaces CPU time if the process id is unknown.
        let cpu = meter.cpu_time().unwrap_or_else(|| real.saturating_duration_since(start));
        let now = Reading { cpu, real };
        let Some(start) = self.start else {
            (self.start, self.last, self.asleep) = (Some(now), now, None);
            return Ok(self.left(self.host, Duration::ZERO));
        };
        let used = cpu.saturating_sub(start.cpu).saturating_add(self.host);
        let waited = real.saturating_duration_since(start.real);
        if let Some(limit) = self.limits.cpu.filter(|limit| used >= *limit) {
            return Err(SandboxError::TimedOut { limit });
        }
        if let Some(limit) = self.limits.real.filter(|limit| waited >= *limit) {
            return Err(SandboxError::Stalled { limit });
        }
        self.check_awake(meter, now)?;
        Ok(self.left(used, waited))
    }

    fn left(&self, used: Duration, waited: Duration) -> Duration {
        let of = |limit: Option<Duration>, used| limit.map_or(Duration::MAX, |limit| limit.saturating_sub(used));
        of(self.limits.cpu, used).min(of(self.limits.real, waited)).max(PROGRESS)
    }

    /// Fails if the worker has been asleep for too long while it has control.
    fn check_awake(&mut self, meter: Meter<'_>, now: Reading) -> Result<(), SandboxError> {
        if now.real.saturating_duration_since(self.last.real) < 10 * PROGRESS {
            return Ok(());
        }
        let is_asleep = now.cpu.saturating_sub(self.last.cpu) < PROGRESS && meter.is_asleep();
        self.last = now;
        let since = self.asleep.filter(|_| is_asleep);
        self.asleep = is_asleep.then_some(since.unwrap_or(now.real));
        match since.map(|since| now.real.saturating_duration_since(since)) {
            Some(slept) if slept >= SLEEP => Err(SandboxError::ProtocolViolation {
                what: "sleeping while it has control",
                value: slept.as_millis() as u64,
            }),
            _ => Ok(()),
        }
    }
}
