//! One JSON object per line.

use super::{Finding, Place};
use serde_json::{Value, json};

/// A line for each finding.
pub fn render(findings: &[Finding]) -> String {
    findings.iter().map(|f| one(f).to_string() + "\n").collect()
}

fn place(p: &Place) -> Value {
    json!({
        "file": p.path, "line": p.line, "column": p.column, "end_line": p.end_line, "end_column": p.end_column,
        "start": p.span.start, "end": p.span.end,
    })
}

fn one(f: &Finding) -> Value {
    let d = &f.diagnostic;
    let related: Vec<Value> = f.related.iter().map(|(p, text)| json!({ "place": place(p), "text": text })).collect();
    let fixes = d.fixes.iter().zip(&f.edits);
    let fixes: Vec<Value> = fixes
        .map(|(fix, p)| json!({ "title": fix.title, "place": place(p), "replacement": fix.replacement, "safe": fix.safe }))
        .collect();
    json!({
        "code": d.code, "name": f.name(), "severity": f.severity(), "message": d.message, "place": place(&f.place),
        "label": d.labels[0].text, "related": related, "notes": d.notes, "help": d.help, "fixes": fixes,
        "fingerprint": f.fingerprint,
    })
}
