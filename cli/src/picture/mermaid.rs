//! The picture for Mermaid, which many pages of text draw: blocks are subgraphs.

use super::Picture;
use super::dot::Shown;
use super::words;
use std::fmt::Write as _;
use tfm_lowering::outline::{Child, Role};

/// Writes the graph. Layers of the library are single nodes; with a depth, all below it and nothing above.
pub fn mermaid(picture: &Picture, depth: Option<usize>) -> String {
    let mut out = String::from("flowchart TB\n");
    let shown = Shown::of(picture, depth);
    write(picture, 0, 1, &shown, &mut out);
    for (from, to, ty) in shown.edges(picture) {
        let _ = writeln!(out, "  {from} -->|{}| {to}", quoted(&ty));
    }
    out.push_str("  classDef input fill:#e3f6ee,stroke:#4fb286,color:#1c2330\n");
    out.push_str("  classDef output fill:#fff1d6,stroke:#d79a2b,color:#1c2330\n");
    out
}

fn write(picture: &Picture, block: usize, level: usize, shown: &Shown, out: &mut String) {
    let outline = &picture.outline;
    let indent = "  ".repeat(level);
    for child in &outline.blocks[block].children {
        match child {
            Child::Step(s) => {
                let step = &outline.steps[*s];
                let label = quoted(&format!("{}<br/>{}", plain(&step.label), plain(&step.ty.to_string())));
                let _ = match step.role {
                    Role::Input => writeln!(out, "{indent}s{s}([{label}]):::input"),
                    Role::Output => writeln!(out, "{indent}s{s}([{label}]):::output"),
                    Role::Operation => writeln!(out, "{indent}s{s}[{label}]"),
                };
            }
            Child::Block(b) if shown.is_open(*b) => {
                let title = quoted(&plain(&words::block_title(&outline.blocks[*b])));
                let _ = writeln!(out, "{indent}subgraph b{b} [{title}]");
                write(picture, *b, level + 1, shown, out);
                let _ = writeln!(out, "{indent}end");
            }
            Child::Block(b) => {
                let inner = &outline.blocks[*b];
                let lines = [words::block_title(inner), words::block_output(inner), words::figures(&inner.figures)];
                let lines: Vec<String> = lines.iter().filter(|l| !l.is_empty()).map(|l| plain(l)).collect();
                let _ = writeln!(out, "{indent}b{b}[{}]", quoted(&lines.join("<br/>")));
            }
        }
    }
}

/// Signs that mean something to Mermaid or HTML, as numbers.
fn plain(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '<' | '>' | '&' | '#' | '`' | '*' | '_' => format!("#{};", c as u32),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

fn quoted(text: &str) -> String {
    let text = if text.contains("<br/>") || !text.contains(['"', '<']) { text.to_string() } else { plain(text) };
    format!("\"{text}\"")
}
