//! Errors of the configuration, collected so that an operator corrects them in one go.

use std::fmt;

/// Everything that is wrong, each as "key: what is wrong". Never shows a value that could be a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Adds one fault of a key.
    pub fn add(&mut self, key: impl fmt::Display, what: impl fmt::Display) {
        self.0.push(format!("{key}: {what}"));
    }

    /// Adds a fault for each value of a section that must not be 0.
    pub(super) fn refuse_zeros<T: Default + PartialEq>(
        &mut self,
        section: &str,
        values: &[(&str, T)],
        what: &str,
    ) {
        for (key, _) in values.iter().filter(|(_, value)| *value == T::default()) {
            self.add(format_args!("{section}.{key}"), what);
        }
    }

    /// Each fault on its own.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn mentions(&self, key: &str) -> bool {
        self.0.iter().any(|fault| fault.starts_with(key))
    }

    pub(super) fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}
