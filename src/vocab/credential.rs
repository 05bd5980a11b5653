//! The text form of credentials and the proof made of it.
//!
//! Prefix, 43 base62 characters of 256 random bits, then 6 base62 characters of the CRC-32 (IEEE) over
//! everything before them. The checksum detects typing errors without a request to Odoo; it stops no attacker. Test vectors:
//! `tests/wire/credentials.json`.

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Secret;

const BODY_LEN: usize = 43;
const CHECKSUM_LEN: usize = 6;
const PREFIX_LEN: usize = 7;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The kind of a credential, by its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    ApiKey,
    AccessToken,
    RefreshToken,
    AuthorizationCode,
    ClientSecret,
}

impl CredentialKind {
    /// The seven characters that a credential of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "mcp_ak_",
            Self::AccessToken => "mcp_at_",
            Self::RefreshToken => "mcp_rt_",
            Self::AuthorizationCode => "mcp_ac_",
            Self::ClientSecret => "mcp_cs_",
        }
    }

    /// The text of a credential of this kind that stands for these bits.
    pub fn text_of(self, bits: &[u8; 32]) -> Secret {
        let signed = format!("{}{}", self.prefix(), base62(bits, BODY_LEN));
        let checksum = encode_checksum(crc32fast::hash(signed.as_bytes()));
        Secret::new(signed + &checksum)
    }

    fn from_prefix(prefix: &str) -> Option<Self> {
        [Self::ApiKey, Self::AccessToken, Self::RefreshToken, Self::AuthorizationCode, Self::ClientSecret]
            .into_iter()
            .find(|kind| kind.prefix() == prefix)
    }
}

/// Why a text is no credential. Carries nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCredential {
    #[error("a credential has 56 characters")]
    Length,
    #[error("the prefix is not one of a credential")]
    Prefix,
    #[error("a credential has letters and digits only after its prefix")]
    Alphabet,
    #[error("the checksum does not match: a character is missing or mistyped")]
    Checksum,
}

/// A well-formed credential. Only Odoo knows whether it is valid.
#[derive(Debug, Clone)]
pub struct Credential {
    pub kind: CredentialKind,
    pub proof: Proof,
}

impl Credential {
    /// Checks the form and the checksum and keeps only the proof, not the text.
    pub fn parse(text: &str) -> Result<Self, MalformedCredential> {
        if text.len() != PREFIX_LEN + BODY_LEN + CHECKSUM_LEN || !text.is_ascii() {
            return Err(MalformedCredential::Length);
        }
        let (prefix, rest) = text.split_at(PREFIX_LEN);
        let kind = CredentialKind::from_prefix(prefix).ok_or(MalformedCredential::Prefix)?;
        if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(MalformedCredential::Alphabet);
        }
        let (signed, checksum) = text.split_at(PREFIX_LEN + BODY_LEN);
        if checksum != encode_checksum(crc32fast::hash(signed.as_bytes())) {
            return Err(MalformedCredential::Checksum);
        }
        Ok(Self { kind, proof: Proof::of_text(text) })
    }
}

/// Bits as a number of so many base62 digits, the first ones zero where it is smaller.
pub fn base62(bits: &[u8], digits: usize) -> String {
    let mut number = bits.to_vec();
    let mut text = vec![b'0'; digits];
    for digit in text.iter_mut().rev() {
        // Long division by 62: the quotient takes the number's place.
        let remainder = number.iter_mut().fold(0_u32, |remainder, byte| {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            value % 62
        });
        *digit = ALPHABET.get(remainder as usize).copied().unwrap_or(b'0');
    }
    text.into_iter().map(char::from).collect()
}

fn encode_checksum(mut value: u32) -> String {
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET.get((value % 62) as usize).copied().unwrap_or(b'0');
        value /= 62;
    }
    digits.iter().map(|byte| char::from(*byte)).collect()
}

/// SHA-256 of a credential's text, sent to Odoo in its place. Odoo stores only SHA-256 of this.
#[derive(Clone, Eq)]
pub struct Proof([u8; 32]);

impl Proof {
    pub fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The wire form, sent to Odoo only.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl PartialEq for Proof {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for Proof {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof(..)")
    }
}

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_vectors_hold() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/wire/credentials.json")).unwrap();
        let good = vectors["good"].as_array().unwrap();
        assert!(good.len() >= 6);
        for case in good {
            let credential = Credential::parse(case["text"].as_str().unwrap()).unwrap();
            assert_eq!(credential.kind.prefix(), case["kind"]);
            assert_eq!(credential.proof.to_hex(), case["proof"]);
        }
        for case in vectors["bad"].as_array().unwrap() {
            let fault = Credential::parse(case["text"].as_str().unwrap()).unwrap_err();
            assert_eq!(format!("{fault:?}").to_lowercase(), case["why"]);
        }
    }

    #[test]
    fn a_non_ascii_text_is_refused_without_a_panic() {
        assert_eq!(Credential::parse(&"é".repeat(28)).unwrap_err(), MalformedCredential::Length);
    }

    #[test]
    fn texts_that_are_made_are_read_again() {
        for bits in [[0; 32], [0xff; 32], [0x5a; 32]] {
            let text = CredentialKind::ClientSecret.text_of(&bits);
            let credential = Credential::parse(text.expose()).unwrap();
            assert_eq!(credential.kind, CredentialKind::ClientSecret);
        }
        assert_eq!(base62(&[0], 3), "000");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[1, 0], 3), "048");
        assert_eq!(base62(&[0xff; 16], 22), "7n42DGM5Tflk9n8mt7Fhc7");
    }

    #[test]
    fn debug_shows_no_proof() {
        assert_eq!(format!("{:?}", Proof::of_text("x")), "Proof(..)");
    }
}
