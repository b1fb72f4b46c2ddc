//! The Prometheus metrics. They count without a registry, too.

use substrate_prometheus_endpoint::{Counter, F64, Gauge, PrometheusError, Registry, U64, register};

/// Defines the struct of metrics and its constructor by one list.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ident<$number:ident>,)*) => {
        /// Counters and gauges, with the prefix `polkavm_` in Prometheus.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $name: $kind<$number>,)*
        }

        impl Metrics {
            /// Creates all metrics at zero; registers them if there is a registry.
            ///
            /// # Errors
            /// If the registry has a metric of the same name.
            pub fn new(registry: Option<&Registry>) -> Result<Metrics, PrometheusError> {
                Ok(Metrics {
                    $($name: {
                        let metric = $kind::<$number>::new(
                            concat!("polkavm_", stringify!($name)),
                            concat!($($help),+).trim(),
                        )?;
                        match registry {
                            Some(registry) => register(metric, registry)?,
                            None => metric,
                        }
                    },)*
                })
            }
        }
    };
}

metrics! {
    /// 1 if programs are compiled, 0 if they are interpreted
    backend: Gauge<U64>,
    /// Instances made
    instances_total: Counter<U64>,
    /// Instances that ran interpreted though programs are compiled, from the start or later
    interpreted_total: Counter<U64>,
    /// Instances that began interpreted and went on compiled
    tier_moves_total: Counter<U64>,
    /// Host calls of programs
    host_calls_total: Counter<U64>,
    /// Programs compiled, or loaded on a node that interprets
    compiles_total: Counter<U64>,
    /// Programs that could not be compiled and are interpreted
    compile_failures_total: Counter<U64>,
    /// Instances whose program was in the cache
    cache_hits_total: Counter<U64>,
    /// Programs dropped from the cache to make room
    cache_evictions_total: Counter<U64>,
    /// Bytes in the cache
    cache_bytes: Gauge<U64>,
    /// Programs whose machine code was on disk
    disk_hits_total: Counter<U64>,
    /// Programs that were not on disk
    disk_misses_total: Counter<U64>,
    /// Files on disk that were damaged or otherwise of no use, and were removed
    disk_rejected_total: Counter<U64>,
    /// Files removed to make room
    disk_evictions_total: Counter<U64>,
    /// Bytes of compiled programs on disk
    disk_bytes: Gauge<U64>,
    /// Workers lost while they ran a program
    worker_deaths_total: Counter<U64>,
    /// Workers that could not be had
    workers_refused_total: Counter<U64>,
    /// Instances that were replayed on the interpreter after their worker was lost
    recoveries_total: Counter<U64>,
    /// Instances that were replayed on the interpreter as their log had become too long
    long_logs_total: Counter<U64>,
    /// Bytes that loaded programs and logs hold of the node's memory for contracts
    memory_bytes: Gauge<U64>,
    /// Programs for whose machine code there was no memory
    memory_refused_total: Counter<U64>,
    /// Off-chain calls that were ended, as they took too long or too much
    offchain_refused_total: Counter<U64>,
    /// Instances that were run again on the interpreter after they had ended, and compared
    audits_total: Counter<U64>,
    /// Instances that were to be audited, and were not for lack of time or memory
    audits_skipped_total: Counter<U64>,
    /// Runs in which compiled code and the interpreter differed. From the first one on everything is interpreted
    differences_total: Counter<U64>,
    /// Seconds in programs
    guest_seconds_total: Counter<F64>,
    /// Seconds between a host call and the program's going on, with what other programs ran in between
    host_call_seconds_total: Counter<F64>,
}
