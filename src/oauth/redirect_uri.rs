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
mod tests {
    use super::RedirectKind::{Https, Loopback, PrivateScheme};
    use super::*;

    fn kind(text: &str) -> Result<RedirectKind, RedirectUriError> {
        RedirectUri::parse(text).map(|uri| uri.kind())
    }

    /// O05, O06, O07 and the callbacks of mcp.md, section 5.
    #[test]
    fn callbacks_of_known_clients_are_accepted() {
        for (text, expected, display) in [
            ("https://claude.ai/api/mcp/auth_callback", Https, "claude.ai"),
            ("https://claude.com/api/mcp/auth_callback", Https, "claude.com"),
            ("https://chatgpt.com/connector/oauth/AbC_1-x", Https, "chatgpt.com"),
            ("https://global.consent.azure-apim.net/redirect/x", Https, "global.consent.azure-apim.net"),
            ("https://vscode.dev/redirect", Https, "vscode.dev"),
            ("https://www.cursor.com/agents/mcp/oauth/callback", Https, "www.cursor.com"),
            ("https://n8n.example.com:8443/rest/cb?x=%20y", Https, "n8n.example.com:8443"),
            ("https://10.0.0.5/cb", Https, "10.0.0.5"),
            ("HTTPS://Claude.AI/cb", Https, "claude.ai"),
            ("https://xn--bcher-kva.example/cb", Https, "xn--bcher-kva.example"),
            ("http://localhost:8787/callback", Loopback, "localhost:8787"),
            ("http://127.0.0.1/", Loopback, "127.0.0.1"),
            ("http://127.0.0.1:33418/", Loopback, "127.0.0.1:33418"),
            ("http://[::1]:3000/cb", Loopback, "[::1]:3000"),
            ("http://localhost", Loopback, "localhost"),
            ("https://localhost:3000/cb", Loopback, "localhost:3000"),
            ("cursor://anysphere.cursor-mcp/oauth/callback", PrivateScheme, "cursor://anysphere.cursor-mcp"),
            ("vscode://vscode.github-auth/did?x=1", PrivateScheme, "vscode://vscode.github-auth"),
            ("com.example.app:/cb", PrivateScheme, "com.example.app:"),
            ("claude:///auth/callback", PrivateScheme, "claude:"),
            ("myapp://cb", PrivateScheme, "myapp://cb"),
        ] {
            let uri = RedirectUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((uri.kind(), uri.host_for_display().as_str()), (expected, display), "{text}");
            assert!(matches(text, text), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        use RedirectUriError::*;
        for (text, expected) in [
            ("", Empty),
            ("javascript:alert(1)", ForbiddenScheme),
            ("JaVaScRiPt://claude.ai/%0aalert(1)", Encoding),
            ("JaVaScRiPt://claude.ai/x", ForbiddenScheme),
            ("data:text/html,x", ForbiddenScheme),
            ("file:///etc/passwd", ForbiddenScheme),
            ("vbscript:x", ForbiddenScheme),
            ("blob:https://claude.ai/x", ForbiddenScheme),
            ("about:blank", ForbiddenScheme),
            ("wss://claude.ai/cb", ForbiddenScheme),
            ("urn:ietf:wg:oauth:2.0:oob", ForbiddenScheme),
            ("intent://x/cb", ForbiddenScheme),
            ("https://claude.ai/cb#x", Fragment),
            ("https://claude.ai/cb#", Fragment),
            ("cursor://x/cb#access_token", Fragment),
            ("https://user:pw@claude.ai/cb", UserInfo),
            ("https://claude.ai@evil.example/cb", UserInfo),
            ("https://@claude.ai/cb", UserInfo),
            ("cursor://claude.ai@evil/cb", UserInfo),
            ("http://localhost@evil.example/cb", UserInfo),
            ("http://localhost:1@evil.example/cb", UserInfo),
            ("http://claude.ai/cb", PlainHttp),
            ("http://127.0.0.2/cb", PlainHttp),
            ("http://10.0.0.1/cb", PlainHttp),
            ("http://[::ffff:127.0.0.1]/cb", PlainHttp),
            ("http://localhost.evil.example/cb", PlainHttp),
            ("http://0.0.0.0/cb", PlainHttp),
            ("http://localhost./cb", Host),
            ("http://127.1/cb", Host),
            ("http://0x7f.0.0.1/cb", Host),
            ("http://2130706433/cb", Host),
            ("http://localhost:0/cb", Host),
            ("http://localhost:/cb", Host),
            ("http://localhost:99999/cb", Host),
            ("https://claude.ai./cb", Host),
            ("https://claude..ai/cb", Host),
            ("https:///cb", Host),
            ("https://", Host),
            ("https:claude.ai/cb", Host),
            ("https:/claude.ai/cb", Host),
            ("https://?x", Host),
            ("https://claude%2eai/cb", Host),
            ("myapp:", Host),
            ("myapp://", Host),
            ("myapp://?x", Host),
            ("com.example.app:cb", Host),
            ("myapp://a:b/cb", Host),
            ("myapp://a:1/cb", Host),
            ("https://my_host.example/cb", Host),
            ("chrome-extension://abcdef/cb", ForbiddenScheme),
            ("claude.ai/cb", Scheme),
            ("/cb", Scheme),
            ("//claude.ai/cb", Scheme),
            ("c:/cb", Scheme),
            ("1app:/cb", Scheme),
            ("my_app:/cb", Scheme),
            (" https://claude.ai/cb", Character),
            ("https://claude.ai/c b", Character),
            ("https://claude.ai/cb\n", Character),
            ("https://claude.ai\\@evil.example/cb", Character),
            ("https://claude.ai/\\..\\x", Character),
            ("https://cl\u{430}ude.ai/cb", Character),
            ("https://claude\u{3002}ai/cb", Character),
            ("https://claude.ai/cb\u{202e}", Character),
            ("https://claude.ai/\"><script>", Character),
            ("https://claude.ai/cb\0", Character),
            ("https://claude.ai/%0d%0aX", Encoding),
            ("https://claude.ai/%00", Encoding),
            ("https://claude.ai/%7f", Encoding),
            ("https://claude.ai/%zz", Encoding),
            ("https://claude.ai/%+1", Encoding),
            ("https://claude.ai/%", Encoding),
            ("https://claude.ai/a/../b", DotSegment),
            ("https://claude.ai/a/%2E%2e/b", DotSegment),
            ("https://claude.ai/a/.%2e", DotSegment),
            ("https://claude.ai/a/..%2fb", DotSegment),
            ("https://claude.ai/a%5c..%5cb", DotSegment),
            ("https://claude.ai/./b", DotSegment),
            ("com.example.app:/a/../b", DotSegment),
            ("https://claude.ai/cb/*", Wildcard),
            ("https://*.claude.ai/cb", Wildcard),
            ("http://localhost:*/cb", Wildcard),
        ] {
            assert_eq!(kind(text), Err(expected), "{text:?}");
        }
        let long = |length: usize| format!("https://claude.ai/{}", "x".repeat(length - 18));
        assert_eq!(kind(&long(2000)), Ok(Https));
        assert_eq!(kind(&long(2001)), Err(Length));
        assert_eq!(kind("https://claude.ai/cb?next=/../x&glob=*"), Ok(Https));
    }

    #[test]
    fn o07_the_port_of_a_loopback_address_is_ignored_and_nothing_else() {
        for (registered, requested) in [
            ("http://127.0.0.1/", "http://127.0.0.1:33418/"),
            ("http://127.0.0.1:33418/", "http://127.0.0.1/"),
            ("http://localhost:7777/oauth/callback", "http://localhost:50001/oauth/callback"),
            ("http://[::1]/cb?x=1", "http://[::1]:9/cb?x=1"),
            ("cursor://anysphere.cursor-mcp/cb", "cursor://anysphere.cursor-mcp/cb"),
            ("https://claude.ai/cb", "https://claude.ai/cb"),
        ] {
            assert!(matches(registered, requested), "{registered} {requested}");
        }
        for (registered, requested) in [
            ("http://127.0.0.1/", "http://localhost/"),
            ("http://localhost/cb", "http://[::1]/cb"),
            ("http://[::1]/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1/", "http://127.0.0.1"),
            ("http://127.0.0.1/cb", "http://127.0.0.1/cb/"),
            ("http://127.0.0.1/cb", "http://127.0.0.1/cb?x"),
            ("http://127.0.0.1/cb", "http://127.0.0.1/CB"),
            ("http://localhost/cb", "https://localhost/cb"),
            ("https://localhost:1/cb", "https://localhost:2/cb"),
            ("http://localhost/cb", "http://localhost:1@evil.example/cb"),
            ("http://localhost/cb", "http://localhost.evil.example/cb"),
            ("http://localhost/cb", "http://localhost:0/cb"),
            ("https://claude.ai/cb", "https://claude.ai:443/cb"),
            ("https://claude.ai/cb", "https://claude.ai/cb/"),
            ("https://claude.ai/cb", "https://claude.ai/cb?x=1"),
            ("https://claude.ai/cb", "https://CLAUDE.ai/cb"),
            ("https://claude.ai/cb", "https://claude.ai/x/../cb"),
            ("https://claude.ai/cb", "https://claude.ai.evil.example/cb"),
            ("https://claude.ai/", "https://claude.ai/cb"),
            ("myapp://a:1/cb", "myapp://a:2/cb"),
            ("cursor://a/cb", "cursor://b/cb"),
            ("javascript:x", "javascript:x"),
        ] {
            assert!(!matches(registered, requested), "{registered} {requested}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "\\PC{0,80}|(https?|cursor|data)?:?/{0,3}[\\[\\]a1.:@%/\\\\?#*-]{0,30}",
            other in "http://localhost[:0-9/a]{0,8}",
        ) {
            let _ = (matches(&text, &other), matches(&other, &text));
            if let Ok(uri) = RedirectUri::parse(&text) {
                assert!(!uri.host_for_display().is_empty() && matches(&text, &text));
            }
        }
    }
}
