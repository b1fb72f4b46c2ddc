//! The drafts of the generated vectors: boundary cases of each instruction of the table. Results are left open; the
//! reference model supplies them.

mod control;
mod memory;
mod values;

use vm_core::isa::{Format, InstructionSpec, Isa, TABLE};

/// Returns file names and drafts: one for each instruction, and one with costs.
pub fn drafts() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = TABLE.iter().map(|spec| (file(spec), draft(spec))).collect();
    files.push(("pipeline_costs.txt".into(), costs()));
    files
}

/// Returns the file of an instruction.
fn file(spec: &InstructionSpec) -> String {
    format!("{}.txt", spec.mnemonic)
}

fn header(title: &str) -> String {
    format!(
        "# {title}\n# Printed by `cargo run -p pvm-oracle --bin vectors`; the answers are those of the reference model. Do not edit.\n"
    )
}

/// Returns the instruction sets that have an instruction, by register width.
fn groups(spec: &InstructionSpec) -> Vec<Vec<Isa>> {
    let has = |isa: &Isa| spec.numbers[*isa as usize].is_some();
    let (wide, narrow) = Isa::ALL.into_iter().filter(has).partition(|isa: &Isa| isa.is_64_bit());
    [wide, narrow].into_iter().filter(|group: &Vec<Isa>| !group.is_empty()).collect()
}

fn names(isas: &[Isa]) -> String {
    isas.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(" ")
}

fn draft(spec: &InstructionSpec) -> String {
    let mut text = header(&format!("{}: {}", spec.mnemonic, spec.semantics));
    for isas in groups(spec) {
        text += &format!("\nisa {}\n", names(&isas));
        let wide = isas[0].is_64_bit();
        text += &match spec.format {
            Format::RegRegReg | Format::RegReg | Format::RegRegImm | Format::RegImm | Format::RegImm64
                if values::applies(spec) =>
            {
                values::draft(spec, wide)
            }
            _ if memory::applies(spec) => memory::draft(spec, wide),
            _ => control::draft(spec, &isas),
        };
    }
    text
}

/// Returns the line of a case whose result is open.
fn case(before: &str) -> String {
    format!("{} => ?\n", format!("case {before}").trim_end())
}

/// Vectors for the demand of an instruction on the pipeline: alone, in a dependent sequence, and in an independent one.
fn costs() -> String {
    let mut text =
        header("What instructions cost in the pipeline model: alone, waiting for each other, and side by side.");
    for isa in Isa::ALL {
        text += &format!("\nisa {}\n", isa.name());
        for model in ["pipeline 4", "pipeline 25"] {
            text += &format!("model {model}\n");
            for spec in TABLE.iter().filter(|spec| spec.numbers[isa as usize].is_some()) {
                if model == "pipeline 4" && !spec.mnemonic.starts_with("load_") {
                    continue;
                }
                let operands = |regs: [&str; 3]| match spec.format {
                    Format::None => String::new(),
                    Format::Imm => " 1".into(),
                    Format::Offset => " start".into(),
                    Format::ImmImm => " 1, 1".into(),
                    Format::RegImm => format!(" {}, 1", regs[0]),
                    Format::RegImm64 => format!(" {}, 1", regs[0]),
                    Format::RegImmImm => format!(" {}, 1, 1", regs[1]),
                    Format::RegImmOffset => format!(" {}, 1, start", regs[1]),
                    Format::RegReg => format!(" {}, {}", regs[0], regs[1]),
                    Format::RegRegImm => format!(" {}, {}, 1", regs[0], regs[1]),
                    Format::RegRegOffset => format!(" {}, {}, start", regs[1], regs[2]),
                    Format::RegRegReg => format!(" {}, {}, {}", regs[0], regs[1], regs[2]),
                    Format::RegRegImmImm => format!(" {}, {}, 1, 1", regs[0], regs[1]),
                };
                let rows: &[&[[&str; 3]]] = if spec.ends_block {
                    &[&[["a0", "a1", "a2"]]]
                } else {
                    &[
                        &[["a0", "a1", "a2"]],
                        &[["a0", "a0", "a0"]; 6],
                        &[
                            ["a0", "a3", "a4"],
                            ["a1", "a3", "a4"],
                            ["a2", "a3", "a4"],
                            ["t0", "a3", "a4"],
                            ["t1", "a3", "a4"],
                        ],
                    ]
                };
                for row in rows {
                    text += "program\n    start:\n";
                    for regs in *row {
                        text += &format!("    {}{}\n", spec.mnemonic, operands(*regs));
                    }
                    text += "    fallthrough\n    trap\ncost 0 = ?\n";
                }
            }
        }
    }
    text
}
