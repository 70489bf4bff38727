//! JUnit's XML: a suite for each file, a failed case for each finding.

use super::Finding;
use std::fmt::Write as _;

/// The report.
pub fn render(findings: &[Finding]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let n = findings.len();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<testsuites name=\"tfm lint\" tests=\"{}\" failures=\"{n}\" errors=\"0\">", n.max(1));
    if findings.is_empty() {
        out += "  <testsuite name=\"tfm lint\" tests=\"1\" failures=\"0\" errors=\"0\">\n    <testcase name=\"no findings\" classname=\"tfm\"/>\n  </testsuite>\n";
    }
    for suite in findings.chunk_by(|a, b| a.place.path == b.place.path) {
        let (file, n) = (escape(&suite[0].place.path), suite.len());
        let _ = writeln!(out, "  <testsuite name=\"{file}\" tests=\"{n}\" failures=\"{n}\" errors=\"0\">");
        for f in suite {
            let (p, d) = (&f.place, &f.diagnostic);
            let name = escape(&format!("{} at {}:{}", f.title(), p.line, p.column));
            let _ = writeln!(
                out,
                "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{}\">",
                p.line
            );
            let _ = writeln!(
                out,
                "      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
                f.severity(),
                escape(&d.message),
                escape(&format!("{}:{}:{}: {}", p.path, p.line, p.column, f.text()))
            );
        }
        out += "  </testsuite>\n";
    }
    out + "</testsuites>\n"
}

/// What XML would read as its own, and what it cannot hold at all.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&apos;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
