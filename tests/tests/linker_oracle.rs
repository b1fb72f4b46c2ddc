//! Differential test of linkers: the example contracts, linked by ours at every level and by upstream's, make the same host calls.
//!
//! Upstream's linker is an oracle here, and is otherwise only used in benches.

#![allow(clippy::unwrap_used, reason = "tests")]

use anyhow::{Context as _, Result, anyhow};
use integration_tests::paths::contract_elf;
use polkavm_linker::{Config, TargetInstructionSet, program_from_elf};
use pvm_linker::{Level, Options, link};
use std::{collections::BTreeMap, fs, sync::Arc};
use vm_core::{
    Outcome,
    blob::Blob,
    interpreter::Instance,
    isa::Reg,
    program::{Program, ProgramConfig},
};

/// Host that records calls with the contents of their arguments, as guest addresses differ.
#[derive(Default)]
struct Host {
    call_data: Vec<u8>,
    storage: BTreeMap<Vec<u8>, Vec<u8>>,
    told: Vec<String>,
}

impl Host {
    fn read(instance: &Instance, reg: Reg, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        instance.read_memory(instance.reg(reg) as u32, &mut out).unwrap();
        out
    }

    /// Answers; `None` ends the call.
    fn answer(&mut self, name: &str, instance: &mut Instance) -> Option<()> {
        let argument = |index: usize| instance.reg(Reg::ARGS[index]);
        let write = |instance: &mut Instance, reg: Reg, data: &[u8]| {
            instance.write_memory(instance.reg(reg) as u32, data).unwrap();
        };
        match name {
            "call_data_size" => instance.set_reg(Reg::A0, self.call_data.len() as u64),
            "call_data_copy" => {
                let (length, offset) = (argument(1) as usize, argument(2) as usize);
                let mut data = self.call_data.get(offset..).unwrap_or_default().to_vec();
                data.resize(length, 0);
                write(instance, Reg::A0, &data);
            }
            "get_storage_or_zero" => {
                let key = Self::read(instance, Reg::A1, 32);
                let value = self.storage.get(&key).cloned().unwrap_or(vec![0; 32]);
                self.told.push(format!("get {key:x?}"));
                write(instance, Reg::A2, &value);
            }
            "set_storage_or_clear" => {
                let (key, value) = (Self::read(instance, Reg::A1, 32), Self::read(instance, Reg::A2, 32));
                self.told.push(format!("set {key:x?} {value:x?}"));
                self.storage.insert(key, value);
                instance.set_reg(Reg::A0, 0);
            }
            "caller" => write(instance, Reg::A0, &[0xca; 20]),
            "value_transferred" => write(instance, Reg::A0, &[0; 32]),
            "hash_keccak_256" => {
                let input = Self::read(instance, Reg::A0, argument(1) as usize);
                // Not the real hash, but it distinguishes inputs as well.
                let mut hash = [0u8; 32];
                for (index, byte) in input.iter().enumerate() {
                    hash[index % 32] =
                        hash[(index + 7) % 32].rotate_left(3) ^ byte.wrapping_mul(31).wrapping_add(index as u8);
                }
                self.told.push(format!("hash {input:x?}"));
                write(instance, Reg::A2, &hash);
            }
            "deposit_event" => {
                let topics = Self::read(instance, Reg::A0, 32 * argument(1) as usize);
                let data = Self::read(instance, Reg::A2, argument(3) as usize);
                self.told.push(format!("event {topics:x?} {data:x?}"));
            }
            "seal_return" => {
                let data = Self::read(instance, Reg::A1, argument(2) as usize);
                self.told.push(format!("return {} {data:x?}", argument(0) as u32));
                return None;
            }
            other => {
                self.told.push(other.to_owned());
                instance.set_reg(Reg::A0, 0);
            }
        }
        Some(())
    }

    /// Calls an export, and records the outcome.
    fn call(&mut self, program: &Arc<Program>, export: &str, data: Vec<u8>) {
        let mut instance = Instance::new(Arc::clone(program));
        let entry = program.export(export.as_bytes()).unwrap();
        self.call_data = data;
        instance.set_gas(100_000_000);
        instance.prepare_call(entry, &[]);
        loop {
            match instance.run() {
                Outcome::HostCall(number) => {
                    let name = String::from_utf8(program.import(number).unwrap().to_vec()).unwrap();
                    if self.answer(&name, &mut instance).is_none() {
                        return;
                    }
                }
                outcome => {
                    self.told.push(format!("{outcome:?}"));
                    return;
                }
            }
        }
    }
}

fn program(blob: &[u8]) -> Result<Arc<Program>> {
    Ok(Arc::new(Program::new(&Blob::parse(blob)?, &ProgramConfig::default())?))
}

/// Returns the blob that upstream's linker makes.
fn upstream(elf: &[u8]) -> Result<Vec<u8>> {
    let mut config = Config::default();
    config.set_strip(true);
    program_from_elf(config, TargetInstructionSet::ReviveV1, elf).map_err(|error| anyhow!("{error}"))
}

fn word(value: u64) -> [u8; 32] {
    let mut out = [0; 32];
    out[24..].copy_from_slice(&value.to_be_bytes());
    out
}

/// Returns calls of a token and of a flipper, valid and invalid ones.
fn calls() -> Vec<(&'static str, Vec<u8>)> {
    let mut out = vec![("deploy", word(1_000_000).to_vec()), ("deploy", vec![]), ("call", vec![1, 2])];
    // totalSupply, balanceOf, transfer, approve, allowance, transferFrom, name, symbol, decimals, flip, get, and one
    // that nobody has.
    for selector in [
        0x1816_0ddd_u32,
        0x70a0_8231,
        0xa905_9cbb,
        0x095e_a7b3,
        0xdd62_ed3e,
        0x23b8_72dd,
        0x06fd_de03,
        0x95d8_9b41,
        0x313c_e567,
        0xcde4_efa9,
        0x6d4c_e63c,
        0x1234_5678,
    ] {
        for arguments in [&[][..], &[5, 7, 9], &[0xca, 1_000, 3], &[u64::MAX, u64::MAX, u64::MAX]] {
            let mut data = selector.to_be_bytes().to_vec();
            arguments.iter().for_each(|argument| data.extend(word(*argument)));
            out.push(("call", data));
        }
    }
    out
}

#[test]
fn contracts_do_the_same_as_with_upstreams_linker() -> Result<()> {
    for name in ["erc20", "flipper", "misbehave", "work"] {
        let elf = fs::read(contract_elf(name)?)?;
        let theirs = upstream(&elf)?;
        let theirs = program(&theirs)?;
        let mut expected = Host::default();
        calls().into_iter().for_each(|(export, data)| expected.call(&theirs, export, data));
        assert!(expected.told.len() > 20, "{name} tells the host too little to compare");
        for level in [Level::None, Level::Some, Level::Full] {
            let ours = link(&elf, &Options { level, strip: level == Level::Full, ..Options::default() });
            let ours = program(&ours.with_context(|| name)?)?;
            let mut host = Host::default();
            calls().into_iter().for_each(|(export, data)| host.call(&ours, export, data));
            assert_eq!(host.told, expected.told, "{name} at {level:?}");
            assert_eq!(host.storage, expected.storage, "{name} at {level:?}");
        }
    }
    Ok(())
}

#[test]
fn our_blobs_are_smaller() -> Result<()> {
    for name in ["erc20", "flipper", "misbehave", "work"] {
        let elf = fs::read(contract_elf(name)?)?;
        let theirs = upstream(&elf)?;
        let ours = link(&elf, &Options { strip: true, ..Options::default() })?;
        assert!(ours.len() < theirs.len(), "{name}: {} bytes, {} by upstream's linker", ours.len(), theirs.len());
    }
    Ok(())
}
