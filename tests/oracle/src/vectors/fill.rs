//! Fills in a draft's question marks with the reference model's results. Used to write the generated vectors.

use super::parse::{Statement, parse};
use super::run::{Context, Mode, fresh, go, print};
use crate::engines::Reference;
use crate::interface::EngineInstance;
use vm_core::isa::Isa;

/// Returns the draft with every `?` replaced. A result for several instruction sets must be the same in all of them.
///
/// # Errors
/// If a line cannot be read, a program cannot be assembled, or instruction sets differ; the text names the line.
pub fn fill(draft: &str) -> Result<String, String> {
    let mut lines: Vec<String> = draft.lines().map(str::to_string).collect();
    let mut context = Context::new();
    let mut machines: Vec<(Isa, Box<dyn EngineInstance>)> = Vec::new();
    for item in parse(draft).map_err(|error| error.to_string())? {
        if context.take(&item.statement) {
            continue;
        }
        let at = |error: String| format!("line {}: {error}\n{}", item.line, context.program);
        let config = context.config(Mode::Sync);
        if !matches!(item.statement, Statement::Run(false, ..)) {
            machines.clear();
            for isa in &context.isas {
                let blob = context.blob(*isa).map_err(at)?;
                machines.push((*isa, fresh(&Reference, &blob, &config).map_err(at)?));
            }
        }
        let mut answers: Vec<String> = Vec::new();
        for (_, machine) in &mut machines {
            answers.push(match &item.statement {
                Statement::Run(_, before, _) => print(&go(&mut **machine, before).map_err(at)?),
                Statement::Cost(offset, _) => {
                    machine.block_cost(*offset).map_or("none".into(), |cost| cost.to_string())
                }
                _ => continue,
            });
        }
        let answer = answers.first().ok_or_else(|| at("no instruction set".into()))?;
        if let Some(other) = answers.iter().find(|other| *other != answer) {
            return Err(at(format!("instruction sets differ: {answer} or {other}")));
        }
        let line = &mut lines[item.line - 1];
        if let Some(start) = line.strip_suffix('?') {
            *line = format!("{start}{answer}");
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}
