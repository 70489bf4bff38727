//! Where a name was likely declared that is not known as it is written, and what an error's place belongs to: the
//! second place of an error.

use super::elab::Elab;
use super::program::Global;
use super::value::{CallableId, Env};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::Param;

impl Elab {
    /// Adds the declaration of `near`, or, where no name is near, of the one name of the file that nothing uses.
    pub fn with_declaration(&self, d: Diagnostic, env: &Env, name: &str, near: Option<&str>) -> Diagnostic {
        let declared = self.declared_names(env);
        if let Some(near) = near {
            return match declared.iter().find(|(n, _)| n == near) {
                Some((_, place)) => d.label(*place, format!("`{near}` is declared here")),
                None => d,
            };
        }
        let upper = |word: &str| word.starts_with(char::is_uppercase);
        let text = &self.program.sources.get(d.span().file).text;
        let unused = |n: &str| words(text).filter(|w| *w == n).count() == 1;
        let mut idle = declared
            .into_iter()
            .filter(|(n, place)| place.file == d.span().file && upper(n) == upper(name) && unused(n));
        match (idle.next(), idle.next()) {
            (Some((n, place)), None) => d.label(place, format!("nothing uses `{n}`: is it meant?")),
            _ => d,
        }
    }

    /// The names that the user's text declares here, with their places.
    fn declared_names(&self, env: &Env) -> Vec<(String, Span)> {
        let mut out: Vec<(String, Span)> = Vec::new();
        let mut add = |name: &str, place: Span| {
            let own = name != "_" && !self.in_library(place) && self.program.sources.text(place) == name;
            if own && !out.iter().any(|(n, _)| n == name) {
                out.push((name.to_string(), place));
            }
        };
        if let Some(id) = self.frames.iter().rev().find_map(|f| f.callable) {
            let callable = &self.program.callable(id).callable;
            let params: Vec<&Param> = callable.statics.iter().flatten().chain(&callable.inputs).collect();
            params.iter().for_each(|p| add(&p.name.text, p.name.span));
        }
        env.names.iter().rev().for_each(|(n, _, place)| add(n, *place));
        if self.frames.iter().all(|f| f.callable.is_none()) {
            let columns = self.program.data.iter().flat_map(|spec| &spec.columns);
            columns.for_each(|c| add(&c.name, c.span));
        }
        let mut own: Vec<_> = self.program.scopes.get(&env.file).into_iter().flatten().collect();
        own.sort_unstable_by_key(|(name, _)| **name);
        for (name, (global, place)) in own {
            let imported = |id: &CallableId| self.program.callable(*id).callable.name.span != *place;
            if !matches!(global, Global::Callable(id) if imported(id)) {
                add(name, *place);
            }
        }
        out
    }

    /// Adds the places that apply the user's declarations in which an error was found: what is right for one
    /// application can be wrong for another.
    pub fn with_applications(&self, mut d: Diagnostic) -> Diagnostic {
        if self.generic {
            return d;
        }
        let line = |place: Span| (place.file, self.program.sources.line_column(place).0);
        let mut known: Vec<_> = d.labels.iter().map(|l| line(l.span)).collect();
        for frame in self.frames.iter().rev() {
            let Some(id) = frame.callable else { continue };
            let declared = self.program.callable(id);
            let at = line(frame.call);
            if self.in_library(declared.callable.head) || self.in_library(frame.call) || known.contains(&at) {
                continue;
            }
            known.push(at);
            d = d.label(frame.call, format!("in this application of `{}`", declared.callable.name.text));
        }
        d
    }

    /// Adds a place of a declaration, where that is the user's.
    pub fn with_declared(&self, d: Diagnostic, place: Span, text: impl Into<String>) -> Diagnostic {
        let known = self.in_library(place) || d.labels.iter().any(|l| l.span == place);
        if known { d } else { d.label(place, text) }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or(line));
    lines.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_')))
}
