//! Lints: hazards of numbers, models, training and data that types and shapes do not show.
//!
//! A lint is one file in `lints/` with everything that is to be known of it: code, name, group, level, why, examples,
//! its check. `tfm explain`, `docs/lints.md`, the settings and the tests come from that declaration. A check sees a
//! `Context`: the tree of the user's files, the checked model, what was applied to what, and for each value of each
//! body a `Fact`, its range among others. No I/O, and nothing here changes what a program does.
//!
//! `allow.rs` reads `// tfm: allow(name) reason`, `levels.rs` what groups, names and settings say, `page.rs` writes the
//! pages.

mod allow;
mod averages;
mod context;
mod data;
mod edits;
mod facts;
mod levels;
mod lints;
mod losses;
mod names;
mod page;
mod pass;
mod transfer;

pub use levels::{Group, Level, Selector, Settings};
pub use lints::ALL;
pub use page::{explain, reference, whole};

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Sources, Span};
use context::Context;

/// Whether a lint has edits that mend what it finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fixes {
    /// It has none.
    None,
    /// The file means the same afterwards: `--fix` applies them.
    Safe,
    /// What is computed may change: `--unsafe-fixes` applies them.
    Unsafe,
}

/// A lint: its only declaration.
pub struct Lint {
    /// `L0101`: stable, whatever the name becomes.
    pub code: &'static str,
    /// `probabilities_as_logits`
    pub name: &'static str,
    /// What kind of hazard it is.
    pub group: Group,
    /// What is done about it where nobody says otherwise.
    pub level: Level,
    /// A few words, lower case.
    pub title: &'static str,
    /// Why it is a hazard and what to do, in whole sentences.
    pub why: &'static str,
    /// Short files, without their imports, that have it: one at least for each form it is met in.
    pub bad: &'static [&'static str],
    /// Files that have it no more.
    pub good: &'static [&'static str],
    /// Its edits.
    pub fix: Fixes,
    /// Finds it. Code and severity are filled in afterwards.
    check: fn(&Context) -> Vec<Diagnostic>,
}

/// The lint with this code or name.
pub fn find(word: &str) -> Option<&'static Lint> {
    ALL.iter().copied().find(|l| l.code.eq_ignore_ascii_case(word) || l.name == word)
}

/// What the lints find in a checked file and those of the user's that it imports, in the order of the text. The check is
/// to be made with [`Options::trace`](crate::check::Options::trace). A file with errors has no findings but those.
pub fn lint(sources: &Sources, checked: &Checked, settings: &Settings) -> Vec<Diagnostic> {
    let Some(cx) = Context::new(sources, checked, settings) else { return Vec::new() };
    let mut found: Vec<Diagnostic> = Vec::new();
    for lint in ALL.iter().filter(|l| settings.level(l) != Level::Allow) {
        for mut d in (lint.check)(&cx) {
            let place = d.span();
            let own = cx.is_own(place);
            let seen = found.iter().any(|o| o.code == lint.code && o.span() == place);
            if own && !seen {
                d.code = lint.code;
                d.severity = severity(settings.level(lint));
                found.push(d);
            }
        }
    }
    let mut found = allow::apply(&cx, found);
    found.sort_by_key(|d| (d.span().file, d.span().start, d.code));
    found
}

fn severity(level: Level) -> Severity {
    if level == Level::Deny { Severity::Error } else { Severity::Warning }
}

/// A finding, before it has its code.
fn finding(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning("", span, message)
}
