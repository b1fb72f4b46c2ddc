//! Tests of the model on examples worked by hand. Everything else is compared with the engines in `pvm-oracle`.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_reference::{Blob, Config, Interpreter, Isa, Metering, Model, Outcome};

const CONFIG: Config =
    Config { page_size: 0x1000, aux_size: 0, model: Model::Naive, metering: Metering::Sync, single_step: false };

/// A blob of code with 16 bytes of read-write data, a stack of 4 KiB, and a jump table of one-byte entries.
fn blob(isa: u8, code: &[u8], starts: &[usize], table: &[u8]) -> Vec<u8> {
    let mut mask = vec![0; code.len().div_ceil(8)];
    starts.iter().for_each(|start| mask[start / 8] |= 1 << (start % 8));
    let mut section = vec![table.len() as u8, 1, code.len() as u8];
    section.extend(table.iter().chain(code).chain(&mask));
    let mut bytes = b"PVM\0".to_vec();
    bytes.push(isa);
    let body = [&[1, 4, 0, 16, 0x90, 0, 6, section.len() as u8][..], &section, &[0]].concat();
    bytes.extend((13 + body.len() as u64).to_le_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn a_sum_is_computed_paid_and_returned() {
    // add_64 a0 = a0 + a1; jump_indirect ra, 0
    let mut machine = Interpreter::new(&blob(0, &[200, 0x87, 7, 50, 0], &[0, 3], &[]), CONFIG).unwrap();
    for (register, value) in [(0, 0xffff_0000), (7, 40), (8, 2)] {
        machine.set_register(register, value);
    }
    machine.set_gas(10);
    machine.set_next_pc(0);
    assert_eq!(machine.run(), Outcome::Finished);
    assert_eq!((machine.register(7), machine.gas(), machine.pc(), machine.next_pc()), (42, 8, None, None));
    assert_eq!(machine.executed(), 2);
}

#[test]
fn a_block_that_cannot_be_paid_is_not_entered_and_can_be_resumed() {
    // load_imm a0, 7; fallthrough; load_imm a1, 8; trap
    let code = blob(0, &[51, 7, 7, 1, 51, 8, 8, 0], &[0, 3, 4, 7], &[]);
    let mut machine = Interpreter::new(&code, CONFIG).unwrap();
    machine.set_gas(3);
    machine.set_next_pc(0);
    assert_eq!(machine.run(), Outcome::OutOfGas);
    assert_eq!((machine.gas(), machine.pc(), machine.next_pc()), (1, Some(4), Some(4)));
    assert_eq!((machine.register(7), machine.register(8)), (7, 0));
    machine.set_gas(2);
    assert_eq!(machine.run(), Outcome::Trap);
    assert_eq!((machine.gas(), machine.pc(), machine.next_pc()), (0, Some(7), None));
    assert_eq!(machine.register(8), 8);

    let mut machine = Interpreter::new(&code, Config { metering: Metering::Async, ..CONFIG }).unwrap();
    machine.set_gas(3);
    machine.set_next_pc(0);
    assert_eq!(machine.run(), Outcome::OutOfGas);
    assert_eq!((machine.gas(), machine.pc(), machine.next_pc()), (-1, None, None));
}

#[test]
fn memory_ends_where_its_page_ends() {
    // Read-write data begins at 0x20000. store_u16 to 0x20FFE, then to 0x20FFF, which straddles the end.
    let code = [60, 7, 0xfe, 0x0f, 2, 60, 7, 0xff, 0x0f, 2, 0];
    let mut machine = Interpreter::new(&blob(0, &code, &[0, 5, 10], &[]), CONFIG).unwrap();
    machine.set_register(7, 0xabcd);
    machine.set_gas(100);
    machine.set_next_pc(0);
    assert_eq!(machine.run(), Outcome::Trap);
    assert_eq!(machine.pc(), Some(5));
    assert_eq!(machine.read(0x2_0ffd, 3), Some(vec![0, 0xcd, 0xab]));
    assert_eq!(machine.read(0x2_0ffe, 3), None);
    assert_eq!(machine.memory().regions(), [(0x2_0000, 0x2_1000), (0xfffd_f000, 0xfffe_0000)]);
    assert_eq!(machine.sbrk(0), Some(0x2_0010));
    assert_eq!(machine.sbrk(0x1000), Some(0x2_1010));
    assert_eq!(machine.memory().regions()[0], (0x2_0000, 0x2_2000));
}

#[test]
fn blocks_cost_what_the_pipeline_takes() {
    let cost = |code: &[u8], starts: &[usize], latency| {
        let config = Config { model: Model::Pipeline(latency), ..CONFIG };
        Interpreter::new(&blob(0, code, starts, &[]), config).unwrap().block_cost(0)
    };
    // A jump to itself: 15 cycles, after 3 that do not count.
    assert_eq!(cost(&[40, 0], &[0], 25), Some(15));
    // Two divisions are executed in turn; two loads are not.
    assert_eq!(cost(&[203, 0x98, 7, 203, 0x98, 7, 0], &[0, 3, 6], 25), Some(120));
    assert_eq!(cost(&[52, 7, 52, 8, 0], &[0, 2, 4], 25), Some(25));
    assert_eq!(cost(&[52, 7, 52, 8, 0], &[0, 2, 4], 37), Some(37));
}

#[test]
fn blobs_that_are_cut_or_changed_are_refused_or_read_but_never_a_panic() {
    let whole = blob(1, &[51, 7, 7, 0], &[0, 3], &[0, 3]);
    let read = Blob::parse(&whole).unwrap();
    assert_eq!((read.isa, read.rw_size, read.stack_size), (Isa::Latest32, 16, 0x1000));
    assert_eq!((read.code, read.jump_table), (vec![51, 7, 7, 0], vec![0, 3]));
    for length in 0..whole.len() {
        let mut cut = whole[..length].to_vec();
        if let Some(field) = cut.get_mut(5..13) {
            field.copy_from_slice(&(length as u64).to_le_bytes());
        }
        assert!(Blob::parse(&cut).is_err(), "{length}");
    }
    for at in 0..whole.len() {
        for value in 0..=255 {
            let mut changed = whole.clone();
            changed[at] = value;
            if let Ok(mut machine) = Interpreter::new(&changed, CONFIG) {
                machine.set_gas(100);
                machine.set_next_pc(0);
                machine.run();
            }
        }
    }
}
