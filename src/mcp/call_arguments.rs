//! Repair of tool call arguments before rmcp parses them.
//!
//! rmcp refuses a message that it cannot parse as a whole, with a protocol error that no model gets to see. If only
//! the arguments are malformed, the call goes on without them, and its answer names the argument and the error.
//! Arguments sent as text are replaced by the object that the text holds.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::tools;
use crate::vocab::single_line;

/// Bound of nesting: rmcp parses 128 levels, those of the message around the arguments included.
const MAX_DEPTH: usize = 120;

/// Bound of a path in a sentence.
const MAX_PATH_CHARS: usize = 200;

/// Replaces a number that JSON cannot express: valid JSON that no parser can hold.
const NON_FINITE_MARK: &[u8] = b"1e999";
/// Replaces bytes that are not UTF-8: half of a surrogate pair, which is valid JSON and no text.
const INVALID_UTF8_MARK: &[u8] = br"\ud800";

/// The outcome of checking the arguments of a call.
#[derive(Debug, Default, PartialEq)]
pub struct CheckedArguments {
    /// The message that rmcp gets instead.
    pub body: Option<Bytes>,
    /// What is wrong with the arguments, in a sentence for the model.
    pub unreadable: Option<String>,
}

#[derive(Deserialize)]
struct CallParams<'a> {
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

// === impl CheckedArguments ===

impl CheckedArguments {
    /// Checks the parameters of a tool call, which lie in `body`.
    pub fn of_call(body: &Bytes, params: Option<&RawValue>) -> Self {
        let call = params.filter(|raw| raw.get().starts_with('{'));
        let call = call.and_then(|raw| serde_json::from_str::<CallParams<'_>>(raw.get()).ok());
        let Some(raw) = call.and_then(|call| call.arguments) else { return Self::default() };
        match raw.get().as_bytes().first() {
            Some(b'{') => match read_error(raw.get()) {
                Some(sentence) => Self::without_arguments(body, raw, sentence),
                None => Self::default(),
            },
            Some(b'"') => match serde_json::from_str::<String>(raw.get()) {
                Ok(text) => match tools::arguments_of(&text) {
                    Ok(object) => Self {
                        body: replace_raw(body, raw, &serde_json::to_vec(&object).ok()),
                        unreadable: None,
                    },
                    Err(sentence) => Self::without_arguments(body, raw, sentence),
                },
                Err(error) => Self::without_arguments(body, raw, sentence("arguments", &error)),
            },
            Some(b'[') if raw.get().trim_matches(['[', ']']).trim().is_empty() => {
                Self { body: replace_raw(body, raw, &Some(b"{}".to_vec())), unreadable: None }
            }
            _ => Self::default(),
        }
    }

    fn without_arguments(body: &Bytes, raw: &RawValue, sentence: String) -> Self {
        Self { body: replace_raw(body, raw, &Some(b"{}".to_vec())), unreadable: Some(sentence) }
    }
}

/// The message with `raw`, which was borrowed from it, replaced.
fn replace_raw(body: &Bytes, raw: &RawValue, bytes: &Option<Vec<u8>>) -> Option<Bytes> {
    let bytes = bytes.as_ref()?;
    let start = (raw.get().as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let (before, after) = (body.get(..start)?, body.get(start + raw.get().len()..)?);
    let mut whole = BytesMut::with_capacity(before.len() + bytes.len() + after.len());
    for part in [before, bytes, after] {
        whole.put_slice(part);
    }
    Some(whole.freeze())
}

/// The message as valid JSON, with marks for what JSON cannot express: `NaN` and `Infinity`, which Python writes by
/// default, and bytes that are not UTF-8. None if it has neither.
pub fn repaired_json(body: &[u8]) -> Option<Bytes> {
    let mut whole = Vec::with_capacity(body.len());
    let mut changed = false;
    for chunk in body.utf8_chunks() {
        whole.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            whole.extend_from_slice(INVALID_UTF8_MARK);
            changed = true;
        }
    }
    let mut repaired = Vec::with_capacity(whole.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut at = 0;
    while let Some(byte) = whole.get(at) {
        let word = if quoted { None } else { non_json_number_len(whole.get(at..).unwrap_or_default()) };
        if let Some(length) = word {
            repaired.extend_from_slice(NON_FINITE_MARK);
            changed = true;
            at += length;
            continue;
        }
        match byte {
            b'"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && *byte == b'\\' && !escaped;
        repaired.push(*byte);
        at += 1;
    }
    changed.then(|| Bytes::from(repaired))
}

/// Length of a word for a non-finite number at the start.
fn non_json_number_len(rest: &[u8]) -> Option<usize> {
    ["NaN", "-NaN", "Infinity", "-Infinity"]
        .iter()
        .map(|word| word.as_bytes())
        .find(|word| rest.starts_with(word))
        .map(<[u8]>::len)
}

// === path of a parse error ===

/// Why a value cannot be parsed, or names a member twice.
fn read_error(text: &str) -> Option<String> {
    let path = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    let error = PathVisitor(&path).deserialize(&mut reader).err()?;
    Some(sentence(&path_text(&path.borrow()), &error))
}

fn sentence(path: &str, error: &serde_json::Error) -> String {
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    match cause {
        "number out of range" => format!(
            "`{path}` is a number that JSON readers cannot hold (larger than 1.8e308, infinite or NaN): send a finite \
             number, or leave it out."
        ),
        "recursion limit exceeded" => too_deep(path),
        cause if cause.contains("surrogate") || cause.contains("hex escape") || cause.contains("unicode") => {
            format!(
                "`{path}` holds half a character (a surrogate such as \\ud83d alone, or bytes that are no UTF-8): send \
             whole characters."
            )
        }
        cause if cause == TOO_DEEP_ERROR => too_deep(path),
        cause => format!("`{path}` {cause}."),
    }
}

const TOO_DEEP_ERROR: &str = "is too deep";

fn too_deep(path: &str) -> String {
    let name = path.split(['.', '[']).next().unwrap_or_default();
    format!("`{name}` is nested deeper than {MAX_DEPTH} levels: send it in a flatter form.")
}

/// A step into a value.
#[derive(Debug)]
enum PathStep {
    Member(String),
    Item(usize),
}

fn path_text(path: &[PathStep]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            PathStep::Item(index) => text.push_str(&format!("[{index}]")),
            PathStep::Member(name) => {
                text.push_str(if text.is_empty() { "" } else { "." });
                text.push_str(name);
            }
        }
        if text.len() > MAX_PATH_CHARS {
            break;
        }
    }
    if text.is_empty() { "arguments".to_owned() } else { single_line(&text, MAX_PATH_CHARS) }
}

/// Parses a value without keeping it; after an error, the path is where it happened.
#[derive(Clone, Copy)]
struct PathVisitor<'a>(&'a RefCell<Vec<PathStep>>);

impl<'de> DeserializeSeed<'de> for PathVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.0.borrow().len() > MAX_DEPTH {
            return Err(D::Error::custom(TOO_DEEP_ERROR));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PathVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            self.0.borrow_mut().push(PathStep::Item(index));
            let more = items.next_element_seed(self)?;
            self.0.borrow_mut().pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if seen.contains(&name) {
                let name = single_line(&name, MAX_PATH_CHARS);
                return Err(A::Error::custom(format!(
                    "names {name} twice, and only one of them could count"
                )));
            }
            self.0.borrow_mut().push(PathStep::Member(name.clone()));
            members.next_value_seed(self)?;
            self.0.borrow_mut().pop();
            seen.insert(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize)]
    struct TestEnvelope<'a> {
        #[serde(borrow)]
        params: &'a RawValue,
    }

    fn checked(arguments: &str) -> (Option<Value>, Option<String>) {
        let body = Bytes::from(format!(
            r#"{{"id":1,"params":{{"name":"a","arguments": {arguments} ,"x":"é"}},"z":2}}"#
        ));
        let envelope: TestEnvelope<'_> = serde_json::from_slice(&body).unwrap();
        let CheckedArguments { body, unreadable } = CheckedArguments::of_call(&body, Some(envelope.params));
        let message = body.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
        let arguments = message.map(|message| {
            assert_eq!((&message["z"], &message["params"]["x"]), (&json!(2), &json!("é")));
            message["params"]["arguments"].clone()
        });
        (arguments, unreadable)
    }

    #[test]
    fn readable_arguments_are_left_alone() {
        for arguments in [
            r#"{"a": [1, {"b": "\ud83d\ude00"}], "c": -0, "d": 123456789012345678901}"#,
            "null",
            "5",
            "[1]",
            "{}",
        ] {
            assert_eq!(checked(arguments), (None, None), "{arguments}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(checked(&deep), (None, None));
    }

    #[test]
    fn text_is_replaced_by_its_object() {
        for text in
            [r#""{\"a\": 1}""#, r#""```json\n{\"a\": 1}\n```""#, r#""{'a': 1}""#, r#""\ufeff{\"a\":1}""#]
        {
            assert_eq!(checked(text), (Some(json!({"a": 1})), None), "{text}");
        }
        for nothing in [r#""""#, r#"" ""#, "[]", "[ ]", r#""null""#] {
            assert_eq!(checked(nothing), (Some(json!({})), None), "{nothing}");
        }
        let (arguments, expected) = checked(r#""model = res""#);
        assert_eq!(arguments, Some(json!({})));
        assert!(expected.unwrap().starts_with("`arguments` holds the name"));
    }

    #[test]
    fn the_argument_that_cannot_be_read_is_named() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let deeper = format!("{{\"a\":{}{}}}", "[".repeat(122), "]".repeat(122));
        for (arguments, expected) in [
            (r#"{"a": "x\ud83d"}"#, "`a` holds half a character"),
            (r#"{"v": {"n": ["x", "\udc00"]}}"#, "`v.n[1]` holds half a character"),
            (r#"{"v": {"\ud800": 1}}"#, "`v` holds half a character"),
            (r#"{"limit": 1e400}"#, "`limit` is a number that JSON readers cannot hold"),
            (r#"{"d": [["a", "=", -1e999]]}"#, "`d[0][2]` is a number"),
            (deep.as_str(), "`a` is nested deeper than 120 levels"),
            (deeper.as_str(), "`a` is nested deeper than 120 levels"),
            (r#"{"a": 1, "a": 2}"#, "`arguments` names a twice"),
            (r#"{"v": {"n": 1, "m": 2, "n": 1}}"#, "`v` names n twice"),
            (r#""\ud800""#, "`arguments` holds half a character"),
        ] {
            let (left, unreadable) = checked(arguments);
            let unreadable = unreadable.unwrap_or_else(|| panic!("{arguments} was read"));
            assert!(unreadable.starts_with(expected), "{unreadable}");
            assert_eq!(left, Some(json!({})), "{arguments}");
        }
    }

    #[test]
    fn what_json_cannot_express_is_marked() {
        let marked = |text: &[u8]| repaired_json(text).map(|body| String::from_utf8(body.to_vec()).unwrap());
        assert_eq!(
            marked(br#"{"a": [NaN, -Infinity, "NaN \" Infinity"]}"#).unwrap(),
            r#"{"a": [1e999, 1e999, "NaN \" Infinity"]}"#
        );
        assert_eq!(marked(b"{\"a\": \"x\xff\"}").unwrap(), r#"{"a": "x\ud800"}"#);
        assert_eq!(marked(br#"{"a": "NaN\\", "b": NaN}"#).unwrap(), r#"{"a": "NaN\\", "b": 1e999}"#);
        assert_eq!(marked(br#"{"a": "plain"}"#), None);
        assert_eq!(marked(b"{"), None);
    }
}
