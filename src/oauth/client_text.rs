//! What clients say of themselves, made fit for a page and a log: bounded, on one line, without invisible characters.

use serde_json::{Map, Value};

use super::redirect_uri::RedirectUri;
use crate::vocab::{Url, is_invisible};

/// The longest name of a client, in characters.
pub(super) const MAX_NAME_CHARS: usize = 100;

/// The longest identifier of software, in characters.
const MAX_SOFTWARE_ID_CHARS: usize = 100;

/// The longest URL of a client's own page.
const MAX_URL_BYTES: usize = 500;

/// A text for people: white space joined, invisible characters (controls, bidirectional marks, joiners) left out, cut.
pub(super) fn clean(text: &str, max_chars: usize) -> String {
    let visible: String = text.chars().filter(|char| char.is_whitespace() || !is_invisible(*char)).collect();
    let joined = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = joined.chars().take(max_chars).collect();
    cut.trim_end().to_owned()
}

/// `client_name`; a client without one is named by the host that it redirects to.
pub(super) fn client_name(members: &Map<String, Value>, redirect_uris: &[String]) -> String {
    let named = members.get("client_name").and_then(Value::as_str);
    let name = named.map(|name| clean(name, MAX_NAME_CHARS)).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| {
        let first = redirect_uris.first().and_then(|uri| RedirectUri::parse(uri).ok());
        clean(&first.map_or_else(|| "?".to_owned(), |uri| uri.host_for_display()), MAX_NAME_CHARS)
    })
}

/// `client_uri`, if it is a plain https URL: pages link to it.
pub(super) fn client_uri(members: &Map<String, Value>) -> Option<String> {
    let text = members.get("client_uri").and_then(Value::as_str)?;
    let is_plain = text.len() <= MAX_URL_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    let url = Url::parse(text).filter(|url| is_plain && url.scheme.eq_ignore_ascii_case("https"));
    url.map(|_| text.to_owned())
}

/// `software_id`, which distinguishes installations of one program from those of others.
pub(super) fn software_id(members: &Map<String, Value>) -> Option<String> {
    let text = members.get("software_id").and_then(Value::as_str)?;
    Some(clean(text, MAX_SOFTWARE_ID_CHARS)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_show_what_they_are() {
        for (text, expected) in [
            ("Claude", "Claude"),
            ("  Claude \n\t Code ", "Claude Code"),
            ("Cl\u{202e}edu\u{202c}a", "Cledua"),
            ("a\0b\u{7f}c\u{9b}", "abc"),
            ("x\u{200b}y\u{2066}z\u{feff}\u{e0041}", "xyz"),
            ("\u{200f}\u{202e}", ""),
            ("العربية", "العربية"),
            ("<b>\"&", "<b>\"&"),
        ] {
            assert_eq!(clean(text, 100), expected, "{text:?}");
        }
        assert_eq!(clean(&"é".repeat(300), 100).chars().count(), 100);
        let name = |members: Value, uris: &[&str]| {
            let uris: Vec<_> = uris.iter().map(|uri| (*uri).to_owned()).collect();
            client_name(members.as_object().unwrap(), &uris)
        };
        assert_eq!(name(json!({"client_name": " A "}), &[]), "A");
        assert_eq!(name(json!({"client_name": "\u{202e}"}), &["https://claude.ai/cb"]), "claude.ai");
        assert_eq!(name(json!({"client_name": 7}), &["cursor://x/cb"]), "cursor://x");
    }

    #[test]
    fn only_plain_https_pages_are_linked_to() {
        let uri = |text: &str| client_uri(json!({"client_uri": text}).as_object().unwrap());
        assert!(uri("https://claude.ai").is_some() && uri("https://claude.ai/x?y#z").is_some());
        for text in
            ["http://claude.ai", "javascript:x", "https://a@b", "https://a/\"", "https://a b", "x", ""]
        {
            assert_eq!(uri(text), None, "{text}");
        }
    }
}
