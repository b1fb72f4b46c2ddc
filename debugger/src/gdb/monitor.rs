//! Commands of ours, by gdb's `monitor`: what gdb has no commands for.

use super::target::Session;
use crate::machine::ReplayError;
use crate::symbols::printable;
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, outputln};

/// The commands, for `monitor help`.
const HELP: &str = "\
where               the position, the instruction and the gas of this place
disassemble [N]     N instructions from here on
goto N|start|end    go to a position with the next `continue`
break host NAME     stop before calls of a host function
break gas N         stop where less than N gas is left
delete              forget what `break` set
imports             the host functions that the program can call";

impl MonitorCmd for Session {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), ReplayError> {
        let text = String::from_utf8_lossy(command);
        match self.command(&text)? {
            Ok(answer) => outputln!(out, "{}", answer.trim_end()),
            Err(why) => outputln!(out, "{why}"),
        }
        Ok(())
    }
}

impl Session {
    fn command(&mut self, command: &str) -> Result<Result<String, String>, ReplayError> {
        let words: Vec<&str> = command.split_whitespace().collect();
        Ok(match words.as_slice() {
            [] | ["help"] => Ok(HELP.to_owned()),
            ["where"] => Ok(self.place()),
            ["disassemble"] => Ok(self.disassemble(10)),
            ["disassemble", count] => match count.parse() {
                Ok(count) => Ok(self.disassemble(count)),
                Err(_) => Err(format!("`{count}` is no number")),
            },
            ["goto", place] => {
                let position = match *place {
                    "start" => Ok(0),
                    "end" => Ok(u64::MAX),
                    number => number.parse().map_err(|_| format!("`{number}` is no position")),
                };
                position.map(|position| {
                    self.goto = Some(position);
                    "`continue` goes there".to_owned()
                })
            }
            ["break", "host", name] => self.break_at_host_call(name),
            ["break", "gas", amount] => match amount.parse() {
                Ok(amount) => {
                    self.conditions.gas_below = Some(amount);
                    Ok(format!("stops where less than {amount} gas is left"))
                }
                Err(_) => Err(format!("`{amount}` is no amount of gas")),
            },
            ["delete"] => {
                self.conditions.gas_below = None;
                self.conditions.host_calls.clear();
                Ok("deleted".to_owned())
            }
            ["imports"] => {
                let names = self.machine.program().imports().enumerate();
                Ok(names
                    .map(|(number, name)| format!("{number} {}\n", name.map_or("?".to_owned(), printable)))
                    .collect())
            }
            _ => Err(format!("there is no such command; these there are:\n{HELP}")),
        })
    }

    fn break_at_host_call(&mut self, name: &str) -> Result<String, String> {
        let program = self.machine.program().clone();
        let found = program.imports().position(|import| import == Some(name.as_bytes()));
        match found.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => {
                self.conditions.host_calls.insert(number);
                Ok(format!("stops before calls of {name}"))
            }
            None => Err(format!("the program calls no {name}: see `monitor imports`")),
        }
    }

    fn place(&self) -> String {
        let machine = &self.machine;
        let Some(pc) = machine.pc() else {
            return format!("position {}: returned to the host, gas {}", machine.position(), machine.gas());
        };
        let decoded = machine.program().code().decode(pc);
        let instruction = decoded.and_then(|decoded| decoded.instruction);
        let instruction = instruction.map_or("no instruction".to_owned(), |instruction| instruction.to_string());
        let mut text = format!("position {}, pc {pc}: {instruction}, gas {}", machine.position(), machine.gas());
        if let Some((file, line)) = self.symbols.line_at(pc) {
            text.push_str(&format!(", {file}:{line}"));
        }
        if let Some(outcome) = machine.outcome() {
            text.push_str(&format!(", the end of the run: {outcome:?}"));
        }
        text
    }

    fn disassemble(&self, count: usize) -> String {
        let Some(pc) = self.machine.pc() else { return String::new() };
        let program = self.machine.program();
        let mut text = String::new();
        for decoded in program.code().instructions_from(pc).take(count.min(10_000)) {
            let what = decoded.instruction.map_or("no instruction".to_owned(), |instruction| instruction.to_string());
            text.push_str(&format!("{:>7}  {what}\n", decoded.offset));
        }
        text
    }
}
