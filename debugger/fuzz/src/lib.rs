//! The bodies of the fuzz targets; the debugger's tests run them too.

pub mod bodies;
