//! Validation of parameters that rmcp would misread or refuse with a misleading sentence.

use rmcp::model::InitializeRequestParams;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::vocab::with_short_quote;

/// Bound of serde's sentence, which quotes the input.
const MAX_CAUSE_CHARS: usize = 300;

#[derive(Deserialize)]
struct ListCursor<'a> {
    #[serde(borrow, default)]
    cursor: Option<&'a RawValue>,
}

/// Why the parameters of a method cannot be served.
pub fn check_params(method: &str, params: Option<&RawValue>) -> Option<String> {
    match method {
        "initialize" => check_initialize(params),
        // The list has one page, so no cursor is valid.
        "tools/list" => {
            let listing: ListCursor<'_> = serde_json::from_str(params?.get()).ok()?;
            listing.cursor.map(|_| "there is no page at this cursor: the list has one page".to_owned())
        }
        _ => None,
    }
}

/// rmcp takes an `initialize` that it cannot parse for a request outside of a session.
fn check_initialize(params: Option<&RawValue>) -> Option<String> {
    let text = params.map_or("null", RawValue::get);
    let error = serde_json::from_str::<InitializeRequestParams>(text).err()?;
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    Some(format!(
        "initialize needs protocolVersion, capabilities and clientInfo with name and version: {}",
        with_short_quote(cause, MAX_CAUSE_CHARS)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, params: &str) -> Option<String> {
        let raw = RawValue::from_string(params.to_owned()).unwrap();
        check_params(method, Some(&raw))
    }

    #[test]
    fn an_incomplete_initialize_is_refused_by_what_it_lacks() {
        let whole =
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}"#;
        assert_eq!(check("initialize", whole), None);
        let lacking = r#"{"protocolVersion":"2025-11-25","clientInfo":{"name":"a","version":"1"}}"#;
        assert!(check("initialize", lacking).unwrap().ends_with("missing field `capabilities`"));
        let nameless = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a"}}"#;
        assert!(check("initialize", nameless).unwrap().ends_with("missing field `version`"));
        assert!(check_params("initialize", None).is_some());
    }

    #[test]
    fn a_cursor_is_refused() {
        for cursor in [r#""abc""#, "5", r#""""#, "{}"] {
            assert!(check("tools/list", &format!(r#"{{"cursor":{cursor}}}"#)).is_some(), "{cursor}");
        }
        for params in ["{}", r#"{"cursor":null}"#, r#"{"_meta":{}}"#, "[]"] {
            assert_eq!(check("tools/list", params), None, "{params}");
        }
        assert_eq!(check("tools/call", r#"{"cursor":"abc"}"#), None);
    }
}
