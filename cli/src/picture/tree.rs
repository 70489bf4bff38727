//! The picture as a tree of text.

use super::Picture;
use super::words;
use crate::cost::symbolic;
use crate::values::count;
use tfm_lang::dim::Dim;
use tfm_lowering::outline::{Child, Figures, Role};

/// Draws the tree. Layers of the library are folded; with a depth, all below it and nothing above.
pub fn tree(picture: &Picture, depth: Option<usize>) -> String {
    let mut rows = vec![row(picture.title(), "", &picture.outline.blocks[0].figures)];
    below(picture, 0, 0, depth, "", &mut rows);
    let head = ["", "result", "parameters", "FLOPs"].map(String::from);
    rows.insert(0, head);
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let (a, b, c) = (width(0), width(1), width(2));
    let line = |r: &[String; 4]| format!("{:<a$}  {:<b$}  {:>c$}  {}", r[0], r[1], r[2], r[3]).trim_end().to_string();
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(name: String, ty: &str, figures: &Figures) -> [String; 4] {
    let parameters = figures.trained + figures.frozen;
    let parameters = if parameters == 0 { String::new() } else { count(parameters) };
    let flops = if figures.flops == Dim::default() { String::new() } else { symbolic(&figures.flops) };
    [name, ty.into(), parameters, flops]
}

fn below(
    picture: &Picture,
    block: usize,
    level: usize,
    depth: Option<usize>,
    indent: &str,
    rows: &mut Vec<[String; 4]>,
) {
    let outline = &picture.outline;
    let children = &outline.blocks[block].children;
    for (i, child) in children.iter().enumerate() {
        let is_last = i + 1 == children.len();
        let (branch, under) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let name = format!("{indent}{branch}");
        match child {
            Child::Step(s) => {
                let step = &outline.steps[*s];
                let mark = match step.role {
                    Role::Input => "→ ",
                    Role::Output => "⇒ ",
                    Role::Operation => "",
                };
                rows.push(row(format!("{name}{mark}{}", step.label), &step.ty.to_string(), &step.figures));
            }
            Child::Block(b) => {
                let inner = &outline.blocks[*b];
                let turns = inner.turns.as_ref().map_or(String::new(), |t| format!(" × {t}"));
                let title = words::block_title(inner);
                rows.push(row(format!("{name}{title}{turns}"), &words::block_output(inner), &inner.figures));
                let is_open = depth.map_or(!inner.library, |depth| level < depth);
                if is_open {
                    below(picture, *b, level + 1, depth, &format!("{indent}{under}"), rows);
                }
            }
        }
    }
}
