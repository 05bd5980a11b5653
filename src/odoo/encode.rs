//! Serializes requests: XML-RPC around one JSON text.

use serde::Serialize;
use xmlrpc::{Request, Value};

/// `common.authenticate`: answers the id of the service user, or false.
pub(super) fn authenticate(database: &str, login: &str, key: &str) -> Vec<u8> {
    let request = Request::new("authenticate")
        .arg(database)
        .arg(login)
        .arg(key)
        .arg(Value::Struct(std::collections::BTreeMap::new()));
    write(&request)
}

/// `object.execute_kw` of one gateway method with its one JSON argument.
pub(super) fn execute(database: &str, uid: i64, key: &str, method: &str, json: String) -> Vec<u8> {
    let request = Request::new("execute_kw")
        .arg(database)
        .arg(uid_value(uid))
        .arg(key)
        .arg("mcp.gateway")
        .arg(method)
        .arg(Value::Array(vec![Value::String(json)]));
    write(&request)
}

fn uid_value(uid: i64) -> Value {
    i32::try_from(uid).map_or(Value::Int64(uid), Value::Int)
}

fn write(request: &Request<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    // Writing to memory cannot fail.
    let _ = request.write_as_xml(&mut body);
    body
}

/// The JSON text of a request, without characters that XML 1.0 cannot carry.
///
/// JSON already escapes U+0000 to U+001F, a carriage return among them. U+FFFE and U+FFFF are refused by
/// Odoo's XML parser as well, so they are escaped too: outside ASCII a character can only stand inside a
/// JSON string, where `\ufffe` means the same.
pub(super) fn json<T: Serialize>(request: &T) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(request)?;
    // Both begin with the byte 0xEF, which is rare: one pass finds nothing in nearly all texts.
    if text.as_bytes().contains(&0xEF) && text.contains(['\u{FFFE}', '\u{FFFF}']) {
        return Ok(text.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff"));
    }
    Ok(text)
}
