//! Secret patterns: rules that match secrets in text, by their shape or by the name before them.
//!
//! Each rule yields byte ranges; overlapping ranges are merged before they are replaced. A false positive is
//! better than a leak. Clients choose the text, so each rule runs in linear time.

use std::ops::Range;

/// The replacement of a secret.
pub(super) const MASK: &str = "***";

/// Parts of names whose value is a secret, compared without case, `_` and `-`.
const SECRET_NAME_PARTS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "authorization",
    "credential",
    "cookie",
    "totp",
    "otpcode",
];

/// The prefixes of this product's credentials, matched anywhere.
const OWN_PREFIXES: [&str; 5] = ["mcp_ak_", "mcp_at_", "mcp_rt_", "mcp_ac_", "mcp_cs_"];

/// The prefixes of credentials of well-known services, matched at the start of a word.
const SERVICE_PREFIXES: [&str; 26] = [
    "sk-",
    "sk_",
    "rk_",
    "pk_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "SG.",
    "npm_",
    "hf_",
    "eyJ",
];

/// The shortest secret after a prefix or a scheme.
const MIN_SECRET_BYTES: usize = 8;

/// The shortest word that is checked for randomness.
const MIN_RANDOM_BYTES: usize = 32;

/// The schemes of an `Authorization` header.
const AUTH_SCHEMES: [&str; 2] = ["bearer ", "basic "];

const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";
const PEM_KEY: &str = "PRIVATE KEY";

/// Whether the value of this name is a secret.
pub fn names_a_secret(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAME_PARTS.iter().any(|part| plain.contains(part))
}

/// Redacts any text.
pub(super) fn redact(text: &str) -> String {
    redact_by(
        &[
            pem_keys,
            own_credentials,
            service_credentials,
            auth_headers,
            url_userinfo,
            named_values,
            random_words,
        ],
        text,
    )
}

/// Redacts a sentence, UUIDs included: no sentence needs one, and many secrets in Odoo are UUIDs.
pub(super) fn redact_sentence(text: &str) -> String {
    redact_by(
        &[
            pem_keys,
            own_credentials,
            service_credentials,
            auth_headers,
            url_userinfo,
            named_values,
            random_words,
            uuids,
        ],
        text,
    )
}

fn redact_by(rules: &[fn(&str, &mut SecretRanges)], text: &str) -> String {
    let mut found = Vec::new();
    for rule in rules {
        rule(text, &mut found);
    }
    if found.is_empty() {
        return text.to_owned();
    }
    found.sort_by_key(|range| range.start);
    let (mut redacted, mut at) = (String::with_capacity(text.len()), 0);
    for Range { start, end } in found {
        if start >= at {
            redacted.push_str(text.get(at..start).unwrap_or_default());
            redacted.push_str(MASK);
        }
        at = at.max(end);
    }
    redacted.push_str(text.get(at..).unwrap_or_default());
    redacted
}

type SecretRanges = Vec<Range<usize>>;

/// The characters of a credential.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+' | '/' | '=' | '%')
}

fn run_length(text: &str, from: usize, holds: impl Fn(char) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.find(|c| !holds(c)).unwrap_or(rest.len())
}

fn starts_word(text: &str, at: usize) -> bool {
    !text.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()))
}

fn pem_keys(text: &str, found: &mut SecretRanges) {
    let mut past = 0;
    for (start, _) in text.match_indices(PEM_BEGIN) {
        if start < past {
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        let kind = rest.get(PEM_BEGIN.len()..).and_then(|kind| kind.split("-----").next());
        if kind.is_some_and(|kind| kind.contains(PEM_KEY)) {
            let end = rest.find(PEM_END).and_then(|end| {
                let close = end + PEM_END.len();
                rest.get(close..)?.find("-----").map(|dashes| close + dashes + 5)
            });
            past = start + end.unwrap_or(rest.len());
            found.push(start..past);
        }
    }
}

fn own_credentials(text: &str, found: &mut SecretRanges) {
    for prefix in OWN_PREFIXES {
        for (start, _) in text.match_indices(prefix) {
            let from = start + prefix.len();
            found.push(start..from + run_length(text, from, |c| c.is_ascii_alphanumeric()));
        }
    }
}

fn service_credentials(text: &str, found: &mut SecretRanges) {
    for prefix in SERVICE_PREFIXES {
        let mut past = 0;
        for (start, _) in text.match_indices(prefix) {
            if start < past || !starts_word(text, start) {
                continue;
            }
            let from = start + prefix.len();
            past = from + run_length(text, from, is_token_char);
            if past >= from + MIN_SECRET_BYTES {
                found.push(start..past);
            }
        }
    }
}

fn auth_headers(text: &str, found: &mut SecretRanges) {
    // Same length as the text, so that offsets are the same.
    let lower = text.to_ascii_lowercase();
    for scheme in AUTH_SCHEMES {
        for (start, _) in lower.match_indices(scheme) {
            let from = start + scheme.len();
            let from = from + run_length(text, from, |c| c == ' ');
            let rest = run_length(text, from, is_token_char);
            if rest >= MIN_SECRET_BYTES && starts_word(text, start) {
                found.push(from..from + rest);
            }
        }
    }
}

/// `scheme://user:password@host`.
fn url_userinfo(text: &str, found: &mut SecretRanges) {
    for (start, mark) in text.match_indices("://") {
        let from = start + mark.len();
        let authority = run_length(text, from, |c| {
            !c.is_whitespace() && !matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>')
        });
        let authority = text.get(from..from + authority).unwrap_or_default();
        if let Some(end) = authority.rfind('@') {
            found.push(from..from + end);
        }
    }
}

/// `password=...`, `"token": "..."`, `X-Api-Key: ...`.
fn named_values(text: &str, found: &mut SecretRanges) {
    let mut past = 0;
    for (at, c) in text.char_indices() {
        if !matches!(c, '=' | ':') {
            continue;
        }
        let before = text.get(..at).unwrap_or_default().trim_end_matches([' ', '"', '\'', '\\']);
        let name = before.rfind(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'));
        let name = before.get(name.map_or(0, |end| end + before.get(end..).map_or(1, first_char_len))..);
        if !name.is_some_and(names_a_secret) {
            continue;
        }
        let from = at + 1;
        let from = from + run_length(text, from, |c| matches!(c, ' ' | '\\' | '='));
        let quote = text.get(from..).and_then(|rest| rest.chars().next()).filter(|c| matches!(c, '"' | '\''));
        let (from, rest) = match quote {
            Some(quote) => (from + 1, run_length(text, from + 1, |c| c != quote)),
            // Inside of another secret: already covered.
            None if at < past => continue,
            None => (from, run_length(text, from, is_value_char)),
        };
        past = past.max(from + rest);
        if rest > 0 {
            found.push(from..from + rest);
        }
    }
}

/// Words that look random: keys and tokens without a name or a prefix.
fn random_words(text: &str, found: &mut SecretRanges) {
    for (start, word) in words(text) {
        if word.len() >= MIN_RANDOM_BYTES && is_random(word) {
            found.push(start..start + word.len());
        }
    }
}

fn is_random(word: &str) -> bool {
    let count = |holds: fn(&u8) -> bool| word.bytes().filter(holds).count();
    let digits = count(u8::is_ascii_digit);
    let (upper, lower) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    match () {
        () if hex => digits > 0 && upper + lower > 0,
        // Names of models and modules have no capitals, names of classes no digits.
        () if upper > 0 && lower > 0 => digits >= 3,
        () => plain && digits >= 6 && upper + lower >= 6,
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn uuids(text: &str, found: &mut SecretRanges) {
    for (start, word) in words(text) {
        let mut lengths = word.split('-').map(str::len);
        let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if hex && word.len() == 36 && [8, 4, 4, 4, 12].iter().all(|length| lengths.next() == Some(*length)) {
            found.push(start..start + word.len());
        }
    }
}

/// Runs of letters, digits, `_` and `-`, with their offsets.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let begin = text.as_ptr() as usize;
    let words = text.split(move |c| !is_of_word(c)).filter(|word| !word.is_empty());
    words.map(move |word| (word.as_ptr() as usize - begin, word))
}

/// The characters of an unquoted value.
fn is_value_char(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '&' | ',' | ';' | '"' | '\'')
}

fn first_char_len(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}
