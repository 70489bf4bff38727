//! SARIF 2.1.0 as GitHub's code scanning reads it: rules with their pages, places relative to the root of the repository,
//! fingerprints that stay when lines move, fixes.

use super::{Finding, Place};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tfm_lang::diagnostic::codes;
use tfm_lang::lint;

/// The report.
pub fn render(findings: &[Finding]) -> String {
    let used: BTreeSet<&str> = findings.iter().map(|f| f.diagnostic.code).collect();
    let ids: Vec<&str> = used.into_iter().collect();
    let rules: Vec<Value> = ids.iter().map(|id| rule(id)).collect();
    let results: Vec<Value> = findings.iter().map(|f| result(f, &ids)).collect();
    let report = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tfm lint",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "SRCROOT": { "description": { "text": "the root of the repository" } } },
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

fn rule(id: &str) -> Value {
    if let Some(l) = lint::find(id) {
        return json!({
            "id": l.code, "name": l.name,
            "shortDescription": { "text": l.title },
            "fullDescription": { "text": l.why },
            "help": { "text": lint::explain(l) },
            "defaultConfiguration": { "level": if l.level == lint::Level::Deny { "error" } else { "warning" } },
            "properties": { "tags": [l.group.name()] },
        });
    }
    let (title, why) = codes::explain(id).map_or(("an error", "An error."), |c| (c.title, c.explanation));
    json!({
        "id": id, "shortDescription": { "text": title }, "fullDescription": { "text": why },
        "help": { "text": why }, "defaultConfiguration": { "level": "error" },
    })
}

fn result(f: &Finding, ids: &[&str]) -> Value {
    let d = &f.diagnostic;
    let fixes = d.fixes.iter().zip(&f.edits).map(|(fix, p)| {
        json!({
            "description": { "text": fix.title },
            "artifactChanges": [{
                "artifactLocation": artifact(p),
                "replacements": [{ "deletedRegion": region(p), "insertedContent": { "text": fix.replacement } }],
            }],
        })
    });
    let fixes: Vec<Value> = fixes.collect();
    let related = f.related.iter().filter(|(p, _)| !p.path.starts_with("std/"));
    let related: Vec<Value> = related
        .enumerate()
        .map(|(i, (p, text))| {
            let said = if text.is_empty() { "here" } else { text };
            json!({ "id": i + 1, "message": { "text": said }, "physicalLocation": physical(p) })
        })
        .collect();
    let mut out = json!({
        "ruleId": d.code,
        "ruleIndex": ids.iter().position(|id| *id == d.code).unwrap_or(0),
        "level": f.severity(),
        "message": { "text": f.text() },
        "locations": [{ "physicalLocation": physical(&f.place) }],
        "partialFingerprints": { "tfmLint/v1": f.fingerprint },
    });
    if !related.is_empty() {
        out["relatedLocations"] = related.into();
    }
    if !fixes.is_empty() {
        out["fixes"] = fixes.into();
    }
    out
}

fn physical(p: &Place) -> Value {
    json!({ "artifactLocation": artifact(p), "region": region(p) })
}

fn artifact(p: &Place) -> Value {
    json!({ "uri": uri(&p.path), "uriBaseId": "SRCROOT" })
}

fn region(p: &Place) -> Value {
    json!({ "startLine": p.line, "startColumn": p.column, "endLine": p.end_line, "endColumn": p.end_column })
}

/// A path as a relative URI reference: what is not plain is escaped.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for b in path.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(b as char),
            _ => out += &format!("%{b:02X}"),
        }
    }
    out
}
