//! Expressions over registers, memory and symbols, as clients type them.
//!
//! `a0 + 8`, `u64[sp + 16]`, `gas < 1000`, `withdraw`: numbers, registers, `pc`, `gas`, `position`, functions (their code
//! offset), loads, `+ - *`, comparisons and parentheses. Values are integers.

use super::Navigator;
use crate::unwind::Frame;
use vm_core::isa::Reg;

/// The longest expression, in bytes.
const LENGTH: usize = 1024;
/// The deepest nesting.
const DEPTH: usize = 32;

/// An expression cannot be understood or has no value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// It is too long.
    #[error("an expression of {actual} bytes, the limit is {limit}")]
    TooLong {
        /// Its length.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// It is nested too deeply.
    #[error("an expression with more than {limit} nested parts")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It ends too early.
    #[error("the expression ends where a value is expected")]
    UnexpectedEnd,
    /// There is something that does not belong there.
    #[error("`{found}` is not expected at byte {offset}")]
    Unexpected {
        /// Offset of it.
        offset: usize,
        /// The text.
        found: String,
    },
    /// A number is too large.
    #[error("`{text}` is no number of 64 bits")]
    BadNumber {
        /// The text.
        text: String,
    },
    /// There is no such name.
    #[error("there is no register and no function `{name}`")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// A caller's value of a register is not known.
    #[error("the value of `{name}` in this frame is not known")]
    Lost {
        /// The register.
        name: String,
    },
    /// A load has no value.
    #[error("{bytes} bytes at {address:#x} cannot be read")]
    Unreadable {
        /// The address.
        address: i128,
        /// Bytes.
        bytes: u32,
    },
    /// A result is out of range.
    #[error("a result is out of range")]
    Overflow,
}

/// An expression that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expression(Node);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Node {
    Number(i128),
    Name(String),
    Load { bytes: u32, signed: bool, address: Box<Node> },
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Longer ones before those that they begin with.
const COMPARISONS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];
const SUMS: [(&str, Operator); 2] = [("+", Operator::Add), ("-", Operator::Subtract)];
const PRODUCTS: [(&str, Operator); 1] = [("*", Operator::Multiply)];

/// The kinds of loads: name, bytes and whether they extend the sign.
const LOADS: [(&str, u32, bool); 8] = [
    ("u8", 1, false),
    ("u16", 2, false),
    ("u32", 4, false),
    ("u64", 8, false),
    ("i8", 1, true),
    ("i16", 2, true),
    ("i32", 4, true),
    ("i64", 8, true),
];

impl Expression {
    /// Understands a text.
    ///
    /// # Errors
    /// If it is no expression.
    pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
        if text.len() > LENGTH {
            return Err(ExpressionError::TooLong { actual: text.len(), limit: LENGTH });
        }
        let mut parser = Parser { text, offset: 0 };
        let node = parser.comparison(DEPTH)?;
        parser.skip_space();
        match parser.rest() {
            "" => Ok(Expression(node)),
            _ => Err(parser.unexpected()),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.offset = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        self.offset += if found { token.len() } else { 0 };
        found
    }

    fn unexpected(&self) -> ExpressionError {
        match self.rest().chars().next() {
            Some(letter) => ExpressionError::Unexpected { offset: self.offset, found: letter.to_string() },
            None => ExpressionError::UnexpectedEnd,
        }
    }

    fn operator(&mut self, operators: &[(&str, Operator)]) -> Option<Operator> {
        operators.iter().find(|(token, _)| self.take(token)).map(|(_, operator)| *operator)
    }

    fn comparison(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let depth = depth.checked_sub(1).ok_or(ExpressionError::TooDeep { limit: DEPTH })?;
        let left = self.sum(depth)?;
        match self.operator(&COMPARISONS) {
            Some(operator) => Ok(Node::Binary(operator, Box::new(left), Box::new(self.sum(depth)?))),
            None => Ok(left),
        }
    }

    fn sum(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut left = self.product(depth)?;
        while let Some(operator) = self.operator(&SUMS) {
            left = Node::Binary(operator, Box::new(left), Box::new(self.product(depth)?));
        }
        Ok(left)
    }

    fn product(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut left = self.unary(depth)?;
        while let Some(operator) = self.operator(&PRODUCTS) {
            left = Node::Binary(operator, Box::new(left), Box::new(self.unary(depth)?));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let depth = depth.checked_sub(1).ok_or(ExpressionError::TooDeep { limit: DEPTH })?;
        if self.take("-") {
            return Ok(Node::Negative(Box::new(self.unary(depth)?)));
        }
        if self.take("(") {
            let node = self.comparison(depth)?;
            return if self.take(")") { Ok(node) } else { Err(self.unexpected()) };
        }
        let is_number = self.rest().starts_with(|letter: char| letter.is_ascii_digit());
        let word = self.word();
        match word {
            "" => Err(self.unexpected()),
            digits if is_number => number(digits),
            name => match LOADS.iter().find(|(load, ..)| *load == name) {
                Some((_, bytes, signed)) if self.take("[") => {
                    let address = Box::new(self.comparison(depth)?);
                    let node = Node::Load { bytes: *bytes, signed: *signed, address };
                    if self.take("]") { Ok(node) } else { Err(self.unexpected()) }
                }
                _ => Ok(Node::Name(name.to_owned())),
            },
        }
    }

    /// A name or a number.
    fn word(&mut self) -> &'a str {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | ':' | '.');
        let rest = self.rest();
        let word = &rest[..rest.find(|letter: char| !is_part(letter)).unwrap_or(rest.len())];
        self.offset += word.len();
        word
    }
}

fn number(text: &str) -> Result<Node, ExpressionError> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    value.map(|value| Node::Number(value.into())).map_err(|_| ExpressionError::BadNumber { text: text.to_owned() })
}

impl Navigator {
    /// The value of an expression here, with the registers of a frame.
    ///
    /// # Errors
    /// If it has none.
    pub fn evaluate(&self, expression: &Expression, frame: Option<&Frame>) -> Result<i128, ExpressionError> {
        self.value(&expression.0, frame)
    }

    /// The address that an expression is about, and the number of bytes if it says that: that of a load is where it loads
    /// from, any other is an address itself.
    ///
    /// # Errors
    /// If it has no value, or that is no address.
    pub fn address(
        &self,
        expression: &Expression,
        frame: Option<&Frame>,
    ) -> Result<(u32, Option<u32>), ExpressionError> {
        let (node, bytes) = match &expression.0 {
            Node::Load { bytes, address, .. } => (&**address, Some(*bytes)),
            node => (node, None),
        };
        let address = u32::try_from(self.value(node, frame)?).map_err(|_| ExpressionError::Overflow)?;
        Ok((address, bytes))
    }

    /// True if an expression is zero here. An expression without a value is not, so that its breakpoint stops.
    pub(super) fn is_zero(&self, expression: &Expression) -> bool {
        self.evaluate(expression, None) == Ok(0)
    }

    fn value(&self, node: &Node, frame: Option<&Frame>) -> Result<i128, ExpressionError> {
        match node {
            Node::Number(value) => Ok(*value),
            Node::Name(name) => self.named(name, frame),
            Node::Negative(node) => self.value(node, frame)?.checked_neg().ok_or(ExpressionError::Overflow),
            Node::Load { bytes, signed, address } => {
                let address = self.value(address, frame)?;
                let unreadable = ExpressionError::Unreadable { address, bytes: *bytes };
                let mut data = [0; 8];
                let out = &mut data[..*bytes as usize];
                match u32::try_from(address) {
                    Ok(address) if self.machine.read_memory(address, out).is_ok() => {}
                    _ => return Err(unreadable),
                }
                let value = u64::from_le_bytes(data);
                let shift = 64 - 8 * bytes;
                Ok(if *signed { ((value << shift) as i64 >> shift).into() } else { value.into() })
            }
            Node::Binary(operator, left, right) => {
                let (left, right) = (self.value(left, frame)?, self.value(right, frame)?);
                let result = match operator {
                    Operator::Add => left.checked_add(right),
                    Operator::Subtract => left.checked_sub(right),
                    Operator::Multiply => left.checked_mul(right),
                    Operator::Equal => Some((left == right).into()),
                    Operator::NotEqual => Some((left != right).into()),
                    Operator::Less => Some((left < right).into()),
                    Operator::LessOrEqual => Some((left <= right).into()),
                    Operator::Greater => Some((left > right).into()),
                    Operator::GreaterOrEqual => Some((left >= right).into()),
                };
                result.ok_or(ExpressionError::Overflow)
            }
        }
    }

    fn named(&self, name: &str, frame: Option<&Frame>) -> Result<i128, ExpressionError> {
        let unknown = || ExpressionError::UnknownName { name: name.to_owned() };
        let plain = name.strip_prefix('$').unwrap_or(name);
        let plain = if plain == "fp" { "s0" } else { plain };
        if let Some(reg) = Reg::ALL.into_iter().find(|reg| reg.name() == plain) {
            let value = match frame {
                Some(frame) => frame.registers[reg as usize],
                None => Some(self.machine.reg(reg)),
            };
            return value.map(i128::from).ok_or_else(|| ExpressionError::Lost { name: name.to_owned() });
        }
        match plain {
            "zero" | "gp" | "tp" => Ok(0),
            "pc" => frame.map(|frame| frame.pc).or(self.machine.pc()).map(i128::from).ok_or_else(unknown),
            "gas" => Ok(self.machine.gas().into()),
            "position" => Ok(self.machine.position().into()),
            _ => self.offsets_of_function(name).first().map(|offset| i128::from(*offset)).ok_or_else(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_expressions_are_refused_by_name() {
        let error = |text: &str| Expression::parse(text).unwrap_err();
        assert_eq!(error(""), ExpressionError::UnexpectedEnd);
        assert_eq!(error("a0 +"), ExpressionError::UnexpectedEnd);
        assert_eq!(error("a0 a1"), ExpressionError::Unexpected { offset: 3, found: "a".to_owned() });
        assert_eq!(error("u64[a0"), ExpressionError::UnexpectedEnd);
        assert_eq!(error("0xg"), ExpressionError::BadNumber { text: "0xg".to_owned() });
        assert_eq!(
            error("99999999999999999999"),
            ExpressionError::BadNumber { text: "99999999999999999999".to_owned() }
        );
        assert_eq!(error(&"(".repeat(1000)), ExpressionError::TooDeep { limit: DEPTH });
        assert_eq!(error(&"-".repeat(1000)), ExpressionError::TooDeep { limit: DEPTH });
        assert_eq!(error(&"1".repeat(2000)), ExpressionError::TooLong { actual: 2000, limit: LENGTH });
        assert_eq!(error("ä("), ExpressionError::Unexpected { offset: 2, found: "(".to_owned() });
    }
}
