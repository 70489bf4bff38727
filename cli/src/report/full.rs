//! With the lines of the source, for people.

use super::Finding;
use tfm_lang::diagnostic::render;

/// Each finding as the checker shows an error.
pub fn render(findings: &[Finding], color: bool) -> String {
    let all = findings.iter().map(|f| render::render(&f.sources, std::slice::from_ref(&f.diagnostic), color));
    all.collect::<Vec<_>>().join("\n")
}
