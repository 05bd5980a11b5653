//! Quoting of untrusted text in sentences, so that it is delimited and cannot act on a screen or a model: bounded,
//! on one line, with escapes for invisible characters.
//!
//! `gateway/quoting.py` of the addon does the same; `tests/wire/quoting.json` holds the vectors of both.

use std::fmt::{self, Write};

/// The characters of a quoted value; of a longer one the last is an ellipsis.
pub(super) const MAX_QUOTED_CHARS: usize = 80;

/// Invisible characters: controls, formats (joiners, bidirectional marks, tags), fillers,
/// variation selectors and private use.
const INVISIBLE_RANGES: [(char, char); 32] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{e0000}', '\u{10ffff}'),
];

/// A value in double quotes: the one form in which a sentence names a value of a caller or a record.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", bounded(text.chars(), MAX_QUOTED_CHARS, escape_quoted))
}

/// Untrusted text as a sentence or line of its own: its white space is joined, it is not quoted.
pub fn single_line(text: &str, max_chars: usize) -> String {
    let words = text.split_whitespace().enumerate();
    let chars = words.flat_map(|(index, word)| (index > 0).then_some(' ').into_iter().chain(word.chars()));
    bounded(chars, max_chars, escape_plain)
}

/// A value of JSON: a text in quotes, anything else as JSON of the same length at most.
pub fn quoted_json(value: &serde_json::Value) -> String {
    if let Some(text) = value.as_str() {
        return quoted(text);
    }
    // Some characters more than are shown, so that the cut is visible; a large value is never written whole.
    let mut head = TruncatingWriter { text: String::new(), remaining_bytes: 4 * MAX_QUOTED_CHARS + 4 };
    let _ = write!(head, "{value}");
    let mut shown = bounded(head.text.chars(), MAX_QUOTED_CHARS, escape_plain);
    if shown.ends_with('…') && ends_inside_string(&shown) {
        shown.push('"');
    }
    shown
}

/// A foreign sentence that may itself quote, in double quotes or backticks: each of its values is truncated.
pub fn with_short_quote(sentence: &str, max_chars: usize) -> String {
    let mark = if sentence.contains('"') { '"' } else { '`' };
    let parts = sentence.split(mark).enumerate().map(|(index, part)| match index % 2 {
        1 => bounded(part.chars(), MAX_QUOTED_CHARS, escape_quoted),
        _ => part.to_owned(),
    });
    // A value with quotes inside may have thousands of parts: no more of them are kept than characters.
    let parts: Vec<String> = parts.take(max_chars).collect();
    single_line(&parts.join(mark.encode_utf8(&mut [0; 4])), max_chars)
}

/// The first bytes of a text, at most `max_bytes`, cut between characters.
pub fn first_bytes(text: &str, max_bytes: usize) -> &str {
    let max_bytes = max_bytes.min(text.len());
    let end = (0..=max_bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

fn bounded(
    chars: impl Iterator<Item = char>,
    max_chars: usize,
    escape: impl Fn(char, &mut String),
) -> String {
    let (mut text, mut count, mut end_if_cut) = (String::new(), 0, 0);
    for c in chars {
        let start = text.len();
        escape(c, &mut text);
        count += text.get(start..).map_or(0, |added| added.chars().count());
        if count > max_chars {
            text.truncate(end_if_cut);
            text.push('…');
            return text;
        }
        if count < max_chars {
            end_if_cut = text.len();
        }
    }
    text
}

fn escape_quoted(c: char, text: &mut String) {
    match c {
        '"' | '\\' => text.extend(['\\', c]),
        c if c.is_whitespace() && c != ' ' => escape_invisible(c, text),
        c => escape_plain(c, text),
    }
}

fn escape_plain(c: char, text: &mut String) {
    if is_invisible(c) {
        escape_invisible(c, text);
    } else {
        text.push(c);
    }
}

fn escape_invisible(c: char, text: &mut String) {
    match c {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        c => text.extend(c.escape_unicode()),
    }
}

fn is_invisible(c: char) -> bool {
    // Most text is ASCII.
    match c {
        ' '..='~' => false,
        c => INVISIBLE_RANGES.iter().any(|&(first, last)| (first..=last).contains(&c)),
    }
}

/// Whether truncated JSON ends inside a string.
fn ends_inside_string(json: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

/// A writer that stops after its first bytes.
struct TruncatingWriter {
    text: String,
    remaining_bytes: usize,
}

impl Write for TruncatingWriter {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let fits = more.len() <= self.remaining_bytes;
        let head = first_bytes(more, self.remaining_bytes);
        self.text.push_str(head);
        self.remaining_bytes -= head.len();
        if fits { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn shared_vectors_hold() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/wire/quoting.json")).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(cases.len() >= 12);
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let text = case["times"].as_u64().map_or(text.to_owned(), |times| text.repeat(times as usize));
            assert_eq!(quoted(&text), case["quoted"], "{text:?}");
            assert_eq!(single_line(&text, 100), case["line"], "{text:?}");
        }
        for range in vectors["invisible"].as_array().unwrap() {
            for code in range[0].as_u64().unwrap()..=range[1].as_u64().unwrap() {
                let c = char::from_u32(code as u32).unwrap();
                assert!(is_invisible(c), "{code:x}");
            }
        }
    }

    #[test]
    fn a_quote_is_never_longer_than_its_bound() {
        for part in ["a", "\"", "\u{e0041}", "\n", "é", "\\"] {
            let text = quoted(&part.repeat(1_000_000));
            assert!(text.chars().count() <= MAX_QUOTED_CHARS + 2 && text.ends_with("…\""), "{text}");
        }
        assert_eq!(quoted(&"a".repeat(80)), format!("\"{}\"", "a".repeat(80)));
    }

    #[test]
    fn json_is_shown_as_json_and_cut_with_its_text_closed() {
        assert_eq!(quoted_json(&json!("a\u{200b}b")), r#""a\u{200b}b""#);
        assert_eq!(quoted_json(&json!({"a": [1, null]})), r#"{"a":[1,null]}"#);
        let long = quoted_json(&json!(["x".repeat(1_000_000)]));
        assert!(long.starts_with("[\"xxx") && long.ends_with("x…\"") && long.chars().count() <= 81, "{long}");
        let many = quoted_json(&Value::Array(vec![json!(1); 100_000]));
        assert!(many.starts_with("[1,1,") && many.ends_with('…'), "{many}");
    }

    #[test]
    fn the_quote_in_a_foreign_sentence_is_cut() {
        let sentence =
            with_short_quote(&format!("invalid type: string \"{}\", expected a map", "x".repeat(999)), 300);
        assert!(
            sentence.starts_with("invalid type: string \"xxx") && sentence.ends_with("x…\", expected a map"),
            "{sentence}"
        );
        assert_eq!(with_short_quote("missing\n field `a`", 300), "missing field `a`");
        let sentence = with_short_quote(&format!("header `a` is not `{}`", "t\u{202e}".repeat(999)), 300);
        assert!(
            sentence.starts_with("header `a` is not `t\\u{202e}t") && sentence.ends_with("…`"),
            "{sentence}"
        );
        assert!(with_short_quote(&"\"a".repeat(500_000), 300).chars().count() <= 300);
    }
}
