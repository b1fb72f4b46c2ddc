//! No cage: on platforms other than Linux on AMD64. Takes the place of `pool`, and has the same interface.

use super::{Cage, CageError, Exit, Image, Layer, Missing, Settings, State};
use std::sync::Arc;
use std::time::Duration;

/// What a pool has and has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    pub workers: usize,
    pub idle: usize,
    pub fresh: usize,
    pub spawned: usize,
}

/// There is none.
#[derive(Debug)]
pub(crate) enum Pool {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Pooled {}

/// There is none.
#[derive(Debug)]
pub(crate) enum ForkedPool {}

impl ForkedPool {
    pub fn into_pool(self) -> Arc<Pool> {
        match self {}
    }
}

impl Pool {
    /// Says that there is no cage here.
    pub fn new(_: Settings) -> Result<Arc<Pool>, CageError> {
        Err(CageError::Unsupported {
            missing: "a caged process for this platform",
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

    pub fn prepare_fork(&self) -> Result<ForkedPool, CageError> {
        match *self {}
    }

    pub fn cpu_time(&self) -> Duration {
        match *self {}
    }

    pub fn counts(&self) -> Counts {
        match *self {}
    }

    pub fn take(self: &Arc<Pool>, _: &Image<'_>) -> Result<Pooled, CageError> {
        match **self {}
    }
}

impl Cage for Pooled {
    fn load(&mut self, _: &Image<'_>) -> Result<(), CageError> {
        match *self {}
    }

    fn run(&mut self, _: &mut State) -> Result<Exit, CageError> {
        match *self {}
    }

    fn go_on(&mut self, _: &mut State) -> Result<Exit, CageError> {
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

    fn grow_heap(&mut self, _: u32, _: u32) -> Result<(), CageError> {
        match *self {}
    }

    fn reset(&mut self) -> Result<(), CageError> {
        match *self {}
    }

    fn kill(&mut self) {
        match *self {}
    }
}
