//! The `resource` parameter (RFC 8707): what a token is asked for. There is one resource, the MCP endpoint.

use super::error::OauthError;
use super::params::Params;
use super::policy::{Policy, RESOURCE_PATH};
use super::server::AuthorizationServer;
use crate::vocab::Url;

/// The resource that a request names, in the form in which it is stored; without one, the only one there is. Clients
/// repeat the parameter, add a slash or write the host in capitals (O19).
pub(super) fn requested(server: &AuthorizationServer, params: &Params) -> Result<Option<String>, OauthError> {
    requested_among(params, [server.resource.clone()])
}

/// The same for a token of before: the resources of previous public URLs are valid until their tokens expire.
pub(super) fn requested_for_grant(
    server: &AuthorizationServer,
    policy: &Policy,
    params: &Params,
) -> Result<Option<String>, OauthError> {
    let previous = policy.previous_public_urls.iter().map(|url| format!("{url}{RESOURCE_PATH}"));
    requested_among(params, [server.resource.clone()].into_iter().chain(previous))
}

fn requested_among(
    params: &Params,
    known: impl IntoIterator<Item = String>,
) -> Result<Option<String>, OauthError> {
    let known: Vec<String> = known.into_iter().collect();
    let mut found: Option<&String> = None;
    for value in params.all("resource").filter(|value| !value.is_empty()) {
        let Some(resource) = known.iter().find(|resource| is_same(resource, value)) else {
            return Err(invalid_target("The resource is not the MCP endpoint of this server"));
        };
        if found.is_some_and(|other| other != resource) {
            return Err(invalid_target("A token is for one resource only"));
        }
        found = Some(resource);
    }
    Ok(found.cloned())
}

fn invalid_target(description: &'static str) -> OauthError {
    OauthError::new("invalid_target", "resource", description)
}

/// Whether a text names the resource: with the slash at its end or without, its scheme and host in any case, the usual
/// port written or not.
fn is_same(resource: &str, text: &str) -> bool {
    if resource == text {
        return true;
    }
    let (Some(known), Some(named)) = (Url::parse(resource), Url::parse(text)) else { return false };
    let port = |url: &Url<'_>| {
        let usual = if url.scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        url.authority.port.unwrap_or(usual)
    };
    known.scheme.eq_ignore_ascii_case(named.scheme)
        && known.authority.host == named.authority.host
        && port(&known) == port(&named)
        && known.rest == named.rest.strip_suffix('/').unwrap_or(named.rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(query: &str) -> Result<Option<String>, OauthError> {
        let known = ["https://odoo.example.com/odoo/mcp", "https://old.example.com:8443/odoo/mcp"];
        requested_among(&Params::parse(query.as_bytes()).unwrap(), known.map(str::to_owned))
    }

    #[test]
    fn spellings_of_the_resource_are_the_resource() {
        let known = Ok(Some("https://odoo.example.com/odoo/mcp".to_owned()));
        for value in [
            "https://odoo.example.com/odoo/mcp",
            "https://odoo.example.com/odoo/mcp/",
            "HTTPS://ODOO.Example.com/odoo/mcp",
            "https://odoo.example.com:443/odoo/mcp",
        ] {
            assert_eq!(among(&format!("resource={value}")), known, "{value}");
            assert_eq!(among(&format!("resource={value}&resource=https://odoo.example.com/odoo/mcp")), known);
        }
        assert_eq!(among(""), Ok(None));
        assert_eq!(among("resource="), Ok(None));
        let old = Ok(Some("https://old.example.com:8443/odoo/mcp".to_owned()));
        assert_eq!(among("resource=https://old.example.com:8443/odoo/mcp/"), old);
    }

    #[test]
    fn another_resource_is_refused() {
        for value in [
            "https://odoo.example.com",
            "https://odoo.example.com/odoo/MCP",
            "https://odoo.example.com/odoo/mcp//",
            "https://odoo.example.com/odoo/mcp?x",
            "https://odoo.example.com/odoo/mcp%252F",
            "http://odoo.example.com/odoo/mcp",
            "https://odoo.example.com:8443/odoo/mcp",
            "https://odoo.example.com.evil.example/odoo/mcp",
            "https://odoo.example.com@evil.example/odoo/mcp",
            "https://old.example.com/odoo/mcp",
            "odoo/mcp",
        ] {
            assert_eq!(among(&format!("resource={value}")).unwrap_err().code, "invalid_target", "{value}");
        }
        let two = "resource=https://odoo.example.com/odoo/mcp&resource=https://old.example.com:8443/odoo/mcp";
        assert_eq!(among(two).unwrap_err().code, "invalid_target");
    }
}
