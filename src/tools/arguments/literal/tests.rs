//! Literals in Python's form, as models write them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn json_and_python_mean_the_same() {
    for (text, value) in [
        (r#"[["name","=","x"]]"#, json!([["name", "=", "x"]])),
        ("[('name', '=', 'x')]", json!([["name", "=", "x"]])),
        ("[('active','in',[True,False]),]", json!([["active", "in", [true, false]]])),
        (
            "['|', ('a', '=', None), ('b', '>=', -1.5e3)]",
            json!(["|", ["a", "=", null], ["b", ">=", -1500.0]]),
        ),
        ("()", json!([])),
        ("(1,)", json!([1])),
        ("(1)", json!(1)),
        ("{'a': (1, 2), \"b\": {}}", json!({"a": [1, 2], "b": {}})),
        (" 'x' ", json!("x")),
        ("u'é'", json!("é")),
        ("-5", json!(-5)),
        ("18446744073709551615", json!(18446744073709551615_u64)),
        ("[true, null, +3, .5]", json!([true, null, 3, 0.5])),
    ] {
        assert_eq!(parse(text), Ok(value), "{text}");
    }
}

#[test]
fn what_stands_in_quotes_is_never_touched() {
    for (text, value) in [
        ("[('name', '=', 'True')]", "True"),
        ("[('name', '=', 'None of (them), [False]')]", "None of (them), [False]"),
        (r#"[('name', '=', "O'Neil")]"#, "O'Neil"),
        (r"[('name', '=', 'O\'Neil')]", "O'Neil"),
        (r"[('name', '=', 'C:\dir\new')]", "C:\\dir\new"),
        (r"[('name', '=', '\u00e9\x41\ud83d\ude00\U0001F600')]", "éA😀😀"),
        (r#"[["name","=","a\/b true None"]]"#, "a/b true None"),
    ] {
        assert_eq!(parse(text).unwrap()[0][2], json!(value), "{text}");
    }
}

#[test]
fn an_invalid_literal_is_refused_with_name_and_position() {
    for (text, expected) in [
        ("[('user_id','=',uid)]", "holds the name \"uid\" at character 17"),
        ("[('d','>',context_today())]", "\"context_today\""),
        ("[('d','>',datetime.now())]", "\"datetime.now\""),
        ("nan", "\"nan\""),
        ("['a' 'b']", "a comma or a closing bracket"),
        ("[1, 2", "a closing bracket was expected"),
        ("[1,", "it ends where a value"),
        ("{1: 2}", "a key in quotes"),
        ("{1, 2}", "a key in quotes"),
        ("{'a', 'b'}", "a colon"),
        ("'abc", "not closed"),
        ("[1] x", "more text follows"),
        ("007", "not a plain number"),
        ("1+1", "not a plain number"),
        ("0x10", "not a plain number"),
        ("1e999", "not a plain number"),
        ("99999999999999999999999", ""),
        (r"'\ud83d'", "half a character"),
        (r"'\u+041'", "hexadecimal"),
        ("", "is empty"),
        ("name = x", "\"name\""),
    ] {
        match parse(text) {
            Err(fault) => assert!(fault.to_string().contains(expected), "{text}: {fault}"),
            // JSON reads an integer beyond 64 bits as a float.
            Ok(value) => assert!(expected.is_empty() && value.is_f64(), "{text}: {value}"),
        }
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |levels: usize| format!("{}{}", "(".repeat(levels), ",)".repeat(levels));
    assert_eq!(parse(&nested(100_000)), Err(LiteralError::TooDeep));
    assert_eq!(parse(&"[".repeat(100_000)), Err(LiteralError::TooDeep));
    assert_eq!(parse(&format!("{}1{}", "[".repeat(40), "]".repeat(40))), Err(LiteralError::TooDeep));
    assert!(parse(&format!("{}1{}", "[".repeat(32), "]".repeat(32))).is_ok());
    assert!(parse(&format!("{}'x'{}", "[".repeat(32), "]".repeat(32))).is_ok());
    assert_eq!(parse(&format!("'{}'", "x".repeat(1 << 20))), Err(LiteralError::TooLong));
}

/// Writes a value as Python's `repr` would.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) if items.len() % 2 == 1 => {
            format!("({},)", items.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => format!(
            "{{{}}}",
            members
                .iter()
                .map(|(k, v)| format!("{}: {}", quoted(k), python(v)))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "\\r");
    format!("'{escaped}'")
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        ".*".prop_map(Value::from),
        "(True|False|None|'|\"|\\\\){0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".*", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_survives_as_python(value in any_value()) {
        prop_assert_eq!(parse(&python(&value)), Ok(value));
    }

    #[test]
    fn every_value_survives_as_json(value in any_value()) {
        prop_assert_eq!(parse(&value.to_string()), Ok(value));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = parse(&text);
    }

    #[test]
    fn no_broken_literal_makes_it_panic(text in r#"[\[\](){}'",:\\uxUTrueNone0-9. é-]*"#) {
        let _ = parse(&text);
    }
}
