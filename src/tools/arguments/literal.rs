//! Parser of a value written as text: JSON, or a Python literal such as `[('active', '=', True)]`.
//!
//! Exact: text inside quotes is never touched, and anything else than a literal (a name, a call, a sum) is
//! refused rather than guessed at. Bounded in size and depth, since the text is untrusted.

use serde_json::{Map, Number, Value};

use crate::vocab::quoted;

/// A stringified batch of a thousand records fits well.
const MAX_LITERAL_BYTES: usize = 1 << 20;
/// Odoo's own domains stay far below.
pub(in crate::tools) const MAX_LITERAL_DEPTH: usize = 32;

/// Why a text is no literal; reads as the end of a sentence that begins with the argument's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::tools) enum LiteralError {
    #[error("is empty")]
    Empty,
    #[error("is longer than 1 MiB")]
    TooLong,
    #[error("is nested deeper than {MAX_LITERAL_DEPTH} levels")]
    TooDeep,
    #[error(
        "holds the name {} at character {at}: only values are understood, no variables or calls",
        quoted(name)
    )]
    Name { name: String, at: usize },
    #[error("is no JSON or Python literal at character {at}: {why}")]
    Syntax { why: &'static str, at: usize },
}

/// Parses JSON first, so that valid JSON keeps JSON's own meaning, then Python's literals.
pub(in crate::tools) fn parse(text: &str) -> Result<Value, LiteralError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(LiteralError::Empty);
    }
    if text.len() > MAX_LITERAL_BYTES {
        return Err(LiteralError::TooLong);
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return if depth(&value) > MAX_LITERAL_DEPTH { Err(LiteralError::TooDeep) } else { Ok(value) };
    }
    let mut reader = LiteralParser { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_whitespace();
    if reader.peek().is_some() { Err(reader.syntax_error("more text follows the value")) } else { Ok(value) }
}

/// How many lists and objects stand inside each other.
pub(in crate::tools) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A cursor over the text; `at` is a byte offset that always stands on a character.
struct LiteralParser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> LiteralParser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn skip_whitespace(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn syntax_error(&self, why: &'static str) -> LiteralError {
        LiteralError::Syntax { why, at: self.char_position(self.at) }
    }

    fn char_position(&self, at: usize) -> usize {
        self.text.get(..at).map_or(0, |before| before.chars().count()) + 1
    }

    fn value(&mut self, depth: usize) -> Result<Value, LiteralError> {
        self.skip_whitespace();
        match self.peek() {
            Some('[') if depth < MAX_LITERAL_DEPTH => {
                self.items(']', depth).map(|(items, _)| Value::Array(items))
            }
            Some('(') if depth < MAX_LITERAL_DEPTH => self.tuple(depth),
            Some('{') if depth < MAX_LITERAL_DEPTH => self.object(depth),
            Some('[' | '(' | '{') => Err(LiteralError::TooDeep),
            Some(quote @ ('\'' | '"')) => self.string(quote).map(Value::String),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.word(),
            Some(_) => Err(self.syntax_error("a value was expected")),
            None => Err(self.syntax_error("it ends where a value was expected")),
        }
    }

    /// The items up to `close`, and whether a comma stood behind the last.
    fn items(&mut self, close: char, depth: usize) -> Result<(Vec<Value>, bool), LiteralError> {
        self.next();
        let (mut items, mut comma) = (Vec::new(), false);
        loop {
            self.skip_whitespace();
            if self.eat(close) {
                return Ok((items, comma));
            }
            if !items.is_empty() && !comma {
                return Err(self.syntax_error("a comma or a closing bracket was expected"));
            }
            items.push(self.value(depth + 1)?);
            self.skip_whitespace();
            comma = self.eat(',');
        }
    }

    /// `(1, 2)` and `(1,)` are lists to JSON; `(1)` is just 1, as in Python.
    fn tuple(&mut self, depth: usize) -> Result<Value, LiteralError> {
        let (mut items, comma) = self.items(')', depth)?;
        match items.pop() {
            Some(only) if items.is_empty() && !comma => Ok(only),
            Some(last) => {
                items.push(last);
                Ok(Value::Array(items))
            }
            None => Ok(Value::Array(items)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, LiteralError> {
        self.next();
        let (mut members, mut comma) = (Map::new(), true);
        loop {
            self.skip_whitespace();
            if self.eat('}') {
                return Ok(Value::Object(members));
            }
            if !comma {
                return Err(self.syntax_error("a comma or } was expected"));
            }
            let key = match self.value(MAX_LITERAL_DEPTH)? {
                Value::String(key) => key,
                _ => return Err(self.syntax_error("a key in quotes was expected")),
            };
            self.skip_whitespace();
            if !self.eat(':') {
                return Err(self.syntax_error("a colon was expected"));
            }
            members.insert(key, self.value(depth + 1)?);
            self.skip_whitespace();
            comma = self.eat(',');
        }
    }

    fn word(&mut self) -> Result<Value, LiteralError> {
        let start = self.at;
        let word = self.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        match (word, self.peek()) {
            ("True" | "true", _) => Ok(Value::Bool(true)),
            ("False" | "false", _) => Ok(Value::Bool(false)),
            ("None" | "null", _) => Ok(Value::Null),
            ("u" | "U", Some(quote @ ('\'' | '"'))) => self.string(quote).map(Value::String),
            _ => Err(LiteralError::Name {
                name: word.chars().take(40).collect(),
                at: self.char_position(start),
            }),
        }
    }

    fn number(&mut self) -> Result<Value, LiteralError> {
        let start = self.at;
        let text = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
        let found = read_number(text).map(Value::Number);
        found.ok_or(LiteralError::Syntax { why: "not a plain number", at: self.char_position(start) })
    }

    fn string(&mut self, quote: char) -> Result<String, LiteralError> {
        self.next();
        let mut text = String::new();
        loop {
            let plain = self.take_while(|c| c != quote && c != '\\');
            text.push_str(plain);
            match self.next() {
                Some('\\') => self.escape(&mut text)?,
                Some(_) => return Ok(text),
                None => return Err(self.syntax_error("a string is not closed")),
            }
        }
    }

    /// Python's escapes; one that it does not know keeps its backslash.
    fn escape(&mut self, text: &mut String) -> Result<(), LiteralError> {
        let Some(letter) = self.next() else { return Err(self.syntax_error("a string is not closed")) };
        let meant = match letter {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'a' => '\u{7}',
            'v' => '\u{b}',
            '\\' | '\'' | '"' => letter,
            '\n' => return Ok(()),
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            '0'..='7' | 'N' => return Err(self.syntax_error("octal and named escapes are not understood")),
            other => {
                text.push('\\');
                other
            }
        };
        text.push(meant);
        Ok(())
    }

    /// A character by its hexadecimal number; two surrogates in a row, as JSON writes them, are one character.
    fn code(&mut self, digits: usize) -> Result<char, LiteralError> {
        let first = self.hex(digits)?;
        let code = if (0xd800..0xdc00).contains(&first) && self.eat('\\') && self.eat('u') {
            let second = self.hex(4)?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.syntax_error("half a character"));
            }
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.syntax_error("half a character"))
    }

    fn hex(&mut self, digits: usize) -> Result<u32, LiteralError> {
        let text = self.rest().get(..digits).unwrap_or_default();
        let code = if text.bytes().all(|b| b.is_ascii_hexdigit()) {
            u32::from_str_radix(text, 16).ok()
        } else {
            None
        };
        self.at += text.len();
        code.ok_or_else(|| self.syntax_error("hexadecimal digits were expected"))
    }
}

fn read_number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if whole {
        // Python and JSON both refuse 007.
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        let text = text.strip_prefix('+').unwrap_or(text);
        return text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
    }
    let like_float =
        digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
            && digits.bytes().any(|b| b.is_ascii_digit());
    if like_float { text.parse::<f64>().ok().and_then(Number::from_f64) } else { None }
}

#[cfg(test)]
mod tests;
