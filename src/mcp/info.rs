//! Server info, instructions, and the tool definitions that clients get.

use rmcp::model::{
    Implementation, MetaObject, ProtocolVersion, RequestMetaObject, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use serde_json::json;

use crate::tools::ToolSpec;

/// The revisions that are served; the first is the modern one, the others open with `initialize`.
pub(super) const PROTOCOL_VERSIONS: &[ProtocolVersion] =
    &[ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// How long a client may keep a list, in milliseconds.
pub(super) const LIST_TTL_MS: u64 = 60_000;

const SERVER_INFO_META_KEY: &str = "io.modelcontextprotocol/serverInfo";

const INSTRUCTIONS: &str = "\
These tools work on one Odoo database, with the access rights of one Odoo user.

Finding out: list_models gives the technical names of models (res.partner, sale.order), describe_model the \
fields of one. Describe a model before you first search or change it; never guess names of fields or \
selection values.

Domains are Odoo's: a list of [field, operator, value], joined by \"&\", \"|\" and \"!\" in prefix form, for \
example [\"|\", [\"state\", \"=\", \"sale\"], [\"partner_id.country_id.code\", \"=\", \"BE\"]]. Ask only for \
the fields that you need, and page through long results. To count or sum, use search_count or read_group \
instead of reading records.

All instants are UTC; say dates in the user's time zone. A many2one is {\"id\", \"name\"}. When you name \
records to the user, link them by the record_url that comes with an answer.

A refusal says what to change: follow it rather than trying variations. Before you change or delete records, \
make sure that the user wants exactly that.";

/// The answer to `initialize` and `server/discover`. Only capabilities that are served are declared.
pub(super) fn server_config() -> ServerConfig {
    ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
        .with_server_info(implementation())
        .with_instructions(INSTRUCTIONS)
}

/// Server info for `_meta`: the modern era, which has no handshake, needs it with each result.
pub(super) fn server_info_meta(request: &RequestMetaObject) -> Option<MetaObject> {
    request.protocol_version()?;
    let identity = serde_json::to_value(implementation()).ok()?;
    Some(MetaObject(serde_json::Map::from_iter([(SERVER_INFO_META_KEY.to_owned(), identity)])))
}

fn implementation() -> Implementation {
    Implementation::new("odoo-mcp-sidecar", env!("CARGO_PKG_VERSION")).with_title("Odoo")
}

/// A tool as MCP defines it.
pub(super) fn tool_definition(spec: &ToolSpec) -> Tool {
    let annotations = ToolAnnotations::from_raw(
        // Once is enough: `title` of the tool itself comes first for every client that knows it.
        None,
        Some(spec.annotations.read_only),
        Some(spec.annotations.destructive),
        Some(spec.annotations.idempotent),
        Some(spec.annotations.open_world),
    );
    let meta = json!({"category": spec.category, "risk": spec.risk});
    let tool = Tool::new(spec.name, spec.description, spec.input_schema.clone())
        .with_title(spec.title)
        .with_annotations(annotations);
    match meta {
        serde_json::Value::Object(members) => tool.with_meta(MetaObject(members)),
        _ => tool,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_stay_short() {
        assert!(INSTRUCTIONS.len() <= 1500, "{}", INSTRUCTIONS.len());
    }

    #[test]
    fn only_served_capabilities_are_declared() {
        let capabilities = serde_json::to_value(server_config().capabilities).unwrap();
        assert_eq!(capabilities, json!({"tools": {}}));
    }
}
