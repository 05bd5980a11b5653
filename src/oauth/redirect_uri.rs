//! Redirect URI policy, and the comparison of a requested redirect URI with the registered ones (RFC 8252, RFC 9700).
//!
//! Three kinds are accepted: https, http to a loopback address, and private-use schemes of applications. All of them
//! must read in one way only: what parsers differ about (dot segments, backslashes, users, encoded control
//! characters) is refused rather than normalized, since the comparison is one of texts.

use crate::vocab::{Authority, Host, Url};

/// The longest redirect URI, in bytes.
pub const MAX_REDIRECT_URI_BYTES: usize = 2000;

/// Names for the machine of the browser. They are three hosts, of which none stands for another.
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Schemes that run code, read what is local, or belong to a protocol with a handler of its own: never an application's.
const FORBIDDEN_SCHEMES: &[&str] = &[
    // Run or render what stands in the URI itself.
    "javascript",
    "data",
    "vbscript",
    "livescript",
    "blob",
    "about",
    "view-source",
    "filesystem",
    "jar",
    "mhtml",
    "mk",
    "cid",
    "mid",
    "urn",
    "intent",
    "res",
    "resource",
    "chrome",
    "edge",
    "opera",
    "brave",
    "chrome-error",
    "chrome-search",
    "chrome-untrusted",
    "chrome-extension",
    "moz-extension",
    "ms-appx",
    "content",
    "devtools",
    // Files and shares.
    "file",
    "smb",
    "nfs",
    "afp",
    "webdav",
    "dav",
    "davs",
    "ftp",
    "ftps",
    "sftp",
    "ms-msdt",
    "ms-officecmd",
    "search-ms",
    "shell",
    // Other protocols.
    "ws",
    "wss",
    "gopher",
    "ldap",
    "ldaps",
    "ssh",
    "telnet",
    "git",
    "mailto",
    "tel",
    "sms",
    "smsto",
    "news",
    "nntp",
    "irc",
    "ircs",
    "rtsp",
    "rdp",
    "vnc",
    "magnet",
    "feed",
];

/// The kind of a redirect URI, which decides how loudly the consent page warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind {
    /// A web server, which its certificate identifies.
    Https,
    /// A program on the machine of the browser: any program there can listen.
    Loopback,
    /// A program that claims a scheme: any program can claim it.
    PrivateScheme,
}

/// Why a redirect URI is refused: a sentence for the developer of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    #[error("it is empty")]
    Empty,
    #[error("it has more than 2000 characters")]
    Length,
    #[error(
        "it has a space, a control character, a backslash or another character that must be percent-encoded in a URI"
    )]
    Character,
    #[error("it has a percent sign without two hexadecimal digits, or an encoded control character")]
    Encoding,
    #[error("it has a fragment (#)")]
    Fragment,
    #[error("it does not begin with a scheme, such as https:")]
    Scheme,
    #[error("its scheme is never redirected to")]
    ForbiddenScheme,
    #[error("it has a user or a password before its host")]
    UserInfo,
    #[error("its host or port is missing or malformed")]
    Host,
    #[error("http is accepted for 127.0.0.1, [::1] and localhost only; use https")]
    PlainHttp,
    #[error("its path has a segment . or .., or an encoded slash beside one")]
    DotSegment,
    #[error("wildcards are not supported: register each redirect URI as it is")]
    Wildcard,
}

/// A redirect URI that the policy accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedirectUri<'a> {
    text: &'a str,
    scheme: &'a str,
    kind: RedirectKind,
    /// As it is written, without the port; none: a scheme without `//`.
    host: Option<&'a str>,
    /// As it is written, with the port.
    authority: Option<&'a str>,
    /// Path and query, as they are.
    rest: &'a str,
}

// === impl RedirectUri ===

impl<'a> RedirectUri<'a> {
    /// Applies the policy.
    pub fn parse(text: &'a str) -> Result<Self, RedirectUriError> {
        check_characters(text)?;
        let (scheme, rest) = split_scheme(text).ok_or(RedirectUriError::Scheme)?;
        if FORBIDDEN_SCHEMES.iter().any(|forbidden| scheme.eq_ignore_ascii_case(forbidden)) {
            return Err(RedirectUriError::ForbiddenScheme);
        }
        let (authority, rest) = split_authority(rest);
        check_path(authority, rest)?;
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(RedirectUriError::UserInfo);
        }
        let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
        if is_web { Self::web(text, scheme, rest) } else { Self::private(text, scheme, authority, rest) }
    }

    fn web(text: &'a str, scheme: &'a str, rest: &'a str) -> Result<Self, RedirectUriError> {
        let url = Url::parse(text).ok_or(RedirectUriError::Host)?;
        // A name with a trailing dot is another name for browsers, and the same one for DNS. No underscore is in a name of
        // the Internet.
        if matches!(url.authority.host, Host::Name(name) if name.ends_with('.') || name.contains('_')) {
            return Err(RedirectUriError::Host);
        }
        let authority = authority_text(text, rest);
        let host = host_text(authority);
        let is_loopback = LOOPBACK_NAMES.iter().any(|name| host.eq_ignore_ascii_case(name));
        let kind = match is_loopback {
            true => RedirectKind::Loopback,
            false if scheme.eq_ignore_ascii_case("https") => RedirectKind::Https,
            false => return Err(RedirectUriError::PlainHttp),
        };
        Ok(Self { text, scheme, kind, host: Some(host), authority: Some(authority), rest })
    }

    fn private(
        text: &'a str,
        scheme: &'a str,
        authority: Option<&'a str>,
        rest: &'a str,
    ) -> Result<Self, RedirectUriError> {
        let is_host = |text: &str| Authority::parse(text).is_some_and(|parsed| parsed.port.is_none());
        // The addon judges the same way: a scheme is followed by a host, or by a path.
        let is_sound = match authority.unwrap_or("") {
            "" => rest.starts_with('/'),
            host => is_host(host),
        };
        if !is_sound {
            return Err(RedirectUriError::Host);
        }
        let host = authority.map(host_text).filter(|host| !host.is_empty());
        Ok(Self { text, scheme, kind: RedirectKind::PrivateScheme, host, authority, rest })
    }

    pub fn as_str(&self) -> &'a str {
        self.text
    }

    pub fn kind(&self) -> RedirectKind {
        self.kind
    }

    /// Where the browser goes, for people: the host as it is written (a name beyond ASCII in its `xn--` form, so that no
    /// letter can pass for another), with the port where it is not the usual one; for applications the scheme too.
    pub fn host_for_display(&self) -> String {
        let host = self.authority.unwrap_or("");
        match self.kind {
            RedirectKind::PrivateScheme if host.is_empty() => format!("{}:", self.scheme),
            RedirectKind::PrivateScheme => format!("{}://{host}", self.scheme),
            RedirectKind::Https | RedirectKind::Loopback => host.to_ascii_lowercase(),
        }
    }

    /// Whether its port counts for nothing (RFC 8252, section 7.3): an application listens on any that is free.
    fn has_any_port(&self) -> bool {
        self.kind == RedirectKind::Loopback && self.scheme.eq_ignore_ascii_case("http")
    }
}

/// Whether `requested` is the registered redirect URI: the same text, but for the port of http on a loopback address.
pub fn matches(registered: &str, requested: &str) -> bool {
    let Ok(requested) = RedirectUri::parse(requested) else { return false };
    if registered == requested.text {
        return true;
    }
    RedirectUri::parse(registered).is_ok_and(|registered| {
        registered.has_any_port()
            && requested.has_any_port()
            && (registered.scheme, registered.host, registered.rest)
                == (requested.scheme, requested.host, requested.rest)
    })
}

fn check_characters(text: &str) -> Result<(), RedirectUriError> {
    if text.is_empty() {
        return Err(RedirectUriError::Empty);
    }
    if text.len() > MAX_REDIRECT_URI_BYTES {
        return Err(RedirectUriError::Length);
    }
    // RFC 3986, appendix A: what is not here stands in a URI in its encoded form only.
    let is_uri = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    if !text.bytes().all(is_uri) {
        return Err(RedirectUriError::Character);
    }
    if text.contains('#') {
        return Err(RedirectUriError::Fragment);
    }
    let mut parts = text.split('%');
    let is_plain = |part: &str| match part.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
        Some(Ok(byte)) => !part.starts_with('+') && !byte.is_ascii_control(),
        _ => false,
    };
    parts.next();
    if parts.all(is_plain) { Ok(()) } else { Err(RedirectUriError::Encoding) }
}

/// RFC 3986, section 3.1. A single letter is a drive of Windows.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

/// The authority, if there is one, and what follows it.
fn split_authority(rest: &str) -> (Option<&str>, &str) {
    match rest.strip_prefix("//") {
        None => (None, rest),
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            (Some(authority), rest)
        }
    }
}

/// The text between `//` and `rest`.
fn authority_text<'a>(text: &'a str, rest: &str) -> &'a str {
    let before = text.strip_suffix(rest).unwrap_or(text);
    before.split_once("//").map_or("", |(_, authority)| authority)
}

/// An authority without its port.
fn host_text(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or(authority),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

fn check_path(authority: Option<&str>, rest: &str) -> Result<(), RedirectUriError> {
    let path = rest.split('?').next().unwrap_or(rest);
    if path.contains('*') || authority.is_some_and(|authority| authority.contains('*')) {
        return Err(RedirectUriError::Wildcard);
    }
    // Servers and proxies differ in what they decode before they resolve dots, so all forms count.
    let decoded = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    if decoded.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(RedirectUriError::DotSegment);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
