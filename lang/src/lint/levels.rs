//! Groups of lints, and what is to be done about each: levels, as settings and the command line give them.

use super::{ALL, Lint};
use crate::check::near;

/// What kind of hazard a lint is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Group {
    /// What is computed is not what is meant.
    Correctness,
    /// Most likely a mistake.
    Suspicious,
    /// Time or memory that buys nothing.
    Performance,
    /// Clearer to read otherwise.
    Style,
    /// Worth a look, and often right as it is: off unless asked for.
    Pedantic,
    /// How data is declared and used.
    Data,
}

impl Group {
    /// All groups with their names and what they are about.
    pub const ALL: [(Group, &'static str, &'static str); 6] = [
        (Group::Correctness, "correctness", "what is computed is not what is meant"),
        (Group::Suspicious, "suspicious", "most likely a mistake"),
        (Group::Performance, "performance", "time or memory that buys nothing"),
        (Group::Style, "style", "clearer to read otherwise"),
        (Group::Pedantic, "pedantic", "worth a look, and often right as it is: off unless asked for"),
        (Group::Data, "data", "how data is declared and used"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Group::ALL.iter().find(|(g, ..)| *g == self).map_or("", |(_, name, _)| name)
    }
}

/// What is done about a finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Nothing: the lint does not run.
    Allow,
    /// A warning.
    Warn,
    /// An error.
    Deny,
}

impl Level {
    /// All levels with their names.
    pub const ALL: [(Level, &'static str); 3] = [(Level::Allow, "allow"), (Level::Warn, "warn"), (Level::Deny, "deny")];

    /// Its name.
    pub fn name(self) -> &'static str {
        Level::ALL.iter().find(|(l, _)| *l == self).map_or("", |(_, name)| name)
    }

    /// The level with this name.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.iter().find(|(_, n)| *n == name).map(|(l, _)| *l)
    }
}

/// Which lints are meant: all, a group, a lint by its name or code, or the codes that begin so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// Every lint.
    All,
    /// Those of a group.
    Group(Group),
    /// One, by its code.
    One(&'static str),
    /// Those whose codes begin so, `L02`.
    Prefix(String),
}

impl Selector {
    /// Reads `all`, `suspicious`, `log_of_zero`, `L0201`, `L02`.
    ///
    /// # Errors
    /// That there is no such lint, and which one may be meant.
    pub fn parse(word: &str) -> Result<Selector, String> {
        if word == "all" {
            return Ok(Selector::All);
        }
        if let Some((group, ..)) = Group::ALL.iter().find(|(_, name, _)| *name == word) {
            return Ok(Selector::Group(*group));
        }
        if let Some(lint) = super::find(word) {
            return Ok(Selector::One(lint.code));
        }
        let prefix = word.to_uppercase();
        if prefix.len() > 1 && ALL.iter().any(|l| l.code.starts_with(&prefix)) {
            return Ok(Selector::Prefix(prefix));
        }
        let groups = Group::ALL.iter().map(|(_, name, _)| *name);
        let known = ALL.iter().map(|l| l.name).chain(groups).chain(ALL.iter().map(|l| l.code));
        let near = near(word, known).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Err(format!("there is no lint or group `{word}`{near}"))
    }

    /// Whether it means this lint.
    pub fn matches(&self, lint: &Lint) -> bool {
        match self {
            Selector::All => true,
            Selector::Group(group) => lint.group == *group,
            Selector::One(code) => lint.code == *code,
            Selector::Prefix(prefix) => lint.code.starts_with(prefix),
        }
    }
}

/// What a run of the lints is told.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// Levels in place of those of the declarations; later ones win.
    pub levels: Vec<(Selector, Level)>,
    /// Bytes of the device, where the file's `memory:` does not say less.
    pub memory: Option<u64>,
}

impl Settings {
    /// What is to be done about a lint.
    pub fn level(&self, lint: &Lint) -> Level {
        let said = self.levels.iter().rev().find(|(s, _)| s.matches(lint)).map(|(_, level)| *level);
        said.unwrap_or(lint.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_words_win_and_wrong_ones_are_told() {
        let said = |words: &[(&str, Level)]| Settings {
            levels: words.iter().map(|(w, l)| (Selector::parse(w).expect(w), *l)).collect(),
            memory: None,
        };
        let lint = super::super::find("unused_import").expect("it is there");
        assert_eq!(Settings::default().level(lint), Level::Warn);
        assert_eq!(said(&[("all", Level::Allow)]).level(lint), Level::Allow);
        assert_eq!(said(&[("all", Level::Allow), ("style", Level::Deny)]).level(lint), Level::Deny);
        assert_eq!(said(&[("L06", Level::Deny), (lint.code, Level::Allow)]).level(lint), Level::Allow);
        assert_eq!(said(&[("data", Level::Deny)]).level(lint), Level::Warn);
        let wrong = Selector::parse("unused_imports").expect_err("there is none");
        assert_eq!(wrong, "there is no lint or group `unused_imports`; did you mean `unused_import`?");
        assert!(Selector::parse("L").is_err() && Selector::parse("").is_err());
    }
}
