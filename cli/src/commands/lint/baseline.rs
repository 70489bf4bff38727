//! A baseline: findings that are known, by their fingerprints. New ones are shown, and those that are there stay for later.

use crate::report::Finding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

/// The fingerprint decides; the rest is for who reads the file.
#[derive(Serialize, Deserialize)]
struct Known {
    file: String,
    code: String,
    message: String,
    fingerprint: String,
}

/// Writes the findings of a run.
pub fn write(path: &Path, findings: &[Finding]) -> std::io::Result<()> {
    let known = |f: &Finding| Known {
        file: f.place.path.clone(),
        code: f.diagnostic.code.into(),
        message: f.diagnostic.message.clone(),
        fingerprint: f.fingerprint.clone(),
    };
    let baseline = Baseline { version: 1, findings: findings.iter().map(known).collect() };
    std::fs::write(path, serde_json::to_string_pretty(&baseline)? + "\n")
}

/// The fingerprints in a file.
pub fn read(path: &Path) -> std::io::Result<BTreeSet<String>> {
    let baseline: Baseline = serde_json::from_slice(&std::fs::read(path)?)?;
    if baseline.version != 1 {
        return Err(std::io::Error::other(format!("version {} of the baseline is not known here", baseline.version)));
    }
    Ok(baseline.findings.into_iter().map(|k| k.fingerprint).collect())
}
