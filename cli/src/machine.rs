//! What this machine has, as far as its system says.

use std::fs;

/// Free memory in bytes, what can be taken back from caches among it; only Linux says.
pub fn free_memory() -> Option<u64> {
    meminfo("MemAvailable:")
}

/// All memory in bytes.
pub fn memory() -> Option<u64> {
    meminfo("MemTotal:")
}

fn meminfo(line: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let found = text.lines().find_map(|l| l.strip_prefix(line))?;
    Some(found.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The processor's name.
pub fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
