//! GitLab's code quality report: a JSON list.
//!
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>

use super::Finding;
use serde_json::{Value, json};
use tfm_lang::diagnostic::Severity;

/// The report.
pub fn render(findings: &[Finding]) -> String {
    let one = |f: &Finding| {
        json!({
            "description": f.text(),
            "check_name": f.diagnostic.code,
            "fingerprint": f.fingerprint,
            "severity": if f.diagnostic.severity == Severity::Error { "major" } else { "minor" },
            "location": {
                "path": f.place.path,
                "lines": { "begin": f.place.line, "end": f.place.end_line },
            },
        })
    };
    let all: Vec<Value> = findings.iter().map(one).collect();
    serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
}
