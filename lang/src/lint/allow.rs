//! `// tfm: allow(name, L0201) reason`: findings that somebody has looked at. At the end of a line it is about that line,
//! on a line by itself about the next, before the first declaration about the file.

use super::context::Context;
use super::lints::{UNREASONED_ALLOW, UNUSED_ALLOW};
use super::{Level, Lint, Selector, find, finding, severity};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::File;

/// One word of one comment.
struct Allow {
    selector: Result<Selector, String>,
    /// The word.
    place: Span,
    /// The lines it is about, from 1; all where it is about the file.
    lines: Option<usize>,
    used: bool,
}

/// A comment.
struct Comment {
    place: Span,
    words: Vec<Allow>,
    reason: bool,
}

/// Takes away what is allowed, and adds what there is to say about the comments.
pub fn apply(cx: &Context, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut comments: Vec<(FileId, Vec<Comment>)> = cx.files.iter().map(|f| (f.id, comments(cx.sources, f))).collect();
    let mut allowed = |d: &Diagnostic| {
        let place = d.span();
        let Some(lint) = find(d.code) else { return false };
        let first = line_of(cx.sources, place, place.start);
        let mut hit = false;
        let own = comments.iter_mut().filter(|(f, _)| *f == place.file).flat_map(|(_, c)| c);
        for word in own.flat_map(|c| &mut c.words) {
            let here = word.lines.is_none_or(|n| n == first);
            if here && word.selector.as_ref().is_ok_and(|s| s.matches(lint)) {
                word.used = true;
                hit = true;
            }
        }
        hit
    };
    let mut out: Vec<Diagnostic> = found.into_iter().filter(|d| !allowed(d)).collect();
    for comment in comments.iter().flat_map(|(_, c)| c) {
        for word in comment.words.iter().filter(|w| !w.used) {
            report(cx, &mut out, &UNUSED_ALLOW, unused(cx, comment, word));
        }
        if !comment.reason {
            let d = finding(comment.place, "this does not say why it is allowed")
                .help("write the reason behind the bracket: `// tfm: allow(log_of_zero) the counts are above 0`");
            report(cx, &mut out, &UNREASONED_ALLOW, d);
        }
    }
    out
}

fn report(cx: &Context, out: &mut Vec<Diagnostic>, lint: &Lint, mut d: Diagnostic) {
    let level = cx.settings.level(lint);
    if level != Level::Allow {
        d.code = lint.code;
        d.severity = severity(level);
        out.push(d);
    }
}

fn unused(cx: &Context, comment: &Comment, word: &Allow) -> Diagnostic {
    let text = cx.text(word.place);
    let d = match &word.selector {
        Err(problem) => finding(word.place, problem.clone()),
        Ok(_) => finding(word.place, format!("nothing is found here that `{text}` would allow")),
    };
    if comment.words.len() > 1 {
        return d.help("take it out of the list");
    }
    // A comment by itself goes with its line.
    let all = &cx.sources.get(comment.place.file).text;
    let (start, end) = (comment.place.start as usize, comment.place.end as usize);
    let line = all[..start].rfind('\n').map_or(0, |i| i + 1);
    let alone = all[line..start].trim().is_empty();
    let before = all[..start].trim_end_matches([' ', '\t']).len();
    let (from, to) = match (alone, all[end..].find('\n')) {
        (true, Some(next)) => (line, end + next + 1),
        _ => (before, end),
    };
    let place = Span { start: from as u32, end: to as u32, ..comment.place };
    d.help("take the comment out").safe_fix("take the comment out", place, "")
}

fn line_of(sources: &Sources, place: Span, at: u32) -> usize {
    sources.line_column(Span { start: at, end: at, ..place }).0
}

/// The comments of a file.
fn comments(sources: &Sources, file: &File) -> Vec<Comment> {
    let text = &sources.get(file.id).text;
    let first_item = file.items.first().map_or(text.len(), |i| i.span.start as usize);
    let mut out = Vec::new();
    let mut at = 0;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        let Some(comment) = comment_of(line) else { continue };
        let content = line[comment + 2..].trim_start();
        let Some(rest) = content.strip_prefix("tfm:").map(str::trim_start).and_then(|c| c.strip_prefix("allow("))
        else {
            continue;
        };
        let Some((list, reason)) = rest.split_once(')') else { continue };
        let from = start + line.len() - rest.len();
        let alone = line[..comment].trim().is_empty();
        let lines = match alone {
            // Before the first declaration, and not directly above it.
            true if start < first_item && !text[at..first_item].trim().is_empty() => None,
            true if start < first_item && text[at..first_item].contains("\n\n") => None,
            true if start < first_item && text[at..].starts_with('\n') => None,
            true => Some(next_line(text, at, i + 2)),
            false => Some(i + 1),
        };
        let end = start + line.trim_end().len();
        let place = |a: usize, b: usize| Span { file: file.id, start: a as u32, end: b as u32 };
        let mut words = Vec::new();
        let mut offset = from;
        for word in list.split(',') {
            let trimmed = word.trim();
            let begin = offset + (word.len() - word.trim_start().len());
            let place = place(begin, begin + trimmed.len());
            words.push(Allow { selector: Selector::parse(trimmed), place, lines, used: false });
            offset += word.len() + 1;
        }
        let reason = reason.chars().any(char::is_alphanumeric);
        out.push(Comment { place: place(start + comment, end), words, reason });
    }
    out
}

/// Where the comment of a line begins, outside texts in quotes.
fn comment_of(line: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    let bytes = line.as_bytes();
    for (i, c) in bytes.iter().enumerate() {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'/' if !quoted && bytes.get(i + 1) == Some(&b'/') => return Some(i),
            _ => {}
        }
    }
    None
}

/// The next line that is neither blank nor a comment, for several comments above one line.
fn next_line(text: &str, at: usize, number: usize) -> usize {
    let skipped = text[at..].lines().take_while(|l| l.trim().is_empty() || l.trim_start().starts_with("//")).count();
    number + skipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, Option<usize>, bool)> {
        let mut sources = Sources::default();
        let id = sources.add("a.tfm", text, false);
        let (file, _) = crate::syntax::parse(&sources, id);
        comments(&sources, &file).iter().map(|c| (c.words.len(), c.words[0].lines, c.reason)).collect()
    }

    #[test]
    fn what_a_comment_is_about() {
        assert_eq!(lines("const a = 1 // tfm: allow(L0602) why not\n"), [(1, Some(1), true)]);
        assert_eq!(lines("dim T = 3\n// tfm: allow(L0602, style)\n// more\n\nconst a = 1\n"), [(2, Some(5), false)]);
        assert_eq!(lines("// tfm: allow(style) a sketch\n\nconst a = 1\n"), [(1, None, true)]);
        assert_eq!(lines("// tfm: allow(style) a sketch\nconst a = 1\n"), [(1, Some(2), true)]);
        assert_eq!(lines("const a = \"// tfm: allow(style)\"\n"), []);
        assert_eq!(lines("// tfm: allow style\nconst a = 1 // tfm: allow(\n"), []);
    }
}
