//! What the fuzz targets of vm-core have in common.

pub mod bodies;
