//! What the benches share.

pub mod recording;

/// The arguments behind `--`; `cargo bench` itself adds `--bench`.
pub fn arguments() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect()
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A line of `/proc/self/status`, bytes.
pub fn memory(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes: f64 = status.lines().find(|l| l.starts_with(line))?.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024.0)
}
