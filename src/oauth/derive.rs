//! Codes and tokens by key derivation (HMAC-SHA-256): from the same presented text follows the same pair.
//!
//! Odoo stores digests only, so a repeated request could not be answered by what is stored. It is answered by deriving
//! again, on any replica, since all of them share the key.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::vocab::{CredentialKind, Secret};

const KEY_BYTES: usize = 32;

/// The key that all replicas share.
pub(super) struct DerivationKey([u8; KEY_BYTES]);

impl DerivationKey {
    /// Reads the key as Odoo hands it out; none: it is not one.
    pub(super) fn read(hex_digits: &Secret) -> Option<Self> {
        let mut key = [0; KEY_BYTES];
        hex::decode_to_slice(hex_digits.expose(), &mut key).ok()?;
        Some(Self(key))
    }

    /// The code of an authorization request.
    pub(super) fn code(&self, handle: &str) -> Secret {
        self.derive(CredentialKind::AuthorizationCode, "code", handle)
    }

    /// The access token that follows from a code or a refresh token.
    pub(super) fn access_token(&self, presented: &str) -> Secret {
        self.derive(CredentialKind::AccessToken, "access", presented)
    }

    /// The refresh token that follows from a code or a refresh token.
    pub(super) fn refresh_token(&self, presented: &str) -> Secret {
        self.derive(CredentialKind::RefreshToken, "refresh", presented)
    }

    fn derive(&self, kind: CredentialKind, label: &str, input: &str) -> Secret {
        let mut bits = [0; 32];
        // HMAC takes a key of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            mac.update(label.as_bytes());
            mac.update(input.as_bytes());
            bits.copy_from_slice(&mac.finalize().into_bytes());
        }
        kind.text_of(&bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Credential;

    fn key(digit: &str) -> DerivationKey {
        DerivationKey::read(&Secret::new(digit.repeat(64))).unwrap()
    }

    #[test]
    fn the_same_text_gives_the_same_pair_and_nothing_else_does() {
        let (one, other) = (key("a"), key("b"));
        let text = |secret: Secret| secret.expose().to_owned();
        assert_eq!(text(one.code("h")), text(key("a").code("h")));
        let mut all = vec![
            text(one.code("h")),
            text(one.code("i")),
            text(other.code("h")),
            text(one.access_token("h")),
            text(one.refresh_token("h")),
            text(one.refresh_token(&text(one.refresh_token("h")))),
        ];
        for secret in &all {
            assert!(Credential::parse(secret).is_ok());
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(Credential::parse(&text(one.code("h"))).unwrap().kind, CredentialKind::AuthorizationCode);
    }

    #[test]
    fn a_key_has_32_bytes() {
        for text in ["", "aa", &"a".repeat(63), &"a".repeat(66), &"g".repeat(64)] {
            assert!(DerivationKey::read(&Secret::new(text)).is_none());
        }
    }
}
