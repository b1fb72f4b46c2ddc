//! Measures the node's cost of contract calls of different lengths on each tier, in microseconds: the reason for the
//! default of `--polkavm-tier-gas`.
//!
//!     cargo run --release -p executor --example tiers
//!
//! Each figure is the median of many calls of a cached program: making an instance, running it, dropping it. In the
//! second table the node is idle between the calls, so that its workers block.

use executor::{BackendChoice, Flags, PolkaVm, SandboxChoice};
use pvm_host_interface::{Backend as _, ProgramRules};
use std::error::Error;
use std::time::{Duration, Instant};
use vm_core::gas::CostModelKind;
use vm_core::text::assemble;

const PROGRAM: &str = r"
.isa ReviveV1
.rw_size 8
start: add_imm_64 a0, a0, 1
       load_u64 a1, 0x20000
       add_64 a1, a1, a0
       store_u64 a1, 0x20000
       jump start
";

fn main() -> Result<(), Box<dyn Error>> {
    let flags = |backend, tier_gas| Flags {
        backend,
        sandbox: SandboxChoice::BestEffort,
        tier_gas,
        audit: 0,
        ..Flags::default()
    };
    let default = Flags::default().tier_gas;
    let nodes = [
        ("interpreted".to_owned(), PolkaVm::new(&flags(BackendChoice::Interpreter, 0), None)?),
        ("compiled".to_owned(), PolkaVm::new(&flags(BackendChoice::Jit, 0), None)?),
        (format!("tiers, {default} gas"), PolkaVm::new(&flags(BackendChoice::Jit, default), None)?),
    ];
    let code = assemble(PROGRAM)?;
    let hash = sp_crypto_hashing::keccak_256(&code);
    let rules = ProgramRules::version_1(CostModelKind::Naive);
    for (what, pause, calls) in
        [("one after the other", Duration::ZERO, 400), ("2 ms apart", Duration::from_millis(2), 100)]
    {
        println!(
            "Calls {what}, median in microseconds\n{:>10}{:>14}{:>14}{:>20}",
            "gas", nodes[0].0, nodes[1].0, nodes[2].0
        );
        for gas in [100, 1_000, 5_000, 10_000, 20_000, 50_000, 200_000, 1_000_000] {
            print!("{gas:>10}");
            for ((_, node), width) in nodes.iter().zip([14, 14, 20]) {
                let mut times = Vec::new();
                for _ in 0..calls {
                    std::thread::sleep(pause);
                    let started = Instant::now();
                    let mut session = node.session();
                    let instance = session.instantiate(&hash, &code, 0, rules)?;
                    session.run(instance, gas, Some(0)).map_err(|_| "there is no such instance")?;
                    drop(session);
                    times.push(started.elapsed());
                }
                times.sort();
                print!("{:>width$.1}", times[calls / 2].as_secs_f64() * 1e6);
            }
            println!();
        }
    }
    Ok(())
}
