//! Size limit of answers. Odoo truncates a long answer itself and says how to get the rest; this second limit is for
//! answers built here and for older addons.

use serde_json::Value;

use super::answer::ObjectWriter;
use crate::tools::Reply;

/// What rows that are put together here may take of an answer, so that the facts about them fit too.
const MAX_ROWS_CHARS: usize = 140_000;

/// The first rows, as many as fit into an answer; at least one.
pub(in crate::tools) fn leading(rows: Vec<Value>) -> Vec<Value> {
    let mut free = MAX_ROWS_CHARS;
    let fits = |row: &Value| {
        let chars = row.to_string().chars().count() + 1;
        let left = free.checked_sub(chars);
        free = left.unwrap_or_default();
        left.is_some()
    };
    let fitting = rows.iter().map(fits).take_while(|fits| *fits).count();
    rows.into_iter().take(fitting.max(1)).collect()
}

/// The reply, or what to say in its place where it is too long. What was changed stays changed, so that is no error.
pub(in crate::tools) fn bounded(reply: Reply, most: usize, model: Option<&str>, changes: bool) -> Reply {
    let Some((end, _)) = end(&reply.text, most) else { return reply };
    if reply.is_error {
        return Reply::error(format!("{}…", reply.text.get(..end).unwrap_or_default()));
    }
    if changes {
        let mut body = ObjectWriter::new();
        body.put("model", model)
            .put("note", "Done. The answer is too long to be shown: read the records that you need.");
        return Reply::json(body);
    }
    Reply::error(format!(
        "The answer has more than {most} characters: name fewer fields or ids, or a smaller limit."
    ))
}

/// Where a text that is too long has to end, with the ellipsis still to come.
fn end(text: &str, most: usize) -> Option<(usize, char)> {
    // No text has more characters than bytes.
    let is_long = text.len() > most && text.char_indices().nth(most).is_some();
    if is_long { text.char_indices().nth(most.saturating_sub(1)) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MOST: usize = 1000;

    fn reply(text: String, is_error: bool) -> Reply {
        Reply { text, is_error }
    }

    #[test]
    fn an_answer_that_fits_is_left_alone_counted_in_characters() {
        for text in ["é".repeat(MOST), "😀".repeat(MOST), "x".to_owned()] {
            let whole = reply(text, false);
            assert_eq!(bounded(whole.clone(), MOST, None, false), whole);
        }
    }

    #[test]
    fn a_read_that_does_not_fit_is_refused_with_a_way() {
        let refused = bounded(reply("é".repeat(MOST + 1), false), MOST, None, false);
        assert!(refused.is_error);
        assert!(refused.text.contains("fewer fields"), "{}", refused.text);
    }

    #[test]
    fn a_change_that_does_not_fit_is_still_said_to_be_done() {
        let done = bounded(reply("x".repeat(MOST + 1), false), MOST, Some("res.partner"), true);
        assert!(!done.is_error);
        let body: Value = serde_json::from_str(&done.text).unwrap();
        assert_eq!(body["model"], "res.partner");
        assert!(body["note"].as_str().unwrap().starts_with("Done."));
    }

    #[test]
    fn a_refusal_that_does_not_fit_ends_between_characters() {
        let cut = bounded(reply("😀".repeat(MOST + 1), true), MOST, None, false);
        assert!(cut.is_error);
        assert_eq!(cut.text.chars().count(), MOST);
        assert!(cut.text.ends_with("😀…"));
    }

    #[test]
    fn rows_are_left_out_from_the_end() {
        let row = |number: usize| json!({"n": number, "x": "é".repeat(40_000)});
        let rows: Vec<Value> = (0..5).map(row).collect();
        let shown = leading(rows.clone());
        assert_eq!(shown, rows[..3]);
        assert_eq!(leading(vec![json!("x".repeat(MAX_ROWS_CHARS))]).len(), 1, "one is always there");
        assert_eq!(leading(Vec::new()).len(), 0);
    }
}
