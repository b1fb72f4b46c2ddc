//! Tests of stored machine code: it behaves the same, and damaged code is refused or harmless.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{engines, engines_with};
use pvm_engine::{
    Backend, CodeRule, Engine, Error, Metering, Module, Outcome, ProgramBlob, ProgramConfig, RawInstance, Reg,
    StoredError,
};
use std::time::Duration;

/// Branches, a dynamic jump, a host call, memory, a division that traps: one position of each kind.
const PROGRAM: &str = r#"
.isa ReviveV1
.stack_size 4096
.rw_size 16
.import "host"
.export "sum" sum

sum:  load_imm t0, 0
loop: add_64 t0, t0, a0
      add_imm_64 a0, a0, -1
      store_u64 t0, 0x20000
      branch_not_eq_imm a0, 0, loop
      ecalli 0
      add_64 a0, a0, t0
      jump_indirect ra, 0
"#;

/// The engines that compile.
fn compiling() -> Vec<Engine> {
    engines().into_iter().filter(|engine| engine.backend() == Backend::Jit).collect()
}

fn blob() -> ProgramBlob {
    common::blob(PROGRAM)
}

fn stored(engine: &Engine, config: &ProgramConfig) -> Vec<u8> {
    Module::new(engine, config, &blob()).unwrap().machine_code_to_store(&blob()).unwrap()
}

/// Everything observable at a stop: the outcome, gas, the first argument, the program counter.
type Seen = (Result<Outcome, String>, i64, u64, Option<u32>);

/// Observes runs that end in several ways.
fn seen(module: &Module) -> Vec<Seen> {
    let look = |instance: &mut RawInstance| {
        let outcome = instance.run().map_err(|error| error.to_string());
        (outcome, instance.gas(), instance.reg(Reg::A0), instance.pc())
    };
    let mut all = Vec::new();
    for gas in [0, 7, 23, 1000] {
        let mut instance = module.instantiate_raw().unwrap();
        instance.set_gas(gas);
        instance.prepare_call(module.program().export(b"sum").unwrap(), &[5]);
        all.push(look(&mut instance));
        all.push(look(&mut instance));
    }
    all
}

#[test]
fn what_is_loaded_does_what_was_stored() {
    for engine in compiling() {
        for metering in [Metering::Off, Metering::Sync, Metering::Async] {
            let config = ProgramConfig { metering, ..ProgramConfig::default() };
            let module = Module::new(&engine, &config, &blob()).unwrap();
            let bytes = module.machine_code_to_store(&blob()).unwrap();
            let loaded = Module::from_stored(&engine, &config, &blob(), &bytes).unwrap();
            assert_eq!(loaded.machine_code(), module.machine_code());
            assert_eq!(loaded.machine_code_to_store(&blob()), Some(bytes));
            if metering == Metering::Sync {
                assert_eq!(seen(&loaded), seen(&module));
            }
        }
    }
}

#[test]
fn another_program_or_configuration_is_refused() {
    for engine in compiling() {
        let config = ProgramConfig::default();
        let bytes = stored(&engine, &config);
        let load = |config: &ProgramConfig, blob: &ProgramBlob| match Module::from_stored(&engine, config, blob, &bytes)
        {
            Err(Error::Stored(error)) => Some(error),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        };
        assert_eq!(load(&config, &blob()), None);
        let other = common::blob(&PROGRAM.replace("-1", "-2"));
        assert_eq!(load(&config, &other), Some(StoredError::OtherProgram));
        for change in [
            ProgramConfig { metering: Metering::Async, ..config.clone() },
            ProgramConfig { aux_size: 4096, ..config.clone() },
            ProgramConfig { page_size: 8192, ..config.clone() },
            ProgramConfig { single_step: true, ..config.clone() },
        ] {
            assert_eq!(load(&change, &blob()), Some(StoredError::OtherConfiguration), "{change:?}");
        }
    }
}

#[test]
fn an_engine_that_interprets_or_traces_neither_stores_nor_loads() {
    let Some(engine) = compiling().pop() else { return };
    let config = ProgramConfig::default();
    let bytes = stored(&engine, &config);
    let tracing = engines_with(|config| {
        config.set_trace_execution(true);
    });
    for other in engines().into_iter().filter(|engine| engine.backend() != Backend::Jit).chain(tracing) {
        assert_eq!(Module::new(&other, &config, &blob()).unwrap().machine_code_to_store(&blob()), None);
        let refused = Module::from_stored(&other, &config, &blob(), &bytes).err().unwrap();
        assert!(matches!(refused, Error::Stored(StoredError::NotCompiling)), "{refused}");
    }
}

#[test]
fn a_part_of_it_is_refused_and_so_is_more() {
    for engine in compiling() {
        let config = ProgramConfig::default();
        let bytes = stored(&engine, &config);
        for length in 0..bytes.len() {
            assert!(Module::from_stored(&engine, &config, &blob(), &bytes[..length]).is_err(), "{length} bytes");
        }
        let more = [&bytes[..], &[0]].concat();
        let refused = Module::from_stored(&engine, &config, &blob(), &more).err().unwrap();
        assert!(matches!(refused, Error::Stored(StoredError::TooLong { bytes: 1 })), "{refused}");
    }
}

#[test]
fn code_that_no_rule_of_the_compiler_emits_is_refused_by_the_verifier() {
    let unverified = engines_with(|config| {
        config.set_verify_code(false);
    });
    let unverified = unverified.into_iter().filter(|engine| engine.backend() == Backend::Jit);
    for (engine, unverified) in compiling().into_iter().zip(unverified) {
        let config = ProgramConfig::default();
        let module = Module::new(&engine, &config, &blob()).unwrap();
        let mut bytes = module.machine_code_to_store(&blob()).unwrap();
        // A system call in the place of xor r13d, r13d, the first instruction.
        let at = bytes.windows(3).position(|code| code == [0x45, 0x31, 0xed]).unwrap();
        bytes[at..at + 2].copy_from_slice(&[0x0f, 0x05]);
        let refused = Module::from_stored(&engine, &config, &blob(), &bytes).err().unwrap();
        let Error::Stored(StoredError::Verify(error)) = refused else { panic!("{refused}") };
        assert_eq!((error.rule(), &error.bytes()[..2]), (CodeRule::Form, &[0x0f, 0x05][..]));
        // Without the verifier it is loaded: the sandbox has to hold then.
        assert!(Module::from_stored(&unverified, &config, &blob(), &bytes).is_ok());
    }
}

/// The engine has no checksum over stored code; protecting it is up to the embedder. Damage may change the results of
/// the program, but nothing else, with the verifier and without: the host and other instances continue.
#[test]
fn damage_harms_nobody_but_the_program() {
    // Damaged code may run in an endless loop.
    let engines = [(true, 20), (false, 100)].into_iter().flat_map(|(verify, least)| {
        let engines = engines_with(|config| {
            config.set_time_limit(Duration::from_millis(50)).set_verify_code(verify);
        });
        engines.into_iter().map(move |engine| (engine, least))
    });
    for (engine, least) in engines.filter(|(engine, _)| engine.backend() == Backend::Jit) {
        let config = ProgramConfig::default();
        let bytes = stored(&engine, &config);
        let good = Module::new(&engine, &config, &blob()).unwrap();
        let expected = seen(&good);
        let (mut refused, mut ran) = (0, 0);
        for at in 0..bytes.len() {
            for bit in [at % 8, 7] {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let Ok(module) = Module::from_stored(&engine, &config, &blob(), &damaged) else {
                    refused += 1;
                    continue;
                };
                ran += 1;
                let Ok(mut instance) = module.instantiate_raw() else { continue };
                instance.set_gas(0);
                instance.prepare_call(0, &[1]);
                if at % 16 == 0 {
                    let _ = instance.run();
                    let _ = (instance.pc(), instance.next_pc(), instance.gas());
                }
                let mut byte = [0];
                let _ = instance.read_memory(0x2_0000, &mut byte);
                for offset in 0..64 {
                    instance.set_next_pc(offset);
                }
            }
        }
        assert!(refused > 100 && ran > least, "{refused} refused, {ran} ran");
        assert_eq!(seen(&good), expected);
    }
}
