//! Cost of recording and of going back, beside the plain interpreter: `cargo bench -p pvm-debugger`.
//!
//! The program fills a table and calls its host after each thousand instructions or so. Figures are the least of some
//! runs, as others may use the machine. An argument is the number of instructions.
#![allow(clippy::unwrap_used, reason = "a bench")]

use pvm_debugger::machine::{Conditions, Live, Machine, Watch};
use pvm_debugger::record::{Limits, Record, Recorder, Rules};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::interpreter::Instance;
use vm_core::isa::Reg;
use vm_core::program::{Program, ProgramConfig};
use vm_core::text::assemble;

/// Fills a table of 128 numbers that look random, combines them, and tells the host: a0 times.
const PROGRAM: &str = r#"
.isa ReviveV1
.rw_size 65536
.stack_size 4096
.import "tell"
.export "main" main
main:   move_reg s0, a0
        load_imm a3, 12345
        fallthrough                     ; s0 times
round:  load_imm a1, 0
        fallthrough
fill:   mul_imm_64 a3, a3, 1103515245
        add_imm_64 a3, a3, 12345
        and_imm a4, a1, 127
        shift_logical_left_imm_64 a4, a4, 9
        store_indirect_u64 a3, a4, 0x20000
        load_indirect_u64 a5, a4, 0x20000
        xor a2, a2, a5
        add_imm_64 a1, a1, 1
        branch_less_unsigned_imm a1, 128, fill
        ecalli 0
        add_imm_64 s0, s0, -1
        branch_not_eq_imm s0, 0, round
        jump_indirect ra, 0
"#;

/// Instructions of a round.
const ROUND: u64 = 128 * 9 + 5;

fn least(count: usize, mut run: impl FnMut() -> Duration) -> Duration {
    (0..count).map(|_| run()).min().unwrap()
}

fn program() -> (Vec<u8>, Arc<Program>) {
    let bytes = assemble(PROGRAM).unwrap();
    let program = Program::new(&Blob::parse(&bytes).unwrap(), &ProgramConfig::default()).unwrap();
    (bytes, Arc::new(program))
}

/// Runs with a host that changes nothing; records it if that is wanted.
fn run(program: &Arc<Program>, rounds: u64, mut recorder: Option<&mut Recorder<Vec<u8>>>) -> Duration {
    let mut instance = Instance::new(program.clone());
    instance.set_gas(i64::MAX);
    instance.prepare_call(program.export(b"main").unwrap(), &[rounds]);
    let registers = |instance: &Instance| Reg::ALL.map(|reg| instance.reg(reg));
    let begun = Instant::now();
    if let Some(recorder) = &mut recorder {
        recorder.start(instance.next_pc().unwrap(), registers(&instance), instance.gas()).unwrap();
    }
    loop {
        let outcome = instance.run();
        if let Some(recorder) = &mut recorder {
            recorder.stop(outcome, instance.pc(), registers(&instance), instance.gas()).unwrap();
        }
        match outcome {
            Outcome::HostCall(_) => {}
            outcome => {
                assert_eq!(outcome, Outcome::Finished);
                return begun.elapsed();
            }
        }
        if let Some(recorder) = &mut recorder {
            recorder.resume(registers(&instance), instance.gas()).unwrap();
        }
    }
}

fn main() {
    let wanted: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000_000);
    let rounds = wanted.div_ceil(ROUND);
    let (bytes, program) = program();
    let rules = Rules::from(program.config());

    // The cost of recording, on runs that are short enough to be repeated.
    let short = rounds.min(20_000);
    let plain = least(7, || run(&program, short, None));
    let mut length = 0;
    let recorded = least(7, || {
        let mut recorder = Recorder::new(Vec::new(), &rules, &bytes).unwrap();
        let time = run(&program, short, Some(&mut recorder));
        length = recorder.finish().unwrap().len();
        time
    });
    let instructions = short * ROUND;
    println!("plain interpreter      {:.3} ns an instruction", plain.as_nanos() as f64 / instructions as f64);
    println!(
        "recording              {:.3} times that, {:.1} bytes a host call",
        recorded.as_secs_f64() / plain.as_secs_f64(),
        length as f64 / short as f64
    );

    let mut recorder = Recorder::new(Vec::new(), &rules, &bytes).unwrap();
    run(&program, rounds, Some(&mut recorder));
    let file = recorder.finish().unwrap();
    let begun = Instant::now();
    let record = Record::read(file.as_slice(), &Limits::default()).unwrap();
    let mut machine = Machine::replay(&record).unwrap();
    println!("reading the record     {:.2} s ({} bytes)", begun.elapsed().as_secs_f64(), file.len());
    let begun = Instant::now();
    let end = machine.seek_end().unwrap();
    println!(
        "opening it at its end  {:.2} s for {} instructions, {} MiB of snapshots",
        begun.elapsed().as_secs_f64(),
        end.position,
        machine.snapshot_memory() >> 20
    );

    // Going back from places all over the run.
    let (mut longest, mut sum, mut place) = (Duration::ZERO, Duration::ZERO, 12345u64);
    const PLACES: u32 = 200;
    for _ in 0..PLACES {
        place = place.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        machine.seek((place >> 20) % end.position + 1).unwrap();
        let begun = Instant::now();
        machine.reverse_step().unwrap();
        longest = longest.max(begun.elapsed());
        sum += begun.elapsed();
    }
    println!(
        "reverse step           {:.3} ms at most, {:.3} ms on average",
        longest.as_secs_f64() * 1e3,
        sum.as_secs_f64() * 1e3 / f64::from(PLACES)
    );

    machine.seek(end.position).unwrap();
    let watch = Watch { address: 0x2_0000, length: 8, loads: false, stores: true };
    let conditions = Conditions { watches: [watch].into(), ..Conditions::default() };
    let begun = Instant::now();
    machine.run_backward(&conditions, u64::MAX).unwrap();
    println!("last write of a word   {:.3} ms", begun.elapsed().as_secs_f64() * 1e3);
    let live = Live { gas: i64::MAX, entry: 0, arguments: vec![rounds], answers: [(0, 0)].into() };
    let mut machine = Machine::live(program, live).unwrap();
    machine.set_snapshot_memory(0);
    let begun = Instant::now();
    machine.seek(instructions).unwrap();
    println!(
        "counting instructions  {:.3} times the plain interpreter",
        begun.elapsed().as_secs_f64() / plain.as_secs_f64()
    );
}
