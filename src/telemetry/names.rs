//! Table of every span and field name that occurs in a log line, with its meaning.

/// The span of one HTTP request on the public listener; made at `debug`.
pub const REQUEST_SPAN: &str = "request";

/// Name and meaning of every field. Deployments may rely on these.
pub const FIELDS: &[(&str, &str)] = &[
    // === a request on the public listener ===
    ("request_id", "one HTTP request of a tool; made here, UUID version 7"),
    ("peer", "the address of the caller, behind trusted proxies"),
    ("connection", "the id of the mcp.connection in Odoo"),
    (
        "method",
        "the JSON-RPC method; in lines of `odoo`, that of the gateway; of OAuth, the act as the audit log names it",
    ),
    ("tool", "the name of the tool that was called"),
    ("reason", "why a request was refused: the `data.reason` of the answer"),
    ("status", "the HTTP status that was answered; in lines of `odoo`, that of Odoo"),
    ("elapsed_ms", "from the head of a request to the head of its answer"),
    // === the process ===
    ("public", "where tools connect"),
    ("admin", "where health is asked"),
    ("replica", "the id of this sidecar towards Odoo"),
    ("signal", "what made the process end"),
    ("task", "the name of a background task"),
    ("open", "writes that Odoo had not answered when the process ended"),
    ("path", "a file of the data directory"),
    ("place", "file, line and column of the source where a task panicked"),
    // === Odoo ===
    ("odoo", "its version"),
    ("addon", "the version of the addon in it"),
    ("database", "its database"),
    ("wake_ups", "whether Odoo will send wake-ups, or why not"),
    ("call_id", "one call of the gateway, as in Odoo's own records"),
    ("failure", "the kind of a failed call"),
    ("cause", "why there was no answer"),
    ("line", "where an answer does not fit the contract; never what stands there"),
    ("column", "the same"),
    ("code", "the code of a fault outside the contract; never its text"),
    ("length", "how long that text is"),
    ("entry", "the id of an entry of the audit log"),
    ("what", "which member of it Odoo refused; never what stands there"),
    // === everywhere ===
    ("error", "what went wrong; never a traceback of Odoo, a credential or a row of data"),
];
