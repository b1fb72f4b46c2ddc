//! Stub of `pool`, with the same interface, for platforms other than Linux on AMD64: there is no sandbox.

use super::{Counts, Exit, GuestState, Image, Layer, Missing, SandboxError, Settings, WorkerProcess};
use std::sync::Arc;
use std::time::Duration;

/// Uninhabited: there are no pools on this target.
#[derive(Debug)]
pub(crate) enum Pool {}

/// Uninhabited: there are no workers on this target.
#[derive(Debug)]
pub(crate) enum Pooled {}

/// Uninhabited: there are no forked pools on this target.
#[derive(Debug)]
pub(crate) enum ForkedPool {}

impl ForkedPool {
    pub fn into_pool(self) -> Arc<Pool> {
        match self {}
    }
}

impl Pool {
    /// Fails: there is no sandbox on this platform.
    pub fn new(_: Settings) -> Result<Arc<Pool>, SandboxError> {
        Err(SandboxError::Unsupported {
            missing: "a sandboxed process for this platform",
            errno: 0,
            fix: "use Linux on AMD64, or the interpreter",
        })
    }

    pub fn missing(&self) -> Vec<Missing> {
        match *self {}
    }

    pub fn layers(&self) -> Vec<Layer> {
        match *self {}
    }

    pub fn prepare_fork(&self) -> Result<ForkedPool, SandboxError> {
        match *self {}
    }

    pub fn cpu_time(&self) -> Duration {
        match *self {}
    }

    pub fn counts(&self) -> Counts {
        match *self {}
    }

    pub fn take(self: &Arc<Pool>, _: &Image<'_>) -> Result<Pooled, SandboxError> {
        match **self {}
    }
}

impl WorkerProcess for Pooled {
    fn load(&mut self, _: &Image<'_>) -> Result<(), SandboxError> {
        match *self {}
    }

    fn run(&mut self, _: &mut GuestState) -> Result<Exit, SandboxError> {
        match *self {}
    }

    fn go_on(&mut self, _: &mut GuestState) -> Result<Exit, SandboxError> {
        match *self {}
    }

    fn read(&self, _: u32, _: &mut [u8]) {
        match *self {}
    }

    fn pages(&self, _: u32, _: u32, _: &mut dyn FnMut(u32, &[u8; 0x1000])) {
        match *self {}
    }

    fn write(&mut self, _: u32, _: &[u8]) {
        match *self {}
    }

    fn fill(&mut self, _: u32, _: u8, _: u32) {
        match *self {}
    }

    fn grow_heap(&mut self, _: u32, _: u32) -> Result<(), SandboxError> {
        match *self {}
    }

    fn reset(&mut self) -> Result<(), SandboxError> {
        match *self {}
    }

    fn kill(&mut self) {
        match *self {}
    }
}
