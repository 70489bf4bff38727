//! Diagnostics as data: what is wrong, where, and what to do. Rendering is in [`render`].

pub mod codes;
pub mod render;

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing; the file runs.
    Warning,
    /// The file does not run.
    Error,
}

/// A place with words about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What about it; may be empty.
    pub text: String,
}

/// An edit that mends the file: replace the span by the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fix {
    /// What the edit does, in words.
    pub title: String,
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub replacement: String,
    /// True where the file means the same afterwards, but for what was wrong: such an edit needs no look.
    pub safe: bool,
}

/// One finding. `labels[0]` is the place that is shown in the header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// A stable code, `E0301`; `tfm explain E0301` has the long form.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// One line in the user's words, lower case first word unless it is a name, no full stop.
    pub message: String,
    /// The places, the most important first. Never empty.
    pub labels: Vec<Label>,
    /// The history of dimensions, and other facts, a line each.
    pub notes: Vec<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// Edits that could be applied by a tool.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// An error with its main place.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { span, text: String::new() }],
            notes: Vec::new(),
            help: None,
            fixes: Vec::new(),
        }
    }

    /// A warning with its main place.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// Sets the words at the main place.
    pub fn says(mut self, text: impl Into<String>) -> Diagnostic {
        self.labels[0].text = text.into();
        self
    }

    /// Adds a place.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a line of facts.
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Says what to write instead.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// Adds an edit that a tool can apply.
    pub fn fix(mut self, title: impl Into<String>, span: Span, replacement: impl Into<String>) -> Diagnostic {
        self.fixes.push(Fix { title: title.into(), span, replacement: replacement.into(), safe: false });
        self
    }

    /// Adds an edit that a tool can apply without asking.
    pub fn safe_fix(mut self, title: impl Into<String>, span: Span, replacement: impl Into<String>) -> Diagnostic {
        self.fixes.push(Fix { title: title.into(), span, replacement: replacement.into(), safe: true });
        self
    }

    /// The main place.
    pub fn span(&self) -> Span {
        self.labels[0].span
    }
}
