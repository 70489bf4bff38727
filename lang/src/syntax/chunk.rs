//! Cuts a file into statements in one linear pass, so that a mistake in one leaves the others alone.
//!
//! The pass knows comments, strings, patterns, brackets, where a statement goes on in the next line, and
//! which words begin a declaration at the first column or a statement. What stands between braces is
//! taken out of the statement around it and cut into statements of its own, however deep: the text of
//! `if c { a } else { b }` is `if c {} else {}` with two blocks. So each byte is parsed once, a wrong
//! statement inside a `fold` is one error at its place, and the text handed to pest is never nested
//! deeper than its own brackets.

use super::scan::{self, Edge};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// How deep brackets of all kinds may stand in each other.
pub(super) const MAX_NESTING: usize = 200;

/// A run of a chunk's text that stands together in the file.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Where it begins in the chunk's text.
    text: u32,
    /// Where it begins in the file.
    source: u32,
    /// False for a brace that is missing in the file and was put in.
    real: bool,
}

/// From places in a chunk's text to places in the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    pieces: Vec<Piece>,
}

impl Map {
    fn piece(&self, at: u32) -> Option<&Piece> {
        let after = self.pieces.partition_point(|p| p.text <= at);
        self.pieces.get(after.checked_sub(1)?)
    }

    /// The place in the file of a byte of the text.
    pub(super) fn start(&self, at: usize) -> u32 {
        let at = at as u32;
        self.piece(at).map_or(0, |p| if p.real { p.source + (at - p.text) } else { p.source })
    }

    /// The place in the file one past the byte before `at`.
    pub(super) fn end(&self, at: usize) -> u32 {
        let Some(before) = (at as u32).checked_sub(1) else { return self.start(at) };
        self.piece(before).map_or(0, |p| if p.real { p.source + (before - p.text) + 1 } else { p.source })
    }
}

/// What stood between two braces.
#[derive(Clone, Debug)]
pub(super) struct Braces {
    /// Where `{` is in the file.
    pub(super) open: u32,
    /// The statements.
    pub(super) chunks: Vec<Chunk>,
}

/// A statement or a declaration, its blocks taken out.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    /// The text for pest.
    pub(super) text: String,
    /// Where that text is in the file.
    pub(super) map: Map,
    /// First byte in the file.
    pub(super) start: u32,
    /// One past the last.
    pub(super) end: u32,
    /// The blocks, in the order of the text.
    pub(super) blocks: Vec<Braces>,
    /// The lines of the doc comment above it, without slashes.
    pub(super) docs: Vec<String>,
    /// True when an error about it was already given: it is not parsed.
    pub(super) broken: bool,
    /// True when its blocks shall be left alone as well.
    pub(super) silent: bool,
}

/// The file as chunks.
pub(super) struct Cut {
    /// Declarations, and whatever else stands at the top.
    pub(super) chunks: Vec<Chunk>,
    /// Every `}` that closes nothing.
    pub(super) stray: Vec<u32>,
    /// What is wrong with strings and brackets.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A list of statements that is still open: the file, or a block.
#[derive(Default)]
struct Level {
    /// Where its `{` is; not used for the file.
    open: u32,
    /// Indentation of the line of its `{`.
    indent: u32,
    done: Vec<Chunk>,
    current: Option<Chunk>,
    /// Where in the file the text not yet copied into `current` begins.
    copied: u32,
    /// Brackets open in `current`.
    brackets: Vec<(u8, u32)>,
    /// True when the last token asks for more: an operator, `=`, a comma.
    wants_more: bool,
    docs: Vec<String>,
}

struct Cutter<'a> {
    file: FileId,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line_start: usize,
    /// True until the first token of a line.
    fresh_line: bool,
    levels: Vec<Level>,
    /// Brackets of all kinds that are open.
    depth: usize,
    /// A `{` whose `}` stands further left than its line: the one that was likely forgotten.
    suspect: Option<u32>,
    stray: Vec<u32>,
    diagnostics: Vec<Diagnostic>,
}

/// Cuts a file.
pub(super) fn cut(file: FileId, text: &str) -> Cut {
    let mut cutter = Cutter {
        file,
        text,
        bytes: text.as_bytes(),
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        line_start: 0,
        fresh_line: true,
        levels: vec![Level::default()],
        depth: 0,
        suspect: None,
        stray: Vec::new(),
        diagnostics: Vec::new(),
    };
    cutter.run();
    let chunks = cutter.levels.pop().map(|level| level.done).unwrap_or_default();
    Cut { chunks, stray: cutter.stray, diagnostics: cutter.diagnostics }
}

impl Cutter<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line_start = self.at;
                    self.fresh_line = true;
                }
                b'/' if self.bytes.get(self.at + 1) == Some(&b'/') => self.comment(),
                _ => {
                    if self.fresh_line {
                        self.open_line();
                        self.fresh_line = false;
                    }
                    self.token(byte);
                }
            }
        }
        self.close_all(None);
        self.finish_chunk();
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the file's own level is never closed")
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    fn comment(&mut self) {
        let end = scan::line_end(self.bytes, self.at);
        let line = &self.text[self.at..end];
        if self.fresh_line && line.starts_with("///") && !line.starts_with("////") {
            let words = line[3..].strip_prefix(' ').unwrap_or(&line[3..]).trim_end();
            self.level().docs.push(words.to_string());
        }
        self.at = end;
    }

    /// Decides, at the first token of a line, whether the statement before goes on.
    fn open_line(&mut self) {
        let (at, bytes) = (self.at, self.bytes);
        let inside = self.levels.len() > 1 || !self.level().brackets.is_empty();
        if inside && at == self.line_start && scan::begins_item(bytes, at) {
            self.close_all(Some(at));
            return self.finish_chunk();
        }
        let top = self.levels.len() == 1;
        let level = self.level();
        if level.current.is_none() {
            return;
        }
        if level.brackets.is_empty() {
            let goes_on = if level.wants_more {
                !(scan::begins_statement(bytes, at) || top && scan::begins_item(bytes, at))
            } else {
                scan::continues(bytes, at, top)
            };
            if !goes_on {
                self.finish_chunk();
            }
        } else if scan::begins_statement(bytes, at) {
            self.unclosed_bracket(Some(at));
            self.finish_chunk();
        }
    }

    fn token(&mut self, byte: u8) {
        let start = self.at;
        match byte {
            b'}' => return self.close_brace(),
            b';' if self.level().brackets.is_empty() => {
                self.finish_chunk();
                self.at += 1;
                return;
            }
            _ => {}
        }
        self.begin_chunk();
        let mut wants_more = false;
        match byte {
            b'"' | b'`' => self.quoted(byte),
            b'(' | b'[' => {
                self.enter(start);
                self.level().brackets.push((byte, start as u32));
                self.at += 1;
            }
            b')' | b']' => self.close_bracket(byte),
            b'{' => return self.open_brace(),
            _ if scan::is_word(byte) => {
                self.at = scan::word_end(self.bytes, start);
                wants_more = matches!(&self.bytes[start..self.at], b"and" | b"or");
            }
            _ => {
                let edge = scan::operator(self.bytes, start);
                wants_more = matches!(edge, Edge::WantsMore(_));
                self.at += match edge {
                    Edge::WantsMore(length) | Edge::Plain(length) => length,
                    Edge::Other => self.text[start..].chars().next().map_or(1, char::len_utf8),
                };
            }
        }
        let end = self.at as u32;
        let level = self.level();
        level.wants_more = wants_more;
        if let Some(chunk) = &mut level.current {
            chunk.end = end;
        }
    }

    fn quoted(&mut self, quote: u8) {
        let start = self.at;
        match scan::quoted_end(self.bytes, start) {
            Ok(end) => self.at = end,
            Err(end) => {
                self.at = end;
                let what = if quote == b'"' { "text" } else { "pattern" };
                let mark = char::from(quote);
                self.diagnostics.push(
                    Diagnostic::error("E0104", self.span(start, end), format!("this {what} is never closed"))
                        .says(format!("begins here, and the line ends without a second {mark}"))
                        .help(format!("put {mark} where the {what} ends; a {what} stands on one line")),
                );
                self.mark_broken(false);
                // What the text hid were likely the brackets' other halves.
                let line = self.line_start as u32;
                while self.level().brackets.last().is_some_and(|(_, at)| *at >= line) {
                    self.level().brackets.pop();
                    self.depth -= 1;
                }
            }
        }
    }

    fn begin_chunk(&mut self) {
        let at = self.at as u32;
        let level = self.level();
        if level.current.is_none() {
            let docs = std::mem::take(&mut level.docs);
            level.current = Some(Chunk { start: at, end: at, docs, ..Chunk::default() });
            level.copied = at;
        }
        level.docs.clear();
    }

    /// Copies the text up to `to` into the chunk.
    fn copy(&mut self, to: u32) {
        let text = self.text;
        let level = self.level();
        let from = level.copied;
        level.copied = to;
        if let Some(chunk) = &mut level.current
            && from < to
        {
            chunk.map.pieces.push(Piece { text: chunk.text.len() as u32, source: from, real: true });
            chunk.text.push_str(&text[from as usize..to as usize]);
        }
    }

    fn finish_chunk(&mut self) {
        let level = self.level();
        let Some(end) = level.current.as_ref().map(|chunk| chunk.end) else { return };
        self.copy(end);
        let top = self.levels.len() == 1;
        let level = self.level();
        level.wants_more = false;
        let open = std::mem::take(&mut level.brackets).len();
        level.done.extend(level.current.take());
        self.depth -= open;
        if top {
            self.suspect = None;
        }
    }

    fn mark_broken(&mut self, silent: bool) {
        if let Some(chunk) = &mut self.level().current {
            chunk.broken = true;
            chunk.silent |= silent;
        }
    }

    /// Counts a bracket that opens; too many are one error for everything around them.
    fn enter(&mut self, at: usize) {
        self.depth += 1;
        if self.depth == MAX_NESTING + 1 && !self.level().current.as_ref().is_some_and(|chunk| chunk.silent) {
            let outer = self.levels.iter_mut().filter_map(|level| level.current.as_mut());
            let known = outer.fold(false, |known, chunk| {
                let before = chunk.silent;
                (chunk.broken, chunk.silent) = (true, true);
                known || before
            });
            if !known {
                let what = format!("brackets stand more than {MAX_NESTING} deep in each other here");
                self.diagnostics.push(
                    Diagnostic::error("E0110", self.span(at, at + 1), what)
                        .help("give the inner parts names, with `let` or a function"),
                );
            }
        }
    }

    /// A bracket of the wrong kind means that the one inside was forgotten, where a fitting one is open
    /// further out; else it closes all the same, and pest shows it.
    fn close_bracket(&mut self, byte: u8) {
        let opening = if byte == b')' { b'(' } else { b'[' };
        let brackets = &mut self.level().brackets;
        let near = brackets.iter().rev().take(MAX_NESTING).position(|(bracket, _)| *bracket == opening);
        let fitting = near.map(|inside| brackets.len() - 1 - inside);
        let keep = fitting.unwrap_or(brackets.len().saturating_sub(1));
        let closed = brackets.len() - keep.min(brackets.len());
        let inner = brackets.last().copied().filter(|_| fitting.is_some() && closed > 1);
        brackets.truncate(keep);
        self.depth -= closed;
        if let Some((bracket, open)) = inner {
            let known = self.level().current.as_ref().is_some_and(|chunk| chunk.broken);
            self.mark_broken(false);
            if !known {
                self.unclosed(char::from(bracket), open as usize, Some(self.at));
            }
        }
        self.at += 1;
    }

    fn open_brace(&mut self) {
        let at = self.at;
        self.enter(at);
        self.at += 1;
        let end = self.at as u32;
        let whole = at > 0 && self.bytes[at - 1] == b'.' || self.depth > MAX_NESTING;
        let level = self.level();
        level.wants_more = false;
        if let Some(chunk) = &mut level.current {
            chunk.end = end;
        }
        if whole {
            level.brackets.push((b'{', at as u32));
            return;
        }
        self.copy(end);
        let indent = scan::indentation(self.bytes, self.line_start);
        self.levels.push(Level { open: at as u32, indent, ..Level::default() });
    }

    fn close_brace(&mut self) {
        let at = self.at;
        self.at += 1;
        let level = self.level();
        if level.brackets.last().is_some_and(|(bracket, _)| *bracket == b'{') {
            level.brackets.pop();
            level.wants_more = false;
            if let Some(chunk) = &mut level.current {
                chunk.end = at as u32 + 1;
            }
            self.depth -= 1;
            return;
        }
        if !level.brackets.is_empty() {
            self.unclosed_bracket(Some(at));
        }
        self.finish_chunk();
        if self.levels.len() == 1 {
            self.stray.push(at as u32);
            return;
        }
        let level = self.level();
        let (open, indent) = (level.open, level.indent);
        if scan::indentation(self.bytes, self.line_start) as usize == at - self.line_start
            && ((at - self.line_start) as u32) < indent
        {
            self.suspect.get_or_insert(open);
        }
        self.close_level(at as u32, true);
    }

    /// Puts the block that ends at `at` into the statement around it.
    fn close_level(&mut self, at: u32, real: bool) {
        let Some(Level { open, done, .. }) = self.levels.pop() else { return };
        self.depth -= 1;
        let level = self.level();
        level.copied = at;
        level.wants_more = false;
        if let Some(chunk) = &mut level.current {
            chunk.blocks.push(Braces { open, chunks: done });
            if real {
                chunk.end = at + 1;
            } else {
                chunk.map.pieces.push(Piece { text: chunk.text.len() as u32, source: at, real: false });
                chunk.text.push('}');
                chunk.end = at;
                // A block without a head: its brace was complained about already.
                chunk.broken |= chunk.start == open;
            }
        }
    }

    /// Says that the innermost bracket of the statement is open; `before` is where that showed.
    fn unclosed_bracket(&mut self, before: Option<usize>) {
        let level = self.level();
        let silent = level.current.as_ref().is_some_and(|chunk| chunk.broken);
        let Some(&(bracket, open)) = level.brackets.last() else { return };
        self.depth -= std::mem::take(&mut self.level().brackets).len();
        self.mark_broken(false);
        if !silent {
            self.unclosed(char::from(bracket), open as usize, before);
        }
    }

    fn unclosed(&mut self, bracket: char, open: usize, before: Option<usize>) {
        let closing = match bracket {
            '(' => ')',
            '[' => ']',
            _ => '}',
        };
        let (place, words) = match before {
            Some(at) => {
                let end = scan::token_end(self.text, at);
                let word = &self.text[at..end];
                (self.span(at, end), format!("`{word}` comes before any `{closing}`"))
            }
            None => (self.span(self.text.len(), self.text.len()), "the file ends here".to_string()),
        };
        self.diagnostics.push(
            Diagnostic::error("E0102", self.span(open, open + 1), format!("this `{bracket}` is never closed"))
                .says("opened here")
                .label(place, words)
                .help(format!("write `{closing}` where it ends")),
        );
    }

    /// Closes every block and bracket, because a declaration begins at `before`, or the file ends. One
    /// error: at the `{` whose `}` seems to be another's, else at the innermost.
    fn close_all(&mut self, before: Option<usize>) {
        let mut said = self.levels.iter().any(|level| level.current.as_ref().is_some_and(|chunk| chunk.silent));
        loop {
            if !self.level().brackets.is_empty() {
                if said {
                    self.mark_broken(false);
                }
                self.unclosed_bracket(before);
                said = true;
            }
            if self.levels.len() == 1 {
                return;
            }
            self.finish_chunk();
            let open = self.level().open;
            if !said {
                let open = self.suspect.unwrap_or(open) as usize;
                self.unclosed('{', open, before);
                said = true;
            }
            // The block ends with its last statement, so that no span reaches into what follows.
            let end = self.level().done.last().map_or(open + 1, |chunk| chunk.end);
            self.close_level(end, false);
        }
    }
}
