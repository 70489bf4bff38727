//! Reviewdog's JSON, with suggestions.
//!
//! <https://github.com/reviewdog/reviewdog/tree/master/proto/rdf>. Its columns count bytes.

use super::{Finding, Place};
use serde_json::{Value, json};

/// The report.
pub fn render(findings: &[Finding]) -> String {
    let one = |f: &Finding| {
        let fixes = f.diagnostic.fixes.iter().zip(&f.edits);
        let suggestions: Vec<Value> =
            fixes.map(|(fix, p)| json!({ "range": range(f, p), "text": fix.replacement })).collect();
        json!({
            "message": f.text(),
            "location": { "path": f.place.path, "range": range(f, &f.place) },
            "severity": f.severity().to_uppercase(),
            "code": { "value": f.diagnostic.code },
            "suggestions": suggestions,
        })
    };
    let all: Vec<Value> = findings.iter().map(one).collect();
    let report = json!({ "source": { "name": "tfm lint" }, "diagnostics": all });
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

fn range(f: &Finding, p: &Place) -> Value {
    let text = &f.sources.get(p.span.file).text;
    let column = |at: u32| {
        let at = (at as usize).min(text.len());
        at - text[..at].rfind('\n').map_or(0, |i| i + 1) + 1
    };
    json!({
        "start": { "line": p.line, "column": column(p.span.start) },
        "end": { "line": p.end_line, "column": column(p.span.end) },
    })
}
