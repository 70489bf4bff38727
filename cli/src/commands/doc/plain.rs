//! Pages as text for a terminal.

use tfm_lang::doc::{Module, Page};

/// How to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Names in bold.
    pub bold: bool,
    /// The declaration under its page.
    pub source: bool,
}

/// The widest that a line of a list becomes.
const WIDTH: usize = 110;

fn bold(text: &str, style: Style) -> String {
    if style.bold { format!("\x1b[1m{text}\x1b[0m") } else { text.into() }
}

fn indented(text: &str) -> String {
    text.lines().map(|l| if l.is_empty() { "\n".into() } else { format!("  {l}\n") }).collect()
}

/// One declaration.
pub fn page(page: &Page, style: Style) -> String {
    let place = if page.place.is_empty() { String::new() } else { format!("  {}", page.place) };
    let mut out = format!("{}{place}\n\n{}", bold(&page.path(), style), indented(&page.signature));
    if !page.text.is_empty() {
        out += &format!("\n{}", page.text.lines().map(wrapped).collect::<String>());
    }
    if !page.examples.is_empty() {
        out += &format!("\nExamples:\n{}", indented(&page.examples.join("\n")));
    }
    if style.source && !page.source.is_empty() {
        out += &format!("\nSource:\n\n{}", indented(&page.source));
    }
    out.trim_end().to_string()
}

/// A line in lines of at most [`WIDTH`] letters, broken at spaces.
fn wrapped(line: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in line.split(' ') {
        let n = word.chars().count();
        if length > 0 && length + 1 + n > WIDTH {
            out.push('\n');
            length = 0;
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += n;
    }
    out + "\n"
}

/// A line for each name of a module.
pub fn module(module: &Module, style: Style) -> String {
    let mut out = bold(&module.name, style);
    if !module.text.is_empty() {
        out += &format!("\n{}", module.text);
    }
    let rows = module.pages.iter().map(|p| (p.name.clone(), p.kind, p.summary()));
    out + "\n\n" + &list(rows.collect(), style)
}

/// A line for each module.
pub fn modules(modules: &[Module], style: Style) -> String {
    let rows = modules.iter().map(|m| {
        let names: Vec<&str> = m.pages.iter().map(|p| p.name.as_str()).collect();
        (m.name.clone(), "", names.join(" "))
    });
    let foot = "`tfm doc std.layers` lists a module, `tfm doc Conv2d` shows a page, `tfm doc FILE` your own.";
    format!("{}\n\n{foot}", list(rows.collect(), style))
}

fn list(rows: Vec<(String, &str, String)>, style: Style) -> String {
    let width = |of: &dyn Fn(&(String, &str, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (names, kinds) = (width(&|r| r.0.chars().count()), width(&|r| r.1.chars().count()));
    let line = |(name, kind, text): &(String, &str, String)| {
        let kind = if kinds > 0 { format!("{kind:<kinds$}  ") } else { String::new() };
        let pad = " ".repeat(names - name.chars().count());
        let room = WIDTH.saturating_sub(names + kinds + 4).max(20);
        let short: String = match text.char_indices().nth(room) {
            Some((at, _)) => text[..at].rsplit_once(' ').map_or(&text[..at], |(cut, _)| cut).to_string() + " …",
            None => text.clone(),
        };
        format!("{}{pad}  {kind}{short}", bold(name, style)).trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_line_up_and_are_cut_at_words() {
        let rows = vec![("a".to_string(), "fn", "word ".repeat(60)), ("long".to_string(), "layer", "One.".to_string())];
        let text = list(rows, Style { bold: false, source: false });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("a     fn     word") && lines[0].ends_with("word …"), "{text}");
        assert!(lines[0].chars().count() <= WIDTH + 2, "{text}");
        assert_eq!(lines[1], "long  layer  One.");
    }
}
