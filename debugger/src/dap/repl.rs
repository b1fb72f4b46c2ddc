//! Expressions that are evaluated, and commands for what the protocol has no requests for.

use super::arguments::Evaluate;
use super::inspect::format_value;
use super::session::Run;
use crate::navigator::{Expression, Motion};
use serde_json::{Value, json};

/// The most bytes that are dumped.
const DUMPED: u32 = 4096;

/// The commands, for `help`.
const HELP: &str = "\
EXPRESSION          registers, pc, gas, position, functions, numbers; + - * == != < <= > >=; u8[ADDRESS] to i64[ADDRESS]
mem ADDRESS LENGTH  bytes of memory
who ADDRESS[, N]    go back to the last write to these bytes
goto N|start|end    go to a position
break gas N         stop where less than N gas is left
delete gas          forget that
where               the position, the instruction and the gas of this place";

impl Run {
    pub fn evaluate(&mut self, arguments: Evaluate) -> Result<Value, String> {
        let text = arguments.expression.trim();
        let frames = self.navigator.frames();
        let frame = arguments.frame_id.and_then(|id| self.frame(id)).and_then(|index| frames.get(index));
        let number = |text: &str| -> Result<i128, String> {
            let expression = Expression::parse(text).map_err(|error| error.to_string())?;
            self.navigator.evaluate(&expression, frame).map_err(|error| error.to_string())
        };
        if let Some((address, length)) = text.strip_prefix("mem ").and_then(|rest| rest.trim().rsplit_once(' ')) {
            let bad = |value: i128| format!("{value} is no address and no length of memory");
            let (address, length) = (number(address)?, number(length)?);
            let start = u32::try_from(address).map_err(|_| bad(address))?;
            let length = u32::try_from(length).map_err(|_| bad(length))?;
            let bytes = self.readable(start, length.min(DUMPED));
            if bytes.is_empty() && length > 0 {
                return Err(format!("the byte at {start:#x} cannot be read"));
            }
            return Ok(json!({
                "result": dump(start, &bytes), "variablesReference": 0, "memoryReference": format!("{start:#x}"),
            }));
        }
        if arguments.context.as_deref() == Some("repl")
            && let Some(result) = self.command(text, &number)
        {
            let result = result?;
            let text = match result {
                Done::Text(text) => text,
                Done::Go(motion, text) => {
                    self.begin(motion, "goto");
                    text
                }
                Done::GasBelow(below) => {
                    self.navigator.conditions_mut().gas_below = below;
                    match below {
                        Some(below) => format!("stops where less than {below} gas is left"),
                        None => "forgotten".to_owned(),
                    }
                }
            };
            return Ok(json!({ "result": text, "variablesReference": 0 }));
        }
        let value = number(text)?;
        let is_64_bit = self.navigator.machine().program().isa().is_64_bit();
        let result = match u64::try_from(value) {
            Ok(value) => format_value(value, is_64_bit),
            Err(_) => value.to_string(),
        };
        let mut told = json!({ "result": result, "variablesReference": 0 });
        if let Ok(address) = u32::try_from(value) {
            told["memoryReference"] = format!("{address:#x}").into();
        }
        Ok(told)
    }

    /// Runs a command; `None` if the text is not a command.
    fn command(&self, text: &str, number: &dyn Fn(&str) -> Result<i128, String>) -> Option<Result<Done, String>> {
        if let Some(range) = text.strip_prefix("who ") {
            let address = |text: &str| u32::try_from(number(text)?).map_err(|_| format!("`{text}` is no address"));
            let (start, length) = range.split_once(',').unwrap_or((range, "1"));
            return Some(address(start).and_then(|start| {
                let motion = Motion::Writer { address: start, length: address(length)?.max(1) };
                Ok(Done::Go(motion, format!("looks back for who wrote to {start:#x}")))
            }));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        Some(match words.as_slice() {
            ["help"] => Ok(Done::Text(HELP.to_owned())),
            ["where"] => {
                let machine = self.navigator.machine();
                Ok(Done::Text(format!("position {}, gas {}, {}", machine.position(), machine.gas(), self.place())))
            }
            ["goto", place] => {
                let position = match *place {
                    "start" => Ok(0),
                    "end" => Ok(u64::MAX),
                    text => number(text)
                        .and_then(|number| u64::try_from(number).map_err(|_| format!("`{text}` is no position"))),
                };
                position.map(|position| Done::Go(Motion::Seek(position), "goes there".to_owned()))
            }
            ["break", "gas", amount] => number(amount).and_then(|amount| {
                let amount = i64::try_from(amount).map_err(|_| format!("`{amount}` is no amount of gas"))?;
                Ok(Done::GasBelow(Some(amount)))
            }),
            ["delete", "gas"] => Ok(Done::GasBelow(None)),
            _ => return None,
        })
    }
}

/// Result of a command.
enum Done {
    Text(String),
    /// To be gone, and what is said of it.
    Go(Motion, String),
    GasBelow(Option<i64>),
}

/// Bytes as lines of numbers and letters.
fn dump(start: u32, bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).zip(0..).map(|(chunk, line)| {
        let address = u64::from(start) + 16 * line;
        let numbers: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let letters: String =
            chunk.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        format!("{address:#010x}  {:<47}  {letters}", numbers.join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
}
