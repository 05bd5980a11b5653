//! Redirect URIs that are accepted, refused and matched.

use super::RedirectKind::{Https, Loopback, PrivateScheme};
use super::RedirectUriError::{
    Character, DotSegment, Empty, Encoding, ForbiddenScheme, Fragment, Host, Length, PlainHttp, Scheme,
    UserInfo, Wildcard,
};
use super::*;

fn kind(text: &str) -> Result<RedirectKind, RedirectUriError> {
    RedirectUri::parse(text).map(|uri| uri.kind())
}

/// The callbacks of known clients.
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

const REFUSED: &[(&str, RedirectUriError)] = &[
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
];

#[test]
fn everything_else_is_refused_with_its_reason() {
    for &(text, expected) in REFUSED {
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
