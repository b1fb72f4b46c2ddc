//! `pvm profile`: profiles the gas of a run.

use crate::args::ProfileArgs;
use crate::output::{Output, printable, write};
use crate::subject::Subject;
use crate::{Error, exit};
use inferno::flamegraph;
use pvm_debugger::profile::{Profile, Row};
use serde_json::{Value, json};

/// Runs to the end, and reports the gas by function, line and host call.
///
/// # Errors
/// If the run cannot be loaded, or a file cannot be written.
pub fn execute(args: &ProfileArgs) -> Result<u8, Error> {
    let Subject { mut machine, symbols, .. } = Subject::load(&args.subject)?;
    // Going back is not needed.
    machine.set_snapshot_memory(0);
    let program = machine.program().clone();
    let model = args.profile_model.map_or(program.config().cost_model, |model| model.kind());
    let profile = Profile::new(&mut machine)?;

    if args.collapsed.is_some() || args.flame_graph.is_some() {
        let lines = profile.collapsed(&program, &symbols, model);
        if let Some(path) = &args.collapsed {
            write(path, (lines.join("\n") + "\n").as_bytes())?;
        }
        if let Some(path) = &args.flame_graph {
            let mut options = flamegraph::Options::default();
            options.title = "Gas".to_owned();
            options.count_name = "gas".to_owned();
            let mut svg = Vec::new();
            flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
                .map_err(|error| Error::FlameGraph { reason: error.to_string() })?;
            write(path, &svg)?;
        }
    }
    if let Some(path) = &args.lcov {
        write(path, profile.lcov(&program, &symbols).as_bytes())?;
    }

    let total = profile.total(&program, model);
    let tables = [
        ("functions", profile.functions(&program, &symbols, model)),
        ("lines", profile.lines(&program, &symbols, model)),
        ("host_calls", profile.host_calls(&program)),
    ];
    let mut output = Output::open();
    match args.json {
        true => {
            let rows = |rows: &[Row]| -> Value {
                let list = rows
                    .iter()
                    .map(|row| json!({ "name": row.name, "own": row.own, "total": row.total, "count": row.count }));
                list.collect()
            };
            let [functions, lines, host_calls] = tables.each_ref().map(|(_, list)| rows(list));
            output.print(format_args!(
                "{:#}\n",
                json!({
                    "outcome": profile.outcome().name(),
                    "gas": total,
                    "functions": functions,
                    "lines": lines,
                    "host_calls": host_calls,
                })
            ))?;
        }
        false => {
            output.print(format_args!("outcome   {}\ngas       {total}\n", profile.outcome().name()))?;
            for (title, rows) in tables.iter().filter(|(_, rows)| !rows.is_empty()) {
                let title = title.replace('_', " ");
                output.print(format_args!(
                    "\n{:>12} {:>7} {:>12} {:>12}  {title}\n",
                    "own gas", "", "total gas", "count"
                ))?;
                for row in rows.iter().take(args.top) {
                    let share = 100.0 * row.own as f64 / total.max(1) as f64;
                    let name = printable(row.name.as_bytes());
                    output.print(format_args!(
                        "{:>12} {share:>5.1} % {:>12} {:>12}  {name}\n",
                        row.own, row.total, row.count
                    ))?;
                }
                if rows.len() > args.top {
                    output.print(format_args!("{:>48}({} more)\n", "", rows.len() - args.top))?;
                }
            }
        }
    }
    output.finish()?;
    Ok(exit::of(profile.outcome()))
}
