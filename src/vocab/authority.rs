//! Host and port of a URL, a `Host` header or an origin: a strict parser without allocation.
//!
//! Narrower than RFC 3986, section 3.2: a host name, an IPv4 address in its one usual form or an IPv6 address in
//! brackets, then at most a decimal port from 1 to 65535, and nothing else. No user, no percent-encoding, no zone
//! of an IPv6 address. Attacks on `Host` and `Origin` rely on two parsers that read a text differently, so an
//! ambiguous text is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest host name and the longest part of one (RFC 1035, section 2.3.4).
const MAX_NAME_LEN: usize = 253;
const MAX_LABEL_LEN: usize = 63;

/// A host: names compare case-insensitively, and a trailing dot makes another name.
#[derive(Debug, Clone, Copy)]
pub enum Host<'a> {
    Name(&'a str),
    Address(IpAddr),
}

/// A host with or without a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    pub host: Host<'a>,
    pub port: Option<u16>,
}

/// A URL cut behind its authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'a> {
    pub scheme: &'a str,
    pub authority: Authority<'a>,
    /// Path, query and fragment, as they are.
    pub rest: &'a str,
}

// === impl Host ===

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(left), Self::Name(right)) => left.eq_ignore_ascii_case(right),
            (Self::Address(left), Self::Address(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

impl<'a> Host<'a> {
    /// A name, or an IPv4 address. A text that ends in a number is an address (as for browsers, URL Standard, section
    /// 3.5), so it must have the usual form: `127.1` and `0x7f.0.0.1` are refused.
    fn parse(text: &'a str) -> Option<Self> {
        let labels = text.strip_suffix('.').unwrap_or(text);
        if labels.len() > MAX_NAME_LEN || !labels.split('.').all(is_label) {
            return None;
        }
        match labels.rsplit('.').next() {
            Some(last) if is_number(last) => {
                text.parse::<Ipv4Addr>().ok().map(|address| Self::Address(address.into()))
            }
            _ => Some(Self::Name(text)),
        }
    }
}

// === impl Authority ===

impl<'a> Authority<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(literal) => {
                let (address, rest) = literal.split_once(']')?;
                (Host::Address(address.parse::<Ipv6Addr>().ok()?.into()), rest)
            }
            None => {
                let (host, rest) = text.find(':').map_or((text, ""), |at| text.split_at(at));
                (Host::parse(host)?, rest)
            }
        };
        let port = match rest {
            "" => None,
            rest => Some(port(rest.strip_prefix(':')?)?),
        };
        Some(Self { host, port })
    }
}

// === impl Url ===

impl<'a> Url<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        Some(Self { scheme, authority: Authority::parse(authority)?, rest })
    }
}

/// A part of a name between dots. Underscores are in no name of the Internet, but in those of containers.
fn is_label(label: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte == Some(&b'-');
    let bytes = label.as_bytes();
    (1..=MAX_LABEL_LEN).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !is_edge(bytes.first())
        && !is_edge(bytes.last())
}

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        || label.bytes().all(|byte| byte.is_ascii_digit())
}

fn port(text: &str) -> Option<u16> {
    // `parse` would also take a sign, and more than one spelling of a number.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, Host<'_>, Option<u16>); 11] = [
        ("localhost", Host::Name("localhost"), None),
        ("LocalHost:8765", Host::Name("localhost"), Some(8765)),
        ("odoo.example.com:65535", Host::Name("odoo.example.com"), Some(65_535)),
        ("mcp_sidecar:1", Host::Name("mcp_sidecar"), Some(1)),
        ("xn--bcher-kva.example", Host::Name("xn--bcher-kva.example"), None),
        ("1und1.example", Host::Name("1und1.example"), None),
        ("example.com.", Host::Name("example.com."), None),
        ("127.0.0.1:80", Host::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)), Some(80)),
        ("[::1]", Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)), None),
        ("[0:0:0:0:0:0:0:1]:9", Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)), Some(9)),
        (
            "[2001:DB8::1]:443",
            Host::Address(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
            Some(443),
        ),
    ];

    #[test]
    fn a_host_with_or_without_a_port_is_read() {
        for (text, host, port) in GOOD {
            assert_eq!(Authority::parse(text), Some(Authority { host, port }), "{text}");
        }
    }

    #[rustfmt::skip]
    const BAD: &[&str] = &[
        // No host, no port, or more than one.
        "", ":", ":80", ".", "..", "localhost:", "localhost:80:90", "127.0.0.1:8765.evil.example",
        // Ports that are none.
        "127.0.0.1:evil", "localhost:0", "localhost:65536", "localhost:+80", "localhost:-1", "localhost:080",
        "localhost: 80", "localhost:80 ", "localhost:8o", "localhost:99999999999999999999", "localhost:\u{668}\u{660}",
        // A user.
        "user:pw@localhost", "user@localhost", "@localhost", "localhost@evil.example", "localhost:80@evil",
        // More than an authority.
        "localhost/evil", "localhost/", "localhost?x", "localhost#x", "http://localhost", "//localhost",
        "localhost\\evil",
        // Labels that are none.
        "localhost..", "a..b", ".localhost", "-a.example", "a-.example",
        // Characters that are none.
        " localhost", "localhost ", "local host", "localhost\t", "localhost\0", "local%68ost", "localhost%00",
        "l\u{f3}calhost", "localhost,evil.example", "localhost;evil", "*", "*.example.com", "local\u{200b}host",
        "\u{24db}ocalhost",
        // Addresses in odd forms.
        "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0X7F.1", "0177.0.0.1", "127.0.0.01",
        "127.0.0.1.", "127.0.0.256", "127.0.0.1.1", "1.2.3", "a.1", "example.0x", "0x",
        // Brackets.
        "::1", "[::1", "::1]", "[]", "[::1]]", "[::1]80", "[::1]:", "[::1]:0", "[fe80::1%eth0]", "[fe80::1%25eth0]",
        "[127.0.0.1]", "[localhost]", "[v1.x]", "[::1].evil.example", "x[::1]", "[[::1]]", "[ ::1]",
    ];

    #[test]
    fn everything_else_is_no_authority() {
        for text in BAD {
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
        let long_label = "a".repeat(64);
        let long_name = format!("{}.example", ["a".repeat(60).as_str(); 5].join("."));
        for text in [long_label, long_name] {
            assert_eq!(Authority::parse(&text), None, "{text:?}");
        }
    }

    #[test]
    fn a_mapped_address_is_not_the_address_that_it_maps() {
        assert_ne!(Authority::parse("[::ffff:127.0.0.1]"), Authority::parse("127.0.0.1"));
    }

    #[test]
    fn a_url_is_cut_behind_its_authority() {
        let url = |text| Url::parse(text).map(|url| (url.scheme, url.authority.port, url.rest));
        assert_eq!(url("http://sidecar:8766/wake?x#y"), Some(("http", Some(8766), "/wake?x#y")));
        assert_eq!(url("https://odoo.example.com"), Some(("https", None, "")));
        assert_eq!(url("https://odoo.example.com#x"), Some(("https", None, "#x")));
        for text in [
            "",
            "localhost",
            "http:/localhost",
            "http://",
            "http:///x",
            "http://a@b/",
            "http://a:b/",
            "http://a\\b/",
        ] {
            assert_eq!(url(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}|[\\[\\]a1.:@%/-]{0,20}") {
            let _ = (Authority::parse(&text), Url::parse(&text));
        }
    }
}
