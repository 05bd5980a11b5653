//! Pages that a browser shows: a sentence, what to do next, and the link or refresh that leads on. No script, no
//! remote content; every text is escaped.

use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

use super::error::OauthError;
use super::http::{AuditNote, OauthAnswer};

/// No `form-action`: it would block the redirects of the clients (O01).
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f3f4f6;color:#1f2937}\
main{max-width:32rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:.5rem;overflow-wrap:anywhere}\
h1{font-size:1.25rem;margin:0 0 1rem}\
a{display:inline-block;margin-top:.5rem;padding:.5rem 1rem;border-radius:.25rem;background:#714b67;color:#fff}\
@media(max-width:40rem){main{margin:0;border-radius:0;min-height:100vh;box-sizing:border-box}}\
@media(prefers-color-scheme:dark){body{background:#111827;color:#e5e7eb}main{background:#1f2937}}";

/// The content of a page.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    pub title: &'a str,
    pub paragraphs: Vec<String>,
    /// The address and the text of the one link.
    pub link: Option<(&'a str, String)>,
    /// Whether the browser follows the link by itself.
    pub follows: bool,
}

impl Page<'_> {
    /// The page as an answer.
    pub(super) fn answer(&self, status: StatusCode) -> OauthAnswer {
        let answer = OauthAnswer::new(status)
            .with(CONTENT_TYPE, "text/html; charset=utf-8")
            .with(CONTENT_SECURITY_POLICY, CONTENT_POLICY);
        OauthAnswer { body: self.html().into(), ..without_traces(answer) }
    }

    fn html(&self) -> String {
        let title = escape(self.title);
        let refresh = match &self.link {
            Some((url, _)) if self.follows => {
                format!("<meta http-equiv=\"refresh\" content=\"0;url={}\">", escape(url))
            }
            _ => String::new(),
        };
        let paragraphs: String =
            self.paragraphs.iter().map(|text| format!("<p>{}</p>", escape(text))).collect();
        let link = self.link.as_ref().map_or_else(String::new, |(url, text)| {
            format!("<p><a href=\"{}\" rel=\"noreferrer\">{}</a></p>", escape(url), escape(text))
        });
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"robots\" content=\"noindex\">{refresh}<title>{title}</title><style>{STYLE}</style></head>\
             <body><main><h1>{title}</h1>{paragraphs}{link}</main></body></html>"
        )
    }
}

/// The page of an error that must not be redirected.
pub(super) fn error_page(
    title: &str,
    error: &OauthError,
    method: &'static str,
    client: Option<&str>,
) -> OauthAnswer {
    let page = Page { title, paragraphs: vec![sentence(&error.description)], ..Page::default() };
    let mut answer = page.answer(error.status);
    if let Some(seconds) = error.retry_after_seconds() {
        answer = answer.with_retry_after(seconds);
    }
    answer.with_audit(error.audit_note(method, client))
}

/// A redirect; the next page learns nothing about this one.
pub(super) fn redirect(status: StatusCode, location: &str, audit: AuditNote) -> OauthAnswer {
    without_traces(OauthAnswer::new(status)).with(http::header::LOCATION, location).with_audit(audit)
}

/// The headers of all pages and redirects: not stored, not framed, no address in a referrer.
fn without_traces(answer: OauthAnswer) -> OauthAnswer {
    answer
        .with(CACHE_CONTROL, "no-store")
        .with(REFERRER_POLICY, "no-referrer")
        .with(X_FRAME_OPTIONS, "DENY")
        .with(X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// With a full stop.
fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

/// A text as it stands in an element or in a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Could reorder what a person reads, or end a line of the refresh.
            control if control.is_control() || is_invisible(control) => escaped.push(' '),
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// Marks of direction and width: with them a name can look like another one.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_client_becomes_markup() {
        let evil = "</title><script>alert(1)</script>\"'>&\u{202e}\n";
        let page = Page {
            title: evil,
            paragraphs: vec![evil.to_owned()],
            link: Some(("https://a.example/?a=1&b='\"><script>", evil.to_owned())),
            follows: true,
        };
        let answer = page.answer(StatusCode::OK);
        let html = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("url=https://a.example/?a=1&amp;b=&#39;&quot;&gt;&lt;script&gt;\""), "{html}");
        assert_eq!(html.matches("<title>").count(), 1);
        assert!(!html.contains('\u{202e}'));
    }

    #[test]
    fn pages_are_neither_framed_nor_stored_nor_block_a_redirect() {
        let answer = Page::default().answer(StatusCode::BAD_REQUEST);
        let header = |name: &str| answer.headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("form-action"));
        assert!(!String::from_utf8_lossy(&answer.body).contains("http-equiv"));
    }
}
