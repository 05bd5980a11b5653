//! Every span and field name that occurs in a log line, with its meaning.

/// The span of one HTTP request on the public listener.
pub const REQUEST: &str = "request";

/// The table: name and meaning. `deploy` and the docs may rely on these.
pub const FIELDS: [(&str, &str); 14] = [
    ("request_id", "one HTTP request of a tool; made here, UUID version 7"),
    ("method", "the JSON-RPC method, or the HTTP method where there is none"),
    ("tool", "the name of the tool that was called"),
    ("peer", "the address of the caller, after trusted proxies"),
    ("connection", "the id of the mcp.connection in Odoo"),
    ("user", "the id of the user in Odoo"),
    ("status", "the HTTP status of the answer"),
    ("reason", "why a request was refused: the `data.reason` of the answer"),
    ("elapsed_ms", "from the first byte of the request to the head of the answer"),
    ("session", "the first characters of a legacy session's id; never all of it"),
    ("task", "the name of a background task"),
    ("replica", "the id of this sidecar towards Odoo"),
    ("listener", "`public` or `admin`"),
    ("error", "what went wrong; never a traceback of Odoo"),
];
