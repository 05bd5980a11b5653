//! The cookie that binds an authorization request to the browser that began it: an approval is consumed only where the
//! same browser comes back with it.

use http::HeaderMap;
use http::header::COOKIE;

use super::server::AuthorizationServer;
use crate::vocab::base62;

/// Lives as long as an authorization request.
const MAX_AGE_SECONDS: u32 = 600;

/// Base62 digits of 256 random bits.
const SECRET_DIGITS: usize = 43;

/// A random handle or secret.
pub(super) fn random_secret() -> String {
    base62(&rand::random::<[u8; 32]>(), SECRET_DIGITS)
}

/// Whether a text has the form of a handle or secret.
pub(super) fn is_secret(text: &str) -> bool {
    text.len() == SECRET_DIGITS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The prefix keeps other hosts of the domain from setting the cookie; browsers accept it over https only.
fn cookie_name(server: &AuthorizationServer) -> &'static str {
    if server.is_plain_http() { "mcp_oauth" } else { "__Host-mcp_oauth" }
}

/// The browser's secret; none: it has none, or two.
pub(super) fn secret_of(server: &AuthorizationServer, headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(server);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(known, value)| *known == name && is_secret(value))
        .map(|(_, value)| value);
    let value = values.next()?;
    values.all(|other| other == value).then(|| value.to_owned())
}

/// The `Set-Cookie` of a browser's secret.
pub(super) fn set_cookie(server: &AuthorizationServer, secret: &str) -> String {
    let (name, secure) = (cookie_name(server), if server.is_plain_http() { "" } else { "; Secure" });
    format!("{name}={secret}; Path=/; Max-Age={MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax{secure}")
}
