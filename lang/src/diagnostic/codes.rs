//! Every code that a diagnostic can have, with its long form: what `tfm explain E0301` prints.
//!
//! One file for each group; a code is one entry in its file's `CODES`.

mod loops;
mod names;
mod shapes;
mod syntax;
mod testing;
mod training;
mod types;
mod values;

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `E0301`
    pub code: &'static str,
    /// A few words, lower case.
    pub title: &'static str,
    /// Why it is an error and what to do, in whole sentences.
    pub explanation: &'static str,
    /// A short file that has the error.
    pub example: &'static str,
}

/// The groups, by the first two digits.
const GROUPS: [&[Code]; 8] = [
    syntax::CODES,
    names::CODES,
    shapes::CODES,
    types::CODES,
    values::CODES,
    training::CODES,
    testing::CODES,
    loops::CODES,
];

/// Every code, in rising order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    GROUPS.into_iter().flatten()
}

/// The entry of a code, written in capitals or not.
pub fn explain(code: &str) -> Option<&'static Code> {
    all().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn codes_rise_and_are_explained() {
        let codes: Vec<&str> = all().map(|entry| entry.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        for (group, entries) in (1..).zip(GROUPS) {
            for entry in entries {
                assert!(entry.code.starts_with(&format!("E0{group}")), "{}", entry.code);
                assert!(!entry.title.is_empty() && entry.explanation.len() > 40, "{}", entry.code);
                assert!(!entry.title.ends_with('.') && entry.explanation.ends_with('.'), "{}", entry.code);
                assert!(!entry.example.is_empty(), "{}", entry.code);
            }
        }
        assert_eq!(explain("e0101").map(|entry| entry.code), Some("E0101"));
        assert_eq!(explain("E9999"), None);
    }

    #[test]
    fn each_syntax_example_has_its_error_and_no_other() {
        for entry in syntax::CODES {
            let mut sources = Sources::default();
            let id = sources.add("example.tfm", entry.example, false);
            let (_, diagnostics) = crate::syntax::parse(&sources, id);
            let got: Vec<&str> = diagnostics.iter().map(|d| d.code).collect();
            assert_eq!(got, [entry.code], "{}", entry.example);
        }
    }
}
