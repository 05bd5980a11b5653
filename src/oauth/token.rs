//! The token endpoint: a form in, tokens as JSON out. One file a grant, in `grants`.

use http::StatusCode;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, EmptyExtraTokenFields, RefreshToken, Scope, StandardTokenResponse};

use super::error::OauthError;
use super::form_endpoint::{self, ClientForm};
use super::grants::{Issued, client_credentials, code, refresh};
use super::http::{AuditNote, OauthAnswer, OauthRequest};
use super::params::Params;
use super::policy::Policy;
use super::server::AuthorizationServer;

const METHOD: &str = "oauth/token";
const REFRESH_METHOD: &str = "oauth/refresh";

/// Where a script gets what it wants (O23).
const USE_API_KEY: &str =
    "for a program without a person, make an API key in Odoo and send it as a bearer token";

/// The grants that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    Code,
    Refresh,
    ClientCredentials,
}

pub(super) async fn token(server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
    let read = || {
        let policy = form_endpoint::check_available(server, request)?;
        let params = Params::of_form(&request.headers, &request.body)?;
        let grant = Grant::of(&policy, &params)?;
        Ok((grant, ClientForm::new(server, request, policy, params)?))
    };
    let (grant, form) = match read() {
        Ok(read) => read,
        Err(error) => return OauthError::to_answer(&error, METHOD, None),
    };
    let method = if grant == Grant::Refresh { REFRESH_METHOD } else { METHOD };
    let issued = match grant {
        Grant::Code => code::exchange(&form).await,
        Grant::Refresh => refresh::rotate(&form).await,
        Grant::ClientCredentials => client_credentials::issue(&form).await,
    };
    match issued {
        Ok(issued) => answer(issued, method),
        Err(error) => error.to_answer(method, form.audit_client(&error)),
    }
}

impl Grant {
    fn of(policy: &Policy, params: &Params) -> Result<Self, OauthError> {
        match params.get("grant_type")? {
            Some("authorization_code") => Ok(Self::Code),
            Some("refresh_token") => Ok(Self::Refresh),
            Some("client_credentials") if policy.offers_client_credentials => Ok(Self::ClientCredentials),
            Some("client_credentials") => Err(unsupported(format!(
                "The grant client_credentials is for clients that an administrator has made for it; {USE_API_KEY}"
            ))),
            Some(_) => Err(unsupported(format!(
                "The grants are authorization_code and refresh_token; {USE_API_KEY}"
            ))),
            None => Err(OauthError::invalid_request("grant_type is missing")),
        }
    }
}

fn unsupported(description: String) -> OauthError {
    OauthError::new("unsupported_grant_type", "grant_type", description)
}

/// The token answer (RFC 6749, section 5.1): numbers are numbers, what is absent is no member, the scope is always
/// there.
fn answer(issued: Issued, method: &'static str) -> OauthAnswer {
    let Issued { access, refresh, granted } = issued;
    // As the RFC writes it: some clients compare it with its capital.
    let token_type = BasicTokenType::Extension("Bearer".to_owned());
    let access = AccessToken::new(access.expose().to_owned());
    let mut document = StandardTokenResponse::new(access, token_type, EmptyExtraTokenFields {});
    document.set_expires_in(Some(&std::time::Duration::from_secs(granted.expires_in)));
    document.set_refresh_token(refresh.map(|refresh| RefreshToken::new(refresh.expose().to_owned())));
    document.set_scopes(Some(granted.scope.into_iter().map(Scope::new).collect()));
    OauthAnswer::json(StatusCode::OK, &document).with_audit(AuditNote {
        method: Some(method),
        client: Some(granted.client_name),
        connection: Some(granted.connection),
        user: Some(granted.user),
        ..AuditNote::default()
    })
}
