//! The key-value store: short texts by key that must outlive the process.

/// Opaque texts by key.
pub trait KeyValueStore: std::fmt::Debug + Send + Sync {
    /// Whether the values of earlier processes are loaded; false until the file could be opened.
    fn is_open(&self) -> bool;

    /// The latest value of a key.
    fn get(&self, name: &str) -> Option<String>;

    /// Replaces the value of a key; written with the next group commit.
    fn set(&self, name: &'static str, text: String);
}
