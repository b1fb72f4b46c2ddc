//! Lexer for one line of text.
//!
//! Used by the assembler. Every error carries its position; only words quoted in errors are copied.

use super::{TextError, TextErrorKind};
use alloc::{string::String, vec::Vec};

/// Position in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Position {
    pub line: u32,
    pub column: u32,
}

impl Position {
    pub(super) fn error(self, kind: TextErrorKind) -> TextError {
        TextError { line: self.line, column: self.column, kind }
    }
}

/// The first characters of a word, for messages.
pub(super) fn quote(word: &str) -> String {
    word.chars().take(TextErrorKind::QUOTED).collect()
}

/// The rest of a line.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    rest: &'a str,
    position: Position,
}

impl<'a> Line<'a> {
    /// Makes the lexer for line `line`, from 1; `text` is without its line feed.
    pub(super) fn new(text: &'a str, line: u32) -> Self {
        let mut line = Line { rest: text, position: Position { line, column: 1 } };
        line.skip_space();
        line
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// True if only a comment is left of the line.
    pub(super) fn at_end(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with(';')
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.position.column = self.position.column.saturating_add(taken.chars().count() as u32);
        self.rest = rest;
        taken
    }

    fn skip_space(&mut self) {
        let blank = self.rest.len() - self.rest.trim_start().len();
        self.advance(blank);
    }

    /// Peeks at the next word, which ends at a blank, comma, colon, quote or comment. A special character is a word by
    /// itself.
    pub(super) fn peek(&self) -> &'a str {
        if self.at_end() {
            return "";
        }
        let stop = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '"');
        let length = self.rest.find(stop).unwrap_or(self.rest.len());
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        self.rest.get(..length.max(first)).unwrap_or_default()
    }

    /// Takes the next word; empty at the end.
    pub(super) fn word(&mut self) -> &'a str {
        let word = self.peek();
        self.advance(word.len());
        self.skip_space();
        word
    }

    /// Makes the error for unexpected input at the current position.
    pub(super) fn expected(&self, what: &'static str) -> TextError {
        self.position.error(TextErrorKind::Expected { what, found: quote(self.peek()) })
    }

    /// Takes `mark` if it is next; returns true then.
    pub(super) fn take(&mut self, mark: char) -> bool {
        let is_next = self.rest.starts_with(mark);
        if is_next {
            self.advance(mark.len_utf8());
            self.skip_space();
        }
        is_next
    }

    /// Takes `mark`, or fails.
    pub(super) fn demand(&mut self, mark: char, what: &'static str) -> Result<(), TextError> {
        if self.take(mark) { Ok(()) } else { Err(self.expected(what)) }
    }

    /// Fails unless only a comment is left.
    pub(super) fn finish(&self) -> Result<(), TextError> {
        if self.at_end() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    /// Takes a number from `min` to `max`.
    pub(super) fn number(&mut self, min: i128, max: i128) -> Result<i128, TextError> {
        let refused = self.expected("a number");
        let position = self.position;
        let word = self.word();
        let value = parse_number(word).ok_or(refused)?;
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(position.error(TextErrorKind::OutOfRange { value, min, max }))
        }
    }

    /// Takes a number from 0 to `max`.
    pub(super) fn unsigned(&mut self, max: u32) -> Result<u32, TextError> {
        self.number(0, i128::from(max)).map(|value| value as u32)
    }

    /// Takes a string, or fails if none is next.
    pub(super) fn string(&mut self) -> Result<Vec<u8>, TextError> {
        if !self.rest.starts_with('"') {
            return Err(self.expected("a string"));
        }
        self.advance(1);
        let mut bytes = Vec::new();
        loop {
            let Some(c) = self.rest.chars().next() else {
                return Err(self.position.error(TextErrorKind::Expected { what: "`\"`", found: String::new() }));
            };
            if c == '\\' {
                bytes.push(self.escape()?);
                continue;
            }
            let taken = self.advance(c.len_utf8());
            if c == '"' {
                break;
            }
            bytes.extend(taken.as_bytes());
        }
        self.skip_space();
        Ok(bytes)
    }

    fn escape(&mut self) -> Result<u8, TextError> {
        const ESCAPES: &[(&str, u8)] = &[("\\\"", b'"'), ("\\\\", b'\\'), ("\\n", b'\n'), ("\\t", b'\t')];
        for (text, byte) in ESCAPES {
            if self.rest.starts_with(text) {
                self.advance(text.len());
                return Ok(*byte);
            }
        }
        let byte = self.rest.strip_prefix("\\x").and_then(|rest| hex_pair(rest.get(..2)?));
        match byte {
            Some(byte) => {
                self.advance(4);
                Ok(byte)
            }
            None => Err(self.expected("an escape: \\\" \\\\ \\n \\t \\xNN")),
        }
    }

    /// Appends pairs of hex digits and strings, up to the end of the line.
    pub(super) fn bytes(&mut self, out: &mut Vec<u8>) -> Result<(), TextError> {
        while !self.at_end() {
            if self.rest.starts_with('"') {
                out.extend(self.string()?);
            } else {
                out.push(self.hex()?);
            }
        }
        Ok(())
    }

    /// Takes a pair of hex digits.
    pub(super) fn hex(&mut self) -> Result<u8, TextError> {
        let byte = hex_pair(self.peek()).ok_or_else(|| self.expected("two hex digits"))?;
        self.word();
        Ok(byte)
    }
}

/// Parses exactly two hex digits.
fn hex_pair(word: &str) -> Option<u8> {
    let is_pair = word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_pair.then(|| u8::from_str_radix(word, 16).ok()).flatten()
}

/// Parses a number; one beyond 64 bits gives some value beyond 64 bits, however long it is.
fn parse_number(word: &str) -> Option<i128> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word),
    };
    let (radix, digits) = match digits.strip_prefix("0x") {
        Some(digits) => (16, digits),
        None => (10, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for c in digits.chars() {
        value = (value * i128::from(radix) + i128::from(c.to_digit(radix)?)).min(1 << 64);
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn numbers_of_any_length_have_a_value_or_are_none() {
        for (word, value) in [
            ("0", Some(0)),
            ("-12", Some(-12)),
            ("0xff", Some(255)),
            ("-0x10", Some(-16)),
            ("18446744073709551615", Some(u64::MAX.into())),
            ("99999999999999999999999999999999999999999999999999", Some(1 << 64)),
            ("", None),
            ("-", None),
            ("0x", None),
            ("--1", None),
            ("+1", None),
            ("1f", None),
            ("0xfg", None),
        ] {
            assert_eq!(parse_number(word), value, "{word}");
        }
    }

    #[test]
    fn columns_count_characters_and_strings_hide_marks() {
        let mut line = Line::new("  .import \"a;\u{e9}\\x00\\\"b\" rest ; comment", 7);
        assert_eq!(line.word(), ".import");
        assert_eq!(line.string().unwrap(), b"a;\xc3\xa9\0\"b");
        assert_eq!(line.position(), Position { line: 7, column: 24 });
        assert_eq!(line.expected("nothing").to_string(), "line 7, column 24: expected nothing, found `rest`");
        line.word();
        assert!(line.finish().is_ok());
    }

    #[test]
    fn an_open_string_and_a_wrong_escape_are_refused_where_they_are() {
        assert_eq!(Line::new("\"abc", 1).string().unwrap_err().column, 5);
        let error = Line::new("\"a\\q\"", 1).string().unwrap_err();
        assert_eq!(error.column, 3);
        assert!(Line::new("\"\\x0\u{e9}\"", 1).string().is_err());
    }
}
