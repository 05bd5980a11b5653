//! Serializer of answers: compact JSON, rows passed through as Odoo sent them, facts about them in front.
//!
//! Rows are never parsed: a thousand of them cost one scan for their ends and one copy. What a client cuts
//! off a long answer is its end, so the counts stand before the rows.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::odoo::Error;
use crate::tools::plan::RowLimit;

/// The result of a count.
#[derive(Debug, Deserialize)]
pub(in crate::tools) struct CountResult {
    pub count: i64,
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The rows of a reading step, as text of their own.
#[derive(Debug, Deserialize)]
pub(in crate::tools) struct Rows<'a> {
    #[serde(borrow, alias = "groups")]
    pub records: Vec<&'a RawValue>,
    #[serde(default)]
    pub has_more: bool,
    #[serde(borrow, default)]
    pub skipped_fields: Vec<&'a RawValue>,
    /// By field that Odoo failed to read: why.
    #[serde(borrow, default)]
    pub skipped_reasons: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub total: Option<&'a RawValue>,
    /// Ids of `parse_result` that gave no row.
    #[serde(default)]
    pub missing: Vec<i64>,
    /// Ids of `parse_result` whose rows did not fit into the answer.
    #[serde(default)]
    pub rest: Vec<i64>,
    /// Of `traverse`: the model of the rows, and the way to them.
    #[serde(default)]
    pub model: Option<String>,
    #[serde(borrow, default)]
    pub trail: Option<&'a RawValue>,
    /// Notes for reading the rows correctly; of writes: how the result differs from what may be expected.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Parses a raw result.
pub(in crate::tools) fn parse_result<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(raw.get()).map_err(|_| Error::InvalidAnswer)
}

/// Builder of a JSON object.
#[derive(Debug)]
pub(in crate::tools) struct ObjectWriter {
    text: String,
}

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        Self::with_capacity(256)
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self { text }
    }

    fn write_name(&mut self, name: &str) {
        self.text.push_str(if self.text.len() > 1 { ",\"" } else { "\"" });
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    /// Adds a small member. Only maps with odd keys can fail to serialise, and none is passed here.
    pub(crate) fn put(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.write_name(name);
        self.text.push_str(serde_json::to_string(&value).as_deref().unwrap_or("null"));
        self
    }

    pub(crate) fn put_if(&mut self, wanted: bool, name: &str, value: impl Serialize) -> &mut Self {
        if wanted { self.put(name, value) } else { self }
    }

    pub(crate) fn raw(&mut self, name: &str, value: &RawValue) -> &mut Self {
        self.write_name(name);
        self.text.push_str(value.get());
        self
    }

    pub(crate) fn rows(&mut self, name: &str, rows: &[&RawValue]) -> &mut Self {
        self.write_name(name);
        self.text.push('[');
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.text.push_str(row.get());
        }
        self.text.push(']');
        self
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// Which part of all rows an answer shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct Page {
    pub offset: u32,
    pub limit: RowLimit,
}

impl Rows<'_> {
    /// A body of the right size with all that is said about rows, but not yet the rows.
    pub(crate) fn body(&self, model: &str, page: Option<Page>) -> ObjectWriter {
        let bytes: usize = self.records.iter().map(|row| row.get().len() + 1).sum();
        let mut body = ObjectWriter::with_capacity(bytes + 512);
        body.put("model", model).put("count", self.records.len());
        if let Some(page) = page {
            body.put("has_more", self.has_more);
            let next = page.offset as usize + self.records.len();
            body.put_if(self.has_more, "next_offset", next);
            body.put_if(page.limit.clamped, "limit_applied", page.limit.rows);
        }
        if let Some(total) = self.total {
            body.raw("total", total);
        }
        if !self.skipped_fields.is_empty() {
            body.rows("skipped_fields", &self.skipped_fields);
        }
        if let Some(reasons) = self.skipped_reasons {
            body.raw("skipped_reasons", reasons);
        }
        // Changes join those of several steps themselves.
        body.put_if(page.is_some() && !self.notes.is_empty(), "notes", &self.notes);
        body
    }
}

/// One template for the clickable addresses of all records of an answer, as Odoo 19's router reads them.
pub(in crate::tools) fn record_url(web_url: &str, model: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    if web_url.is_empty() || model.is_empty() || !model.chars().all(plain) {
        return None;
    }
    // A model without a dot would be taken for the path of an action.
    let prefix = if model.contains('.') { "" } else { "m-" };
    Some(format!("{}/odoo/{prefix}{model}/{{id}}", web_url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn page(offset: u32) -> Option<Page> {
        Some(Page { offset, limit: RowLimit { rows: 20, clamped: false } })
    }

    #[test]
    fn rows_are_handed_on_byte_for_byte() {
        let raw = r#"{"records":[{"id":1,"n":9007199254740993,"x":1.10},{"id":2,"n":"é😀\u00e9"}],"has_more":true,"skipped_fields":["a\"b"],"total":9007199254740993}"#;
        let rows: Rows<'_> = serde_json::from_str(raw).unwrap();
        let mut body = rows.body("res.partner", page(40));
        body.rows("records", &rows.records);
        assert_eq!(
            body.finish(),
            r#"{"model":"res.partner","count":2,"has_more":true,"next_offset":42,"total":9007199254740993,"skipped_fields":["a\"b"],"records":[{"id":1,"n":9007199254740993,"x":1.10},{"id":2,"n":"é😀\u00e9"}]}"#
        );
    }

    #[test]
    fn links_follow_the_router_of_odoo_19() {
        let url = |web: &str, model: &str| record_url(web, model);
        assert_eq!(
            url("https://o.example", "res.partner").unwrap(),
            "https://o.example/odoo/res.partner/{id}"
        );
        assert_eq!(url("https://o.example/", "website").unwrap(), "https://o.example/odoo/m-website/{id}");
        assert_eq!(url("", "res.partner"), None);
        assert_eq!(url("https://o.example", "x/../y"), None);
    }

    #[test]
    fn twenty_rows_of_three_fields_cost_little_more_than_the_rows() {
        let row = |id: i64| {
            json!({"id": id, "name": format!("Partner number {id}"), "email": format!("partner{id}@example.com"),
                   "phone": "+32 2 123 45 67"})
        };
        let records: Vec<Value> = (1..=20).map(row).collect();
        let plain = serde_json::to_string(&records).unwrap();
        let raw = format!(r#"{{"records":{plain},"has_more":true,"skipped_fields":[]}}"#);
        let rows: Rows<'_> = serde_json::from_str(&raw).unwrap();
        let mut body = rows.body("res.partner", page(0));
        body.put("record_url", record_url("https://odoo.example.com", "res.partner"));
        body.rows("records", &rows.records);
        let ratio = body.finish().len() as f64 / plain.len() as f64;
        assert!(ratio <= 1.15, "{ratio}");
    }
}
