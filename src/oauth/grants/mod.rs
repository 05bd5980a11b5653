//! The grants: each turns what a client presents into tokens, by one call to the store.

pub(super) mod client_credentials;
pub(super) mod code;
pub(super) mod refresh;

use super::derive::DerivationKey;
use super::error::OauthError;
use super::form_endpoint::ClientForm;
use super::store::Granted;
use crate::vocab::Secret;

/// Tokens that Odoo has stored, by their digests.
pub(super) struct Issued {
    pub access: Secret,
    pub refresh: Option<Secret>,
    pub granted: Granted,
}

/// The pair that follows from what was presented.
struct Pair {
    access: Secret,
    refresh: Secret,
}

impl Pair {
    fn of(form: &ClientForm<'_>, presented: &str) -> Result<Self, OauthError> {
        let key =
            form.policy.key.as_ref().and_then(DerivationKey::read).ok_or_else(OauthError::unreachable)?;
        Ok(Self { access: key.access_token(presented), refresh: key.refresh_token(presented) })
    }

    fn issued(self, granted: Granted) -> Issued {
        Issued { access: self.access, refresh: granted.refresh.then_some(self.refresh), granted }
    }
}
