//! A line each: `file:line:column: warning[L0201] log_of_zero: message`.

use super::Finding;

/// A line for each finding.
pub fn render(findings: &[Finding]) -> String {
    let one = |f: &Finding| {
        let (p, d) = (&f.place, &f.diagnostic);
        let name = if f.name() == d.code { String::new() } else { format!(" {}", f.name()) };
        let message = d.message.replace('\n', " ");
        format!("{}:{}:{}: {}[{}]{name}: {message}\n", p.path, p.line, p.column, f.severity(), d.code)
    };
    findings.iter().map(one).collect()
}
