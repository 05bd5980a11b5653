//! The redirect back to a client: its verified redirect URI with the outcome in the query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986, section 2.3: all but the unreserved characters are encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The redirect URI with these parameters behind those that it has.
pub(super) fn with_params(redirect_uri: &str, params: &[(&str, &str)]) -> String {
    let mut url = redirect_uri.to_owned();
    for (name, value) in params {
        let last = url.chars().next_back();
        if !url.contains('?') {
            url.push('?');
        } else if !matches!(last, Some('?' | '&')) {
            url.push('&');
        }
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, ENCODED));
    }
    url
}

/// The redirect that hands an error to the client. `iss` is in it as in every answer (RFC 9207).
pub(super) fn with_error(
    redirect_uri: &str,
    error: &str,
    description: &str,
    state: Option<&str>,
    issuer: &str,
) -> String {
    // RFC 6749, section 4.1.2.1: neither quotes nor backslashes in a description.
    let description = description.replace(['"', '\\'], "'");
    let mut params = vec![("error", error), ("error_description", &description)];
    params.extend(state.map(|state| ("state", state)));
    params.push(("iss", issuer));
    with_params(redirect_uri, &params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_byte_for_byte() {
        let states = ["a=&+ %25\"'<>#?/\\", "\u{1f600}\u{e9}\n\r\t\u{7f}", &"x=&".repeat(700)];
        for state in states {
            let url = with_params("https://c.example/cb", &[("code", "c"), ("state", state)]);
            let query = url.split_once('?').unwrap().1;
            let read: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            assert_eq!(read[1].1, state);
            assert!(url.is_ascii() && !url.contains([' ', '"', '<', '\'', '#', '\n']));
        }
    }

    #[test]
    fn the_query_of_the_redirect_uri_stays() {
        let add = |uri| with_params(uri, &[("code", "c"), ("iss", "https://o")]);
        assert_eq!(add("https://c/cb"), "https://c/cb?code=c&iss=https%3A%2F%2Fo");
        assert_eq!(add("https://c/cb?a=b"), "https://c/cb?a=b&code=c&iss=https%3A%2F%2Fo");
        assert_eq!(add("https://c/cb?"), "https://c/cb?code=c&iss=https%3A%2F%2Fo");
        assert_eq!(add("app:cb"), "app:cb?code=c&iss=https%3A%2F%2Fo");
        let error = with_error("cursor://x/cb", "access_denied", "no \"way\"", Some("s"), "https://o");
        let expected =
            "cursor://x/cb?error=access_denied&error_description=no%20%27way%27&state=s&iss=https%3A%2F%2Fo";
        assert_eq!(error, expected);
    }
}
