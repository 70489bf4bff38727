//! Columns: what stands under each other in neighbouring lines.

use super::WIDTH;
use super::tokens::Token;
use super::tree::{Node, Statement, first_token, flat};

/// How much the names before an `=` may differ in length and still be aligned.
const SPREAD: u32 = 6;

/// The same where a type stands between the name and the `=`.
const TYPED_SPREAD: u32 = 16;

/// How far comments at the ends of lines are moved at most.
const COMMENT_SPREAD: usize = 24;

/// Statements that are aligned with their like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Let,
    Data,
    /// `name <- value`
    Assign,
    Param,
    State,
    /// `dim` and `const`.
    Static,
    /// A setting or a column: `name: value`.
    Field,
    /// `minimize` and `report`.
    Goal,
    /// `every … { }` and `at end { }`.
    When,
}

/// A statement on one line, with the tokens that may move to the right.
struct Row {
    class: Class,
    /// Each with the width of the line up to it, the blank before it not counted.
    columns: Vec<(usize, u32)>,
    width: u32,
}

/// Sets `pad` of tokens of these statements, which are written `indent` further in.
pub(super) fn align(text: &str, tokens: &mut [Token], statements: &[Statement], indent: usize) {
    let mut rows: Vec<Option<Row>> = statements.iter().map(|s| row(text, tokens, s)).collect();
    for row in &mut rows {
        row.take_if(|row| indent + row.width as usize > WIDTH);
    }
    let mut from = 0;
    while from < rows.len() {
        let Some(first) = &rows[from] else {
            from += 1;
            continue;
        };
        let class = first.class;
        let joins = |i: usize| {
            let apart = statements[i].blank || !statements[i].lead.is_empty();
            !apart && rows[i].as_ref().is_some_and(|row| row.class == class)
        };
        let until = (from + 1..rows.len()).find(|i| !joins(*i)).unwrap_or(rows.len());
        let run: Vec<&Row> = rows[from..until].iter().flatten().collect();
        match too_wide(tokens, &run, indent) {
            None => from = until,
            // It stands alone, and parts its neighbours.
            Some(at) => rows[from + at] = None,
        }
    }
}

/// Aligns a run; gives the first row that this makes too wide, and then has moved nothing.
fn too_wide(tokens: &mut [Token], run: &[&Row], indent: usize) -> Option<usize> {
    let mut at = 0;
    while at < run.len() {
        let group = group(&run[at..]);
        pad(tokens, &run[at..at + group]);
        at += group;
    }
    let padded = |row: &Row| row.columns.iter().map(|(token, _)| tokens[*token].pad).sum::<u32>();
    let wide = run.iter().position(|row| indent + (row.width + padded(row)) as usize > WIDTH);
    if wide.is_some() {
        run.iter().flat_map(|row| &row.columns).for_each(|(token, _)| tokens[*token].pad = 0);
    }
    wide
}

/// How many of the first rows are aligned with each other.
fn group(run: &[&Row]) -> usize {
    let spread = match run[0].class {
        Class::Field | Class::Goal | Class::When => return run.len(),
        Class::Param | Class::State => TYPED_SPREAD,
        _ => SPREAD,
    };
    let width = |row: &Row| match (row.class, &row.columns[..]) {
        (Class::Static, [(_, word), (_, name)]) => name - word,
        (_, columns) => columns.last().map_or(0, |(_, width)| *width),
    };
    let (mut least, mut most) = (u32::MAX, 0);
    let fits = |row: &&&Row| {
        (least, most) = (least.min(width(row)), most.max(width(row)));
        most - least <= spread
    };
    run.iter().take_while(fits).count()
}

/// Moves column by column, since each moves those after it.
fn pad(tokens: &mut [Token], group: &[&Row]) {
    let columns = group.iter().map(|row| row.columns.len()).max().unwrap_or(0);
    for column in 0..columns {
        let mut at = 0;
        while at < group.len() {
            let run = group[at..].iter().take_while(|row| row.columns.len() > column).count();
            let place = |tokens: &[Token], row: &Row| {
                let before: u32 = row.columns[..column].iter().map(|(token, _)| tokens[*token].pad).sum();
                row.columns[column].1 + before
            };
            let most = group[at..at + run].iter().map(|row| place(tokens, row)).max().unwrap_or(0);
            for row in &group[at..at + run] {
                tokens[row.columns[column].0].pad = most - place(tokens, row);
            }
            at += run.max(1);
        }
    }
}

fn row(text: &str, tokens: &[Token], statement: &Statement) -> Option<Row> {
    let nodes = &statement.nodes;
    let width = flat(tokens, nodes)?;
    let word = |i: usize| match nodes.get(i) {
        Some(Node::Token(at)) => tokens[*at].text(text),
        _ => "",
    };
    let keyword = matches!(nodes[0], Node::Token(at) if tokens[at].keyword);
    let column = |i: usize| Some((first_token(nodes.get(i)?), flat(tokens, &nodes[..i])?));
    let find = |wanted: &str| (0..nodes.len()).find(|i| word(*i) == wanted);
    // The type, where there is one, and the `=`.
    let typed = |equal: usize| if word(2) == ":" { vec![3, equal] } else { vec![equal] };
    let (class, places) = match word(0) {
        "let" => (Class::Let, vec![find("=")?]),
        "data" if keyword => (Class::Data, vec![find("=")?]),
        "param" if keyword => (Class::Param, typed(find("=")?)),
        "state" if keyword => (Class::State, typed(find("=")?)),
        "dim" | "const" if keyword => (Class::Static, vec![1, find("=")?]),
        "report" if keyword => (Class::Goal, vec![1]),
        "minimize" if keyword => {
            let parts = ["over", "with"].into_iter().filter_map(find);
            (Class::Goal, [1].into_iter().chain(parts).collect())
        }
        "every" | "at" if keyword && matches!(nodes.last(), Some(Node::Block(_))) => {
            (Class::When, vec![nodes.len() - 1])
        }
        _ if word(1) == ":" => (Class::Field, vec![2]),
        _ if word(1) == "<-" => (Class::Assign, vec![1]),
        _ => return None,
    };
    let columns: Option<Vec<(usize, u32)>> = places.into_iter().map(column).collect();
    Some(Row { class, columns: columns?, width })
}

/// Moves comments at the ends of neighbouring lines under each other; `comments` are their places in the text.
pub(super) fn comments(text: String, comments: &[usize]) -> String {
    if comments.is_empty() {
        return text;
    }
    // Line, place of the comment, characters before it.
    let mut lines: Vec<(usize, usize, usize)> = Vec::with_capacity(comments.len());
    let (mut line, mut at) = (0, 0);
    for &comment in comments {
        line += text[at..comment].matches('\n').count();
        at = comment;
        let start = text[..comment].rfind('\n').map_or(0, |i| i + 1);
        lines.push((line, comment, text[start..comment].chars().count()));
    }
    let mut made = String::with_capacity(text.len());
    let (mut copied, mut from) = (0, 0);
    while from < lines.len() {
        let (mut until, mut least, mut most) = (from, usize::MAX, 0);
        while until < lines.len() && lines[until].0 - lines[from].0 == until - from {
            let (low, high) = (least.min(lines[until].2), most.max(lines[until].2));
            if high - low > COMMENT_SPREAD {
                break;
            }
            (least, most, until) = (low, high, until + 1);
        }
        for &(_, place, width) in &lines[from..until] {
            made.push_str(&text[copied..place]);
            made.extend(std::iter::repeat_n(' ', most - width));
            copied = place;
        }
        from = until;
    }
    made.push_str(&text[copied..]);
    made
}
