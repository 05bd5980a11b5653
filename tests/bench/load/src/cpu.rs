//! How much processor this process used.

/// Processor time of this process so far, in clock ticks (1/100 s on Linux).
pub fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // utime and stime, counted from the state field.
    [11, 12].iter().filter_map(|&at| fields.get(at)?.parse::<u64>().ok()).sum()
}

/// The share of one core since `before`.
pub fn share(before: u64, seconds: f64) -> f64 {
    (ticks() - before) as f64 / 100.0 / seconds.max(0.01)
}
