//! Tests that a runtime observes the same whether it interprets programs itself, or the node interprets or compiles them.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{InNode, InRuntime, Seen, compiling, drive, interpreting, programs};
use pvm_host_interface::{AccessError, Backend as _, INSTANCES, InstantiateError, NoInstance, ProgramRules};
use sp_crypto_hashing::keccak_256;
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

#[test]
fn all_ways_to_run_a_program_look_the_same() {
    let (interpreting, compiling) = (interpreting(), compiling());
    let (mut stops, mut host_calls) = (0, 0);
    for (code, entry, seed) in programs(6000) {
        let expected = drive(InRuntime::new(&code, entry), seed, |_| ());
        for node in [&interpreting, &compiling] {
            let seen = drive(InNode::new(node.session(), &code, entry), seed, |_| ());
            assert_eq!(seen, expected, "seed {seed}");
        }
        let stopped = |seen: &&Seen| matches!(seen, Seen::Stopped(..));
        stops += expected.iter().filter(stopped).count();
        let called =
            |seen: &&Seen| matches!(seen, Seen::Stopped(stop, _) if matches!(stop.outcome, Outcome::HostCall(_)));
        host_calls += expected.iter().filter(called).count();
    }
    // If most programs stopped at once the test would prove little.
    assert!(stops > 2000 && host_calls > 1000, "{stops} stops, {host_calls} host calls");
    // On a busy machine the executor may give up a worker.
    let metrics = compiling.metrics();
    assert!(metrics.interpreted_total.get() < metrics.instances_total.get() / 10);
}

#[test]
fn errors_come_from_the_arguments_alone() {
    let blob = assemble(".isa ReviveV1\njump_indirect ra, 0\n").unwrap();
    let hash = keccak_256(&blob);
    for node in [interpreting(), compiling()] {
        let mut session = node.session();
        for turn in 0..2 {
            assert_eq!(
                session.instantiate(&[0; 32], &blob, 0, ProgramRules::version_1(Naive)),
                Err(InstantiateError::HashMismatch),
                "{turn}"
            );
            let other = assemble(".isa ReviveV1\ntrap\n").unwrap();
            assert_eq!(
                session.instantiate(&hash, &other, 0, ProgramRules::version_1(Naive)),
                Err(InstantiateError::HashMismatch),
                "{turn}"
            );
            let noise = b"no program";
            let refused = session.instantiate(&keccak_256(noise), noise, 0, ProgramRules::version_1(Naive));
            assert_eq!(refused, Err(InstantiateError::NoProgram), "{turn}");
            // In the second iteration the program is in the cache.
            assert_eq!(session.instantiate(&hash, &blob, 0, ProgramRules::version_1(Naive)), Ok(turn));
        }
        for number in 2..INSTANCES {
            assert_eq!(session.instantiate(&hash, &blob, 0, ProgramRules::version_1(Naive)), Ok(number));
        }
        assert_eq!(
            session.instantiate(&hash, &blob, 0, ProgramRules::version_1(Naive)),
            Err(InstantiateError::TooMany)
        );
        assert_eq!(session.destroy(5), Ok(()));
        assert_eq!(session.destroy(5), Err(NoInstance));
        assert_eq!(session.run(5, 1, None), Err(NoInstance));
        assert_eq!(session.program_counter(5), Err(NoInstance));
        assert_eq!(session.read_memory(5, 0x2_0000, &mut []), Err(AccessError::NoInstance));
        assert_eq!(session.write_memory(5, 0x2_0000, &[]), Err(AccessError::NoInstance));
        assert_eq!(session.zero_memory(5, 0x2_0000, 0), Err(AccessError::NoInstance));
        // Instance numbers are not reused within a runtime call.
        assert_eq!(session.instantiate(&hash, &blob, 0, ProgramRules::version_1(Naive)), Ok(INSTANCES));
        session.release();
        assert_eq!(session.instances(), 0);
        assert_eq!(session.instantiate(&hash, &blob, 0, ProgramRules::version_1(Naive)), Ok(0));
    }
}

#[test]
fn an_entry_beyond_the_code_traps() {
    let blob = assemble(".isa ReviveV1\njump_indirect ra, 0\n").unwrap();
    for node in [interpreting(), compiling()] {
        let mut session = node.session();
        let instance =
            session.instantiate(&keccak_256(&blob), &blob, u32::MAX, ProgramRules::version_1(Naive)).unwrap();
        let stop = session.run(instance, 100, None).unwrap();
        assert_eq!((stop.outcome, stop.gas), (Outcome::Trap, 100));
    }
}

#[test]
fn more_instances_than_workers_are_interpreted() {
    let blob = assemble(".isa ReviveV1\nadd_imm_64 a0, a0, 1\njump_indirect ra, 0\n").unwrap();
    let flags = executor::Flags { workers: 2, ..common::flags(executor::BackendChoice::Auto) };
    let node = executor::PolkaVm::new(&flags, None).unwrap();
    let mut session = node.session();
    for number in 0..6 {
        assert_eq!(session.instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(Naive)), Ok(number));
    }
    for number in 0..6 {
        let stop = session.run(number, 100, Some(u64::from(number))).unwrap();
        assert_eq!((stop.outcome, stop.gas, stop.args[0]), (Outcome::Finished, 98, u64::from(number) + 1));
    }
    assert!(!node.is_compiling() || node.metrics().workers_refused_total.get() == 4);
}
