//! Parameters of a query or a form (`application/x-www-form-urlencoded`), read strictly: what two readers could
//! understand differently is refused.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode;

use super::error::OauthError;

/// The most parameters that are read.
const MAX_PARAMS: usize = 100;

/// The parameters in their order, decoded.
pub(super) struct Params(Vec<(String, String)>);

/// A parameter that is there twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Duplicate(pub &'static str);

impl Params {
    pub(super) fn parse(text: &[u8]) -> Result<Self, OauthError> {
        let pairs: Vec<&[u8]> = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).collect();
        if pairs.len() > MAX_PARAMS {
            return Err(OauthError::invalid_request("The request has too many parameters"));
        }
        let read = |pair: &[u8]| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            Some((decode(name)?, decode(value)?))
        };
        let params: Option<Vec<_>> = pairs.into_iter().map(read).collect();
        params
            .map(Self)
            .ok_or_else(|| OauthError::invalid_request("A parameter is not UTF-8, or holds a NUL character"))
    }

    /// The parameters of a form.
    pub(super) fn of_form(headers: &HeaderMap, body: &[u8]) -> Result<Self, OauthError> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = media_type.split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OauthError {
                reason: "media_type".into(),
                ..OauthError::invalid_request(
                    "Send the parameters as a form: Content-Type application/x-www-form-urlencoded",
                )
            });
        }
        Self::parse(body)
    }

    /// The value of a parameter; one without a value counts as absent (RFC 6749, section 3.1).
    pub(super) fn get(&self, name: &'static str) -> Result<Option<&str>, Duplicate> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Duplicate(name)),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl From<Duplicate> for OauthError {
    fn from(Duplicate(name): Duplicate) -> Self {
        Self {
            reason: "duplicate_parameter".into(),
            ..Self::invalid_request(format!("The parameter {name} is there more than once"))
        }
    }
}

/// Decodes as a form does. PostgreSQL keeps no NUL.
pub(super) fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&spaced).decode_utf8().ok()?.into_owned();
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_byte_for_byte() {
        let params = Params::parse(b"state=a%3D%26%2B+%20%F0%9F%98%80%25&empty=&flag&&x=1=2").unwrap();
        assert_eq!(params.get("state"), Ok(Some("a=&+  \u{1f600}%")));
        assert_eq!(params.get("empty"), Ok(None));
        assert_eq!(params.get("flag"), Ok(None));
        assert_eq!(params.get("x"), Ok(Some("1=2")));
        assert_eq!(params.get("missing"), Ok(None));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let params = Params::parse(b"a=1&a=1&b=&b=2").unwrap();
        assert_eq!(params.get("a"), Err(Duplicate("a")));
        assert_eq!(params.get("b"), Err(Duplicate("b")));
        for text in [&b"a=%FF"[..], b"a=%00", b"%C3=1", b"a=\xff"] {
            assert!(Params::parse(text).is_err());
        }
        assert!(Params::parse("a=1&".repeat(101).as_bytes()).is_err());
    }

    #[test]
    fn a_form_has_its_media_type() {
        let mut headers = HeaderMap::new();
        assert_eq!(Params::of_form(&headers, b"a=1").map(|_| ()).unwrap_err().reason, "media_type");
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(Params::of_form(&headers, b"a=1").is_err());
        headers.insert(CONTENT_TYPE, "Application/X-WWW-Form-Urlencoded; charset=UTF-8".parse().unwrap());
        assert_eq!(Params::of_form(&headers, b"a=1").unwrap().get("a"), Ok(Some("1")));
    }
}
