//! A key-value seam: short texts that must outlive the process, each under its name.

/// Texts by name; what they say is for others to know.
pub trait KeyValueStore: std::fmt::Debug + Send + Sync {
    /// Whether what was noted before this process is known; not so while the file could not be opened yet.
    fn is_open(&self) -> bool;

    /// The latest text of that name.
    fn get(&self, name: &str) -> Option<String>;

    /// Replaces the text of that name; written soon.
    fn set(&self, name: &'static str, text: String);
}
