//! Media types in `Content-Type` and `Accept`.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

/// A media type without its parameters.
pub(super) fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or("").trim()
}

/// Whether the `Content-Type` is `media_type`, with any parameters.
pub(super) fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    essence(value).eq_ignore_ascii_case(media_type)
}

/// Whether `Accept` names one of the media ranges; without the header, everything is accepted.
pub(super) fn accepts(headers: &HeaderMap, ranges: &[&str]) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    values.peek().is_none()
        || values
            .flat_map(|value| value.split(','))
            .any(|entry| ranges.iter().any(|range| essence(entry).eq_ignore_ascii_case(range)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_count() {
        let mut headers = HeaderMap::new();
        assert!(!is(&headers, "application/json"));
        headers.insert(CONTENT_TYPE, "Application/JSON ; charset=utf-8".parse().unwrap());
        assert!(is(&headers, "application/json"));
        assert!(!is(&headers, "text/event-stream"));
    }

    #[test]
    fn a_range_is_found_in_any_of_the_headers() {
        let mut headers = HeaderMap::new();
        assert!(accepts(&headers, &["text/event-stream"]));
        headers.append(ACCEPT, "application/json".parse().unwrap());
        assert!(!accepts(&headers, &["text/event-stream"]));
        headers.append(ACCEPT, "image/png, Text/*;q=0.5".parse().unwrap());
        assert!(accepts(&headers, &["text/event-stream", "text/*"]));
    }
}
