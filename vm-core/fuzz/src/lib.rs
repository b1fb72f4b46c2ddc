//! Shared parts of vm-core's fuzz targets.

pub mod bodies;
